"""What the side that lost would look for: rules at the moments that nobody thought of."""

from datetime import timedelta

import pytest
from sqlalchemy import insert

from server.casework.queries import open_work
from server.db import transaction
from server.domain.goods.tables import ProductRow
from server.domain.links.actions import Wish, make_link
from server.domain.links.queries import find_link
from server.domain.review import actions
from server.errors import Problem
from server.people.principal import Principal, Role
from server.sync.queries import children
from tests.company import Company
from tests.domain.disputes import HOUR
from tests.domain.records import case, photo, receipt, signature
from tests.domain.test_faults import hands, incident, report
from tests.domain.test_penalties import SQLITE, Court

pytestmark = SQLITE


@pytest.fixture
def court(company: Company) -> Court:
    """Everybody who decides something about a case."""
    return Court(company)


def handle(court: Court, found: str, **values: str | None) -> None:
    """The market officer takes a case for herself, or stops its clock."""
    services, base = court.company.services, court.record(found).version
    store, officer = court.company.store, court.officer
    actions.handle(services.sync, store, officer, found, base=base, values=values)


def tasks(court: Court, found: str) -> list[tuple[str, str | None]]:
    """(task, why its clock stands still) of all that waits."""
    works = open_work(court.company.store, [found])[found]
    return sorted((work.task, work.pause) for work in works)


def test_b2_f4_a_progress_note_that_is_taken_back_gives_its_state_and_its_clock_back(
    court: Court,
) -> None:
    service = court.reviewer(Role.SERVICE_OFFICER, None)
    told = incident(court, court.rep(), minutes=5, type="complaint")
    court.decide(service, told, "answered_complex")
    (before,) = open_work(court.company.store, [told])[told]
    court.wait(days=3)
    court.decide(service, told, "progress")
    court.undo(service, told)
    (work,) = open_work(court.company.store, [told])[told]
    assert court.state(told) == "complex"
    assert (work.key, work.due_at) == (before.key, before.due_at)
    court.decide(service, told, "progress")
    (anew,) = open_work(court.company.store, [told])[told]
    assert anew.due_at > before.due_at


@pytest.mark.parametrize("where", ["across", "inside"])
def test_b2_x14_a_reopening_that_is_taken_back_takes_nobodys_right_to_propose(
    court: Court, where: str
) -> None:
    case, decider, other = {
        "across": lambda: (court.upheld(), court.officer, court.manager),
        "inside": lambda: (court.upheld_inside(), court.manager, court.officer),
    }[where]()
    court.wait(minutes=1)
    court.decide(court.officer, case, "reopened")
    court.undo(court.officer, case)
    assert court.state(case) == "upheld"
    with pytest.raises(Problem) as refused:
        court.propose(case, other)
    assert refused.value.code == "forbidden"
    assert court.state(court.propose(case, decider)) == "proposed"


def test_b2_f5_a_refusal_is_not_taken_back_once_its_room_was_given_to_another_return(
    court: Court,
) -> None:
    rep, service = court.rep(), hands(court)["service"]
    leak = report(court, rep)
    first = court.create(rep, "faulty_goods_return", fault=leak, received=12)
    court.decide(service, first, "refused")
    court.create(rep, "faulty_goods_return", fault=leak, received=1)
    with pytest.raises(Problem) as full:
        court.undo(service, first)
    assert full.value.fields == {"received": "too_big:12"}
    assert [one["received"] for one in court.data(leak)["disposed"]] == [1]


def test_b1_what_is_somebodys_by_name_waits_for_the_next_role_once_it_came_to_that(
    court: Court,
) -> None:
    found = court.submitted()
    handle(court, found, assigned_to=court.officer.user)
    colleague = court.reviewer(Role.MARKET_OFFICER, None)
    assert court.queue(colleague) == []
    court.take(court.officer, found, "accepted", "nobody_accused", "inspect")
    assert court.queue(court.reviewer(Role.MARKET_INSPECTOR, None)) == [(found, "inspect")]
    court.take(court.officer, found, "inspected")
    assert (court.queue(colleague), court.queue(court.officer)) == ([], [(found, "facts")])


def test_x3_a_case_mended_so_that_a_signature_counts_no_more_waits_unsigned_again(
    court: Court,
) -> None:
    dealer = court.create(court.seller, "customer", name="王芳", customer_type="dealer")
    found = court.find()
    own = signature("affected_dealer", parent=found, customer=dealer)
    court.create(court.seller, "signature", **own)
    court.sign(found, "region_manager")
    court.take(court.officer, found, "returned")
    court.patch(court.seller, found, accused_customer=dealer)
    assert tasks(court, found) == [("unsigned", None)]
    court.sign(found, "affected_dealer")
    assert court.waiting(found) == [("market_officer", "intake", 24 * HOUR)]


