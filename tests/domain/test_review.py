"""Records on a real store, from a device's push through the queue to a decision."""

from datetime import timedelta

import pytest

from server.casework.queries import open_work
from server.domain import queries
from server.domain.review.restoring import restore
from server.errors import Problem
from server.people.principal import Principal, Role
from server.sync.push import Envelope, push_batch
from server.sync.queries import kept_about
from tests.company import Company
from tests.domain.desk import Desk
from tests.domain.records import SHANGHAI_TOWER, case, photo, receipt, signature, visit


@pytest.fixture
def desk(company: Company) -> Desk:
    """Devices and reviewers of the company."""
    return Desk(company)


def test_k1_v3_a_visit_far_from_its_customer_is_kept_flagged_and_queued(desk: Desk) -> None:
    rep, manager = desk.rep(), desk.reviewer()
    shop = desk.create(
        rep, "customer", name="好又多", customer_type="store", position=SHANGHAI_TOWER
    )
    assert desk.record(shop).scopes == {f"user:{rep.user}", f"region:{rep.home_region}"}
    here = {"at": "2026-03-02T10:00:00+08:00", "position": {**SHANGHAI_TOWER, "lat": "31.3"}}
    went = desk.create(rep, "visit", **visit(customer=shop, check_in=here))
    assert desk.data(went)["flags"] == ["far"]
    assert desk.record(went).scopes == desk.record(shop).scopes
    assert desk.queue(manager) == [(went, "review")]


def test_k1_a_customer_that_the_office_hands_over_moves_with_its_visits_to_come(
    desk: Desk,
) -> None:
    rep, other = desk.rep(), desk.rep()
    shop = desk.create(rep, "customer", name="a", customer_type="store")
    assert desk.data(shop)["owner"] == rep.user
    told = {"action": "patch", "kind": "customer", "record": shop, "base": 1}
    given = {**told, "set": {"owner": other.user}}
    assert desk.send(desk.reviewer(), given, writer="office")["outcome"] == "applied"
    assert f"user:{other.user}" in desk.record(shop).scopes
    assert f"user:{rep.user}" not in desk.record(shop).scopes


def test_v5_the_guidance_of_a_manager_stands_in_the_record_that_the_device_holds(
    desk: Desk,
) -> None:
    rep, manager = desk.rep(), desk.reviewer()
    shop = desk.create(rep, "customer", name="a", customer_type="store")
    went = desk.create(rep, "visit", **visit(customer=shop))
    report = desk.create(rep, "visit_report", visit=went, summary="ok")
    desk.decide(manager, report, "returned", guidance="下次带样品")
    told = desk.data(report)
    assert (told["state"], told["guidance"]) == ("returned", "下次带样品")
    assert f"user:{rep.user}" in desk.record(report).scopes
    assert desk.queue(manager) == [(went, "review")]


def test_x2_x3_b1_a_case_waits_unsigned_then_for_intake_with_a_term_from_its_signing(
    desk: Desk,
) -> None:
    rep = desk.rep()
    manager, officer = desk.reviewer(), desk.reviewer(Role.MARKET_OFFICER, None)
    found = desk.create(rep, "cross_region_case", **case(affected_market=rep.home_region))
    assert desk.queue(manager) == [(found, "unsigned")]
    assert desk.queue(officer) == []
    desk.create(rep, "photo", **photo(parent=found, tag="batch"))
    desk.create(rep, "signature", **signature("affected_dealer", parent=found))
    assert desk.queue(manager) == [(found, "unsigned")]
    desk.wait(hours=5)
    desk.create(
        desk.on_device(Role.REGION_MANAGER, "east"),
        "signature",
        **signature("region_manager", parent=found),
    )
    data = desk.data(found)
    assert data["state"] == "submitted"
    assert data["signed_by"] == ["affected_dealer", "region_manager"]
    assert "batch" not in data["missing_tags"]
    assert desk.queue(manager) == []
    assert desk.queue(officer) == [(found, "intake")]
    (item,) = open_work(desk.company.store, [found])[found]
    assert item.due_at == desk.company.services.clock.now() + timedelta(hours=24)


def test_x2_x3_what_is_withdrawn_beneath_an_unsigned_case_is_missing_again(desk: Desk) -> None:
    rep = desk.rep()
    found = desk.create(rep, "cross_region_case", **case(affected_market=rep.home_region))
    shot = desk.create(rep, "photo", **photo(parent=found, tag="batch"))
    signed = desk.create(rep, "signature", **signature("affected_dealer", parent=found))
    assert desk.data(found)["signed_by"] == ["affected_dealer"]
    for kind, record in (("photo", shot), ("signature", signed)):
        desk.push(rep, {"action": "withdraw", "kind": kind, "record": record, "base": 1})
    assert "batch" in desk.data(found)["missing_tags"]
    assert desk.data(found)["signed_by"] == []


