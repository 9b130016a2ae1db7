"""What the side that lost would look for: rules at the moments that nobody thought of."""

import pytest

from server.casework.queries import open_work
from server.domain.review import actions
from server.errors import Problem
from server.people.principal import Role
from tests.company import Company
from tests.domain.disputes import HOUR
from tests.domain.records import photo, signature
from tests.domain.test_faults import hands, incident, report
from tests.domain.test_penalties import SQLITE, Court

pytestmark = SQLITE


@pytest.fixture
def court(company: Company) -> Court:
    """Everybody who decides something about a case."""
    return Court(company)


def handle(court: Court, found: str, **values: str) -> None:
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