def test_x3_what_changes_after_the_first_of_two_signatures_is_flagged(court: Court) -> None:
    found = court.find()
    court.patch(court.seller, found, reason="发现于仓库")
    assert court.data(found)["flags"] == []
    court.sign(found, "affected_dealer")
    court.patch(court.seller, found, reason="发现于门店")
    assert court.data(found)["flags"] == ["changed_after_signing"]


@pytest.mark.parametrize(
    ("moves", "state"),
    [(("nobody_accused",), "facts"), (("nobody_accused", "facts_verified"), "deciding")],
)
def test_x7_a_case_goes_to_whose_it_turns_out_to_be_until_it_is_decided(
    court: Court, moves: tuple[str, ...], state: str
) -> None:
    found = court.inside()
    court.take(court.manager, found, "accepted", *moves)
    assert court.state(found) == f"region_{state}"
    court.server_writes(found, inside_centre=False)
    assert court.state(found) == state
    court.server_writes(found, inside_centre=True)
    assert court.state(found) == f"region_{state}"


def test_f3_p9_an_urgent_report_is_taken_however_wrong_the_clock_of_its_device_is(
    court: Court,
) -> None:
    rep, at = court.rep(), "2026-03-02T09:00:00Z"
    values = {"type": "press", "happened_at": at, "what": "采访"}
    wrong = ((at, 2**52), (at, -(2**52)), ("9999-12-31T23:59:59Z", 0), (at[:-1], 0), ("上午", 0))
    for wall, offset in wrong:
        captured = {"wall": wall, "offset_ms": offset}
        wire = {"action": "create", "kind": "incident", "captured": captured, "set": values}
        result = court.send(rep, wire)
        assert (result["outcome"], result["flags"]) == ("applied", ["time_uncertain"]), wall


def test_x8_a_decision_ends_the_pause_of_what_it_decides_and_an_undo_brings_it_back(
    court: Court,
) -> None:
    found = court.submitted()
    handle(court, found, pause="supplement")
    court.wait(hours=3)
    stood = {work.key: work.due_at for work in open_work(court.company.store, [found])[found]}
    court.decide(court.officer, found, "accepted")
    assert tasks(court, found) == [("notice", None)]
    court.undo(court.officer, found)
    assert tasks(court, found) == [("end_pause", None), ("intake", "supplement")]
    again = {work.key: work.due_at for work in open_work(court.company.store, [found])[found]}
    assert again == stood


def test_x2_a_photo_whose_bytes_were_refused_shows_nothing_until_they_come(court: Court) -> None:
    found = court.submitted()
    shot = court.create(court.seller, "photo", **photo(parent=found, tag="goods"))
    for state, is_missing in (("refused", True), ("verified", False), ("refused", True)):
        court.server_writes(shot, state=state)
        assert ("goods" in court.data(found)["missing_tags"]) is is_missing


def test_x3_a_signature_whose_bytes_were_refused_submits_nothing(court: Court) -> None:
    found = court.find()
    signed = signature("affected_dealer", parent=found)
    first = court.create(court.seller, "signature", **signed)
    court.server_writes(first, state="refused")
    court.sign(found, "region_manager")
    assert court.state(found) == "unsigned"
    court.server_writes(first, state="verified")
    assert court.state(found) == "submitted"


def test_x4_an_unloading_of_which_nothing_is_said_lifts_no_limit(court: Court) -> None:
    found = court.submitted(vehicle_unloading={})
    court.look()
    points = {one["point"]: one["value"] for one in court.data(found)["check_points"]}
    assert points["pieces"] != "unloaded"


def test_r1_an_amount_is_the_same_however_it_is_written_and_no_other_by_its_digits(
    court: Court,
) -> None:
    rep, other = court.rep(), court.rep("hangzhou")

    def flags(sender: Principal, number: str, amount: str) -> list[str]:
        made = court.create(sender, "receipt", **receipt(number=number, amount=amount))
        return list(court.data(made)["flags"])

    assert flags(rep, "N1", "100") == []
    assert flags(other, "N1", "100.00") == ["claim_duplicate"]
    assert flags(rep, "N2", "1.00") == flags(other, "N2", "100") == []
    assert flags(rep, "N3", "0") == []
    assert flags(other, "N3", "0.0") == ["claim_duplicate"]