def test_x3_b1_a_case_that_arrives_signed_in_one_push_waits_for_intake_alone(desk: Desk) -> None:
    rep, ids, services = desk.rep(), desk.company.services.ids, desk.company.services
    found, home = ids.new(), str(rep.home_region)
    made = [
        ("cross_region_case", found, case(affected_market=home)),
        ("signature", ids.new(), signature("affected_dealer", parent=found)),
        ("photo", ids.new(), photo(parent=found, tag="batch")),
        ("signature", ids.new(), signature("region_manager", parent=found)),
        ("photo", ids.new(), photo(parent=found, tag="goods")),
    ]
    raw = [
        {"id": ids.new(), "action": "create", "kind": kind, "record": id_, "base": 0, "set": values}
        for kind, id_, values in made
    ]
    push_batch(services.sync, desk.company.store, Envelope(sender=rep), raw)
    assert desk.queue(desk.reviewer()) == []
    assert desk.queue(desk.reviewer(Role.MARKET_OFFICER, None)) == [(found, "intake")]
    assert not {"batch", "goods"} & set(desk.data(found)["missing_tags"])


def test_x3_the_devices_answer_shows_the_state_that_the_server_gave(desk: Desk) -> None:
    rep = desk.rep()
    values = case(affected_market=rep.home_region)
    told = desk.push(rep, {"action": "create", "kind": "cross_region_case", "set": values})
    assert told["data"]["state"] == "unsigned"


def test_x3_b2_an_unsigned_case_is_not_decided(desk: Desk) -> None:
    rep, officer = desk.rep(), desk.reviewer(Role.MARKET_OFFICER, None)
    found = desk.create(rep, "cross_region_case", **case(affected_market=rep.home_region))
    with pytest.raises(Problem) as refused:
        desk.decide(officer, found, "accepted")
    assert (refused.value.code, refused.value.fields) == ("validation", {"verdict": "unsigned"})


def test_b1_a_queue_is_sorted_by_the_time_that_is_left_and_ends_at_its_region(desk: Desk) -> None:
    rep, manager = desk.rep(), desk.reviewer()
    later = desk.create(rep, "receipt", **receipt())
    shop = desk.create(rep, "customer", name="a", customer_type="store")
    sooner = desk.create(rep, "visit", **visit(customer=shop))
    desk.create(desk.rep("guangzhou"), "receipt", **receipt())
    assert desk.queue(manager) == [(sooner, "review"), (later, "review")]
    assert desk.queue(desk.reviewer(Role.MARKET_OFFICER, None)) == []


def test_b1_a_row_of_the_queue_names_the_customer_only_to_who_may_open_it(desk: Desk) -> None:
    rep, manager = desk.rep(), desk.reviewer()
    shop = desk.create(rep, "customer", name="好又多", customer_type="store")
    went = desk.create(rep, "visit", **visit(customer=shop))
    registry = desk.company.services.sync.registry
    (row,) = queries.queue(
        desk.company.store, registry, manager, now=desk.company.services.clock.now()
    )
    assert row.references["customer"].label == "好又多"
    assert dict(row.summary)["purpose"] == "routine"
    stranger = desk.reviewer(Role.REGION_MANAGER, "south")
    held = queries.references(desk.company.store, registry, stranger, [desk.record(went)])
    assert held[went]["customer"].label is None
    assert queries.open_record(desk.company.store, registry, stranger, went) is None


def test_b1_what_was_returned_waits_again_with_a_new_term_when_it_is_mended(desk: Desk) -> None:
    rep, manager = desk.rep(), desk.reviewer()
    slip = desk.create(rep, "receipt", **receipt())
    desk.decide(manager, slip, "returned")
    assert desk.queue(manager) == []
    desk.patch(rep, slip, amount="68.50")
    assert desk.queue(manager) == [(slip, "review")]
    assert desk.data(slip)["verdict"] == "returned"


def test_b1_what_was_returned_for_its_photo_waits_again_when_the_photo_comes(desk: Desk) -> None:
    rep, manager = desk.rep(), desk.reviewer()
    slip = desk.create(rep, "receipt", **receipt())
    desk.decide(manager, slip, "returned")
    desk.create(rep, "photo", **photo(parent_kind="receipt", parent=slip, tag="receipt"))
    assert desk.queue(manager) == [(slip, "review")]
    (shown,) = queries.photos_of(desk.company.store, slip)
    assert (shown.tag, shown.state) == ("receipt", "declared")


def test_b1_what_was_taken_back_waits_for_nobody_whatever_comes_beneath_it(desk: Desk) -> None:
    rep, manager = desk.rep(), desk.reviewer()
    slip = desk.create(rep, "receipt", **receipt())
    desk.decide(manager, slip, "returned")
    taken = {"action": "withdraw", "kind": "receipt", "record": slip}
    assert desk.send(rep, {**taken, "base": 2})["outcome"] == "applied"
    late = desk.create(rep, "photo", **photo(parent_kind="receipt", parent=slip, tag="receipt"))
    assert desk.data(late)["flags"] == ["parent_withdrawn"]
    assert (desk.record(slip).version, desk.data(slip)["state"]) == (3, "returned")
    assert desk.queue(manager) == []


def test_b2_what_a_decision_that_was_undone_had_ended_goes_on_where_its_record_is_by_then(
    desk: Desk,
) -> None:
    rep, manager = desk.rep(), desk.reviewer()
    here, there = (desk.reviewer(region=place) for place in ("shanghai", "hangzhou"))
    shop = desk.create(rep, "customer", name="a", customer_type="store")
    went = desk.create(rep, "visit", **visit(customer=shop))
    desk.decide(manager, went, "returned")
    told = {"action": "patch", "kind": "customer", "record": shop, "base": 1}
    given = {**told, "set": {"region": desk.company.regions["hangzhou"]}}
    assert desk.send(manager, given, writer="office")["outcome"] == "applied"
    desk.undo(manager, went)
    assert (desk.queue(here), desk.queue(there)) == ([], [(went, "review")])


def test_b2_a_second_reviewer_overwrites_nothing_and_loses_nothing(desk: Desk) -> None:
    rep, first, second = desk.rep(), desk.reviewer(), desk.reviewer()
    slip = desk.create(rep, "receipt", **receipt())
    desk.decide(first, slip, "accepted", base=1)
    with pytest.raises(Problem) as refused:
        desk.decide(second, slip, "rejected", base=1, note="金额不符")
    assert refused.value.code == "wrong_state"
    assert desk.data(slip)["decided_by"] == first.user
    assert desk.data(slip)["state"] == "accepted"
    assert "金额不符" in kept_beside(desk, slip)


def kept_beside(desk: Desk, record: str) -> str:
    """All that the conflicts of ``record`` keep."""
    from sqlalchemy import select  # noqa: PLC0415

    from server.sync.tables import Record  # noqa: PLC0415

    rows = desk.company.store.scalars(select(Record.data).where(Record.kind == "conflict"))
    return "".join(text for text in rows if record in text)


def test_b2_an_edit_of_the_rep_that_the_reviewer_has_not_seen_stops_the_decision(
    desk: Desk,
) -> None:
    rep, manager = desk.rep(), desk.reviewer()
    slip = desk.create(rep, "receipt", **receipt())
    desk.patch(rep, slip, amount="186.50")
    with pytest.raises(Problem) as refused:
        desk.decide(manager, slip, "accepted", base=1)
    assert refused.value.code == "wrong_state"
    assert desk.data(slip)["state"] == "submitted"


def test_b2_a_decision_without_a_reason_is_refused(desk: Desk) -> None:
    rep, manager = desk.rep(), desk.reviewer()
    slip = desk.create(rep, "receipt", **receipt())
    with pytest.raises(Problem) as refused:
        desk.decide(manager, slip, "rejected", reason="")
    assert refused.value.fields == {"verdict_reason": "required"}


def test_b2_within_thirty_seconds_a_decision_is_taken_back_as_it_was(desk: Desk) -> None:
    rep, manager = desk.rep(), desk.reviewer()
    slip = desk.create(rep, "receipt", **receipt())
    before = desk.data(slip)
    desk.decide(manager, slip, "rejected", note="x")
    desk.wait(seconds=30)
    desk.undo(manager, slip)
    assert desk.data(slip) == before
    assert desk.queue(manager) == [(slip, "review")]


def test_b2_taking_back_a_second_decision_restores_the_first(desk: Desk) -> None:
    rep, manager = desk.rep(), desk.reviewer()
    slip = desk.create(rep, "receipt", **receipt())
    desk.decide(manager, slip, "returned", guidance="补照片")
    first = desk.data(slip)
    desk.wait(seconds=1)
    desk.decide(manager, slip, "accepted")
    assert "guidance" not in desk.data(slip)
    desk.undo(manager, slip)
    assert desk.data(slip) == {**first, "state": "submitted"}
    assert desk.queue(manager) == [(slip, "review")]
    with pytest.raises(Problem):  # an undo is not undone
        desk.undo(manager, slip)


def test_b2_a_decision_after_the_clock_was_set_back_takes_none_back(desk: Desk) -> None:
    manager, rep = desk.reviewer(), desk.rep()
    record = desk.create(rep, "receipt", **receipt())
    desk.decide(manager, record, "returned")
    desk.wait(hours=-5)
    desk.decide(manager, record, "accepted")
    assert desk.data(record)["state"] == "accepted"
    desk.undo(manager, record)
    assert desk.data(record)["verdict"] == "returned"