def test_x5_a_batch_that_is_named_later_has_its_twelve_hours_from_then(court: Court) -> None:
    found = court.submitted()
    lines = list(case()["lines"])

    def name(batch: str) -> list[tuple[str, str, timedelta]]:
        lines.append({**lines[0], "batch": batch})
        court.patch(court.seller, found, lines=lines)
        court.wait(hours=1)
        court.look()
        asked = children(court.company.store, found, "batch_trace")
        (trace,) = (one.id for one in asked if one.data["batch"] == batch)
        return court.waiting(trace)

    court.look()
    court.take(court.officer, found, "returned")
    court.advance(hours=48)
    assert name("B-2") == [("logistics_officer", "trace", 11 * HOUR)]
    court.take(court.officer, found, "accepted")
    court.advance(hours=20)
    assert name("B-3") == [("logistics_officer", "trace", 11 * HOUR)]


def points(court: Court, found: str) -> dict[str, tuple[str, str]]:
    """Point → its value and its result."""
    court.look()
    check = court.data(found)["check_points"]
    return {one["point"]: (one["value"], one["result"]) for one in check}


def test_k6_x12_x13_what_a_dealer_was_allowed_counts_for_the_sub_dealer_that_is_accused(
    court: Court,
) -> None:
    manager = court.on_device(Role.REGION_MANAGER, "shanghai")
    above = court.create(court.seller, "customer", name="总经销", customer_type="dealer")
    beneath = court.create(
        court.seller, "customer", name="分销", customer_type="sub_dealer_main", dealer=above
    )
    found = court.submitted(accused_customer=beneath)
    assert points(court, found)["not_licensed"] == ("", "yes")
    span = {"start": "2026-01-01", "end": "2026-12-31"}
    allowed = {"dealer": above, "regions": [court.market], "products": ["Tea"], **span}
    court.create(manager, "licence", **allowed)
    assert points(court, found)["not_licensed"] == ("Tea", "no")


def test_k6_a_product_that_is_called_by_code_and_by_name_is_one(court: Court) -> None:
    store = court.company.store
    with transaction(store):
        store.execute(insert(ProductRow), {"code": "T", "name_zh": "茶"})
    manager = court.on_device(Role.REGION_MANAGER, "shanghai")
    dealer = court.create(court.seller, "customer", name="总经销", customer_type="dealer")
    span = {"start": "2026-01-01", "end": "2026-12-31"}
    allowed = {"dealer": dealer, "regions": [court.market], "products": ["茶"], **span}
    court.create(manager, "licence", **allowed)
    line = case()["lines"][0]
    lines = [{**line, "product": called} for called in ("T", "茶")]
    found = court.submitted(lines=lines, accused_customer=dealer)
    assert points(court, found)["not_licensed"] == ("T", "no")


def test_x3_the_signature_of_whom_the_traces_accuse_counts_no_more(court: Court) -> None:
    dealer = court.create(court.seller, "customer", name="王芳", customer_type="dealer")
    found = court.find()
    own = signature("affected_dealer", parent=found, customer=dealer)
    court.create(court.seller, "signature", **own)
    court.sign(found, "region_manager")
    seen = court.record(found).version
    court.server_writes(found, derived_accused=dealer)
    assert court.data(found)["signed_by"] == ["region_manager"]
    court.decide(court.officer, found, "returned", base=seen)
    court.patch(court.seller, found, reason="补充")
    assert court.state(found) == "unsigned"


def test_x6_x8_a_link_is_not_over_while_the_clock_of_its_case_stands_still(court: Court) -> None:
    store, services = court.company.store, court.company.services
    found = court.submitted()
    court.take(court.officer, found, "accepted", "notified")
    due = services.clock.now() + 24 * HOUR
    wish = Wish(purpose="rebuttal", record=found, expires_at=due, by=court.officer)
    with transaction(store):
        made = make_link(store, services.sync, wish)

    def over_in() -> timedelta | None:
        link, now = find_link(store, made.token), services.clock.now()
        assert link is not None
        return link.over_at(now) - now if link.is_open(now) else None

    court.advance(hours=20)
    handle(court, found, pause="authority")
    court.advance(hours=10)
    assert over_in() == 4 * HOUR
    handle(court, found, pause=None)
    court.advance(hours=4)
    assert over_in() == timedelta(0)
    court.advance(seconds=1)
    assert over_in() is None