def test_b2_after_thirty_seconds_a_decision_stands(desk: Desk) -> None:
    rep, manager = desk.rep(), desk.reviewer()
    slip = desk.create(rep, "receipt", **receipt())
    desk.decide(manager, slip, "rejected")
    desk.wait(seconds=31)
    with pytest.raises(Problem) as refused:
        desk.undo(manager, slip)
    assert refused.value.code == "wrong_state"
    assert desk.data(slip)["state"] == "rejected"


def test_b2_nobody_takes_back_what_somebody_else_decided_or_the_rep_has_changed(
    desk: Desk,
) -> None:
    rep, manager, other = desk.rep(), desk.reviewer(), desk.reviewer()
    slip = desk.create(rep, "receipt", **receipt())
    desk.decide(manager, slip, "returned")
    with pytest.raises(Problem):
        desk.undo(other, slip)
    desk.patch(rep, slip, amount="1.00")
    with pytest.raises(Problem) as refused:
        desk.undo(manager, slip)
    assert refused.value.code == "wrong_state"


@pytest.mark.parametrize(
    ("role", "region", "code"),
    [
        (Role.REGION_MANAGER, "south", "not_found"),
        (Role.MARKET_OFFICER, None, "not_found"),
        (Role.REP, "shanghai", "not_found"),
        (Role.ADMINISTRATOR, None, "not_found"),
    ],
)
def test_b2_p5_who_may_not_open_a_record_is_told_that_there_is_none(
    desk: Desk, role: Role, region: str | None, code: str
) -> None:
    slip = desk.create(desk.rep(), "receipt", **receipt())
    with pytest.raises(Problem) as refused:
        desk.decide(desk.reviewer(role, region), slip, "accepted")
    assert refused.value.code == code
    assert desk.data(slip)["state"] == "submitted"


def test_b2_who_may_open_a_case_but_not_decide_it_is_refused(desk: Desk) -> None:
    rep = desk.rep()
    found = desk.create(rep, "cross_region_case", **case(affected_market=rep.home_region))
    with pytest.raises(Problem) as refused:
        desk.decide(desk.reviewer(Role.GENERAL_MANAGER, None), found, "accepted")
    assert refused.value.code == "forbidden"


def test_b2_a_device_cannot_write_a_verdict(desk: Desk) -> None:
    rep = desk.rep()
    slip = desk.create(rep, "receipt", **receipt())
    told = {"action": "patch", "kind": "receipt", "record": slip, "base": 1}
    result = desk.send(rep, {**told, "set": {"verdict": "accepted"}})
    assert result["problem"]["code"] == "field_owner"


def test_p6_a_decision_that_came_too_late_comes_back_whole_once_the_first_is_undone(
    desk: Desk,
) -> None:
    rep, manager = desk.rep(), desk.reviewer()
    paper = desk.create(rep, "receipt", **receipt())
    desk.decide(manager, paper, "accepted")
    kept = decide_too_late(desk, manager, paper, "returned")
    desk.undo(manager, paper)
    restore(desk.company.services.sync, desk.company.store, manager, kept)
    told = desk.data(paper)
    assert (told["state"], told["decided_by"]) == ("returned", manager.user)


def test_p6_a_decision_that_comes_back_leaves_nothing_of_the_one_before(desk: Desk) -> None:
    rep, manager = desk.rep(), desk.reviewer()
    paper = desk.create(rep, "receipt", **receipt())
    desk.decide(manager, paper, "returned", guidance="下次带样品")
    kept = decide_too_late(desk, manager, paper, "accepted")
    restore(desk.company.services.sync, desk.company.store, manager, kept)
    told = desk.data(paper)
    assert (told["verdict"], "guidance" in told) == ("accepted", False)


def test_b2_a_decision_that_comes_back_behind_a_later_one_stands_in_its_place(desk: Desk) -> None:
    rep, manager = desk.rep(), desk.reviewer()
    paper = desk.create(rep, "receipt", **receipt())
    desk.patch(rep, paper, seller="新的")
    kept = decide_too_late(desk, manager, paper, "accepted")
    desk.wait(seconds=1)
    desk.decide(manager, paper, "returned")
    restore(desk.company.services.sync, desk.company.store, manager, kept)
    told = desk.data(paper)
    assert (told["verdict"], told["state"]) == ("accepted", "accepted")


def decide_too_late(desk: Desk, manager: Principal, paper: str, verdict: str) -> str:
    """The conflict that keeps a decision on the first version."""
    with pytest.raises(Problem, match="wrong_state"):
        desk.decide(manager, paper, verdict, base=1)
    [kept] = kept_about(desk.company.store, paper)
    return kept.id
