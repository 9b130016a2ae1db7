"""F1 to F5 and F7 on a real store: from a device's push through every hand to the end."""

import threading
from datetime import timedelta
from typing import Any

import pytest

from server.casework.queries import all_work, open_work
from server.clock import to_wire
from server.errors import Problem
from server.extensions import db
from server.people.principal import Principal, Role
from server.sync.push import Envelope, push_batch
from tests.company import Company
from tests.domain.desk import Desk


@pytest.fixture
def desk(company: Company) -> Desk:
    """Devices and reviewers of the company."""
    return Desk(company)


def fault(shop: str, **given: Any) -> dict[str, Any]:
    """Twelve pieces that leak."""
    goods = {"product": "Tea", "batch": "B-1", "quantity": 12, "unit": "piece"}
    found = {"symptom": "漏液", "found_at": "2026-03-02T09:00:00+08:00"}
    return {"customer": shop, **goods, **found, **given}


def report(desk: Desk, rep: Principal, **given: Any) -> str:
    """A fault at a customer of the rep."""
    shop = desk.create(rep, "customer", name="好又多", customer_type="store")
    return desk.create(rep, "product_fault", **fault(shop, **given))


def hands(desk: Desk) -> dict[str, Principal]:
    """Everybody through whose hands a fault goes."""
    roles = {
        "clerk": Role.SALES_CLERK,
        "director": Role.SALES_DIRECTOR,
        "technical": Role.TECHNICAL_OFFICER,
        "service": Role.SERVICE_OFFICER,
    }
    office = {name: desk.reviewer(role, None) for name, role in roles.items()}
    return {**office, "manager": desk.reviewer()}


def test_f2_a_fault_goes_through_every_hand_and_each_has_its_term(desk: Desk) -> None:
    rep, by = desk.rep(), hands(desk)
    leak = report(desk, rep)
    way: list[tuple[str, str, str, dict[str, Any]]] = [
        ("clerk", "register", "registered", {}),
        ("manager", "acknowledge", "goes", {}),
        ("manager", "on_site", "seen", {}),
        ("director", "opinion", "opinion_given", {"opinion": "同意换货"}),
        ("technical", "technical", "exchange", {}),
        ("service", "do", "done", {}),
        ("manager", "acknowledge_result", "closed", {}),
    ]
    for who, task, move, values in way:
        assert desk.queue(by[who]) == [(leak, task)]
        desk.decide(by[who], leak, move, values=values, guidance="请关注")
    assert desk.data(leak)["state"] == "closed"
    assert desk.data(leak)["policy_version"] == desk.company.services.policy.version
    assert len(all_work(desk.company.store, leak)) == len(way)
    assert open_work(desk.company.store, [leak]) == {}


def test_f2_nobody_decides_out_of_turn_or_for_another_role(desk: Desk) -> None:
    rep, by = desk.rep(), hands(desk)
    leak = report(desk, rep)
    with pytest.raises(Problem) as wrong:
        desk.decide(by["technical"], leak, "exchange")
    assert wrong.value.fields == {"verdict": "not_in_state"}
    with pytest.raises(Problem) as foreign:
        desk.decide(by["manager"], leak, "registered")
    assert foreign.value.fields == {"verdict": "not_your_role"}
    desk.decide(by["clerk"], leak, "registered")
    for move in ("goes", "seen"):
        desk.decide(by["manager"], leak, move)
    with pytest.raises(Problem) as unsigned:
        desk.decide(by["director"], leak, "opinion_given")
    assert unsigned.value.fields == {"opinion": "required"}


def test_f2_b2_a_step_that_is_taken_back_gives_the_fault_and_its_clock_back(desk: Desk) -> None:
    by = hands(desk)
    leak = report(desk, desk.rep())
    due = open_work(desk.company.store, [leak])[leak][0].due_at
    desk.wait(hours=5)
    desk.decide(by["clerk"], leak, "registered")
    desk.undo(by["clerk"], leak)
    assert desk.data(leak)["state"] == "reported"
    (work,) = open_work(desk.company.store, [leak])[leak]
    assert (work.task, work.due_at) == ("register", due)


def test_f2_what_is_sent_back_waits_for_its_rep_and_goes_on_when_mended(desk: Desk) -> None:
    rep, by = desk.rep(), hands(desk)
    leak = report(desk, rep)
    desk.decide(by["clerk"], leak, "returned", guidance="请写明批号")
    (work,) = open_work(desk.company.store, [leak])[leak]
    assert (work.role, work.person) == (Role.REP, rep.user)
    desk.patch(rep, leak, batch="B-2")
    assert desk.data(leak)["state"] == "reported"
    desk.patch(rep, leak, withdrawal_reason="误报")
    assert desk.data(leak)["state"] == "withdrawn"
    assert leak not in open_work(desk.company.store, [leak])
    refused = desk.send(
        rep,
        {
            "action": "patch",
            "kind": "product_fault",
            "record": leak,
            "base": desk.record(leak).version,
            "set": {"withdrawal_reason": "again"},
        },
    )
    assert refused["problem"]["fields"]["withdrawal_reason"]


def test_f1_the_region_manager_suggests_and_decides_nothing_by_it(desk: Desk) -> None:
    rep, by = desk.rep(), hands(desk)
    leak = report(desk, rep)
    told = {"action": "patch", "kind": "product_fault", "record": leak, "base": 1}
    said = desk.send(by["manager"], {**told, "set": {"suggestion": "换货"}}, writer="office")
    assert said["outcome"] == "applied"
    assert desk.data(leak)["state"] == "reported"


@pytest.mark.parametrize(("amount", "taken"), [(5, True), (6, True), (7, False)])
def test_f5_returns_together_never_exceed_what_was_reported(
    desk: Desk, amount: int, taken: bool
) -> None:
    rep = desk.rep()
    leak = report(desk, rep)
    desk.create(rep, "faulty_goods_return", fault=leak, received=6, exchanged=2)
    wire = {"action": "create", "kind": "faulty_goods_return"}
    result = desk.send(rep, {**wire, "set": {"fault": leak, "received": amount}})
    assert (result["outcome"] == "applied") == taken
    if not taken:
        assert list(result["problem"]["fields"]) == ["received"]


def test_f5_what_is_withdrawn_or_refused_gives_its_room_back(desk: Desk) -> None:
    rep, by = desk.rep(), hands(desk)
    leak = report(desk, rep)
    first = desk.create(rep, "faulty_goods_return", fault=leak, received=12)
    desk.decide(by["service"], first, "refused")
    second = desk.create(rep, "faulty_goods_return", fault=leak, received=12)
    wire = {"action": "patch", "kind": "faulty_goods_return", "record": second, "base": 1}
    desk.push(rep, {**wire, "set": {"withdrawal_reason": "typed twice"}})
    third = desk.create(rep, "faulty_goods_return", fault=leak, received=12)
    desk.decide(by["service"], third, "approved")
    assert desk.data(leak)["disposed"][0]["record"] == third


def test_f5_the_report_is_not_lowered_below_what_came_back(desk: Desk) -> None:
    rep = desk.rep()
    leak = report(desk, rep)
    desk.create(rep, "faulty_goods_return", fault=leak, scrapped=8)
    wire = {"action": "patch", "kind": "product_fault", "record": leak, "base": 2}
    assert desk.send(rep, {**wire, "set": {"quantity": 7}})["outcome"] == "rejected"
    assert desk.send(rep, {**wire, "set": {"quantity": 8}})["outcome"] in {"applied", "merged"}


def test_f5_of_two_devices_that_report_at_once_one_is_held_against_the_other(
    desk: Desk,
) -> None:
    rep = desk.rep()
    leak = report(desk, rep)
    services, app = desk.company.services, desk.company.app
    told: list[str] = []
    together = threading.Barrier(4)

    def give_back() -> None:
        with app.app_context():
            raw = {
                "id": services.ids.new(),
                "record": services.ids.new(),
                "action": "create",
                "kind": "faulty_goods_return",
                "base": 0,
                "set": {"fault": leak, "received": 7},
            }
            together.wait()
            envelope = Envelope(sender=rep, writer="device")
            (result,) = push_batch(services.sync, db.session(), envelope, [raw]).results
            told.append(result["outcome"])

    threads = [threading.Thread(target=give_back) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(told) == ["applied", "rejected", "rejected", "rejected"]
    desk.company.store.rollback()
    assert desk.data(leak)["disposed"][0]["received"] == 7


def incident(
    desk: Desk, rep: Principal, *, minutes: float, offset_ms: int | None = 0, **given: Any
) -> str:
    """An inspection; its report was saved so long after the notice, and arrives now."""
    now = desk.company.services.clock.now()
    error = timedelta(milliseconds=offset_ms or 0)
    made_at = given.pop("made_at", now)
    captured: dict[str, Any] = {"wall": to_wire(made_at - error)}
    if offset_ms is not None:
        captured["offset_ms"] = offset_ms
    values = {
        "type": "inspection",
        "happened_at": to_wire(made_at - timedelta(minutes=minutes) - error),
        "what": "市监局抽检",
        **given,
    }
    record = desk.company.services.ids.new()
    wire = {"action": "create", "kind": "incident", "record": record, "captured": captured}
    desk.push(rep, {**wire, "set": values})
    return record


@pytest.mark.parametrize("years", [0, -5, 7])
def test_f3_x8_a_report_made_in_time_is_told_from_a_late_one_by_any_clock(
    desk: Desk, years: int
) -> None:
    rep, now = desk.rep(), desk.company.services.clock.now()
    wrong = years * 365 * 86_400_000
    hour = timedelta(hours=1)

    def flags(**given: Any) -> list[str]:
        return list(desk.data(incident(desk, rep, offset_ms=wrong, **given))["flags"])

    assert flags(minutes=29) == []
    assert flags(minutes=31) == ["made_late"]
    assert flags(minutes=10, made_at=now - hour) == ["arrived_late"]
    assert flags(minutes=30, made_at=now - hour) == ["time_uncertain"]


def test_f3_without_a_known_offset_the_time_is_said_to_be_uncertain(desk: Desk) -> None:
    told = incident(desk, desk.rep(), minutes=5, offset_ms=None)
    assert desk.data(told)["flags"] == ["time_uncertain"]


def test_f3_what_is_not_urgent_has_no_field_term(desk: Desk) -> None:
    told = incident(desk, desk.rep(), minutes=500, type="inquiry")
    assert desk.data(told)["flags"] == []


def test_f4_a_complex_one_gets_a_new_term_with_each_note_and_closing_proposes_a_visit(
    desk: Desk,
) -> None:
    rep, clock = desk.rep(), desk.company.services.clock
    service = desk.reviewer(Role.SERVICE_OFFICER, None)
    told = incident(desk, rep, minutes=5, type="complaint")
    assert desk.queue(service) == [(told, "answer")]
    desk.decide(service, told, "answered_complex", note="已联系客户")
    first = open_work(desk.company.store, [told])[told][0].due_at
    desk.wait(days=6)
    desk.decide(service, told, "progress", note="等待检验结果")
    (work,) = open_work(desk.company.store, [told])[told]
    assert (work.task, work.due_at) == ("progress", first + timedelta(days=6))
    desk.decide(service, told, "solved", values={"outcome": "换货"})
    desk.decide(service, told, "revisit", values={"satisfaction": 4})
    (visit,) = open_work(desk.company.store, [told])[told]
    assert (visit.role, visit.person, visit.task) == (Role.REP, rep.user, "revisit")
    shop = desk.create(rep, "customer", name="好又多", customer_type="store")
    went = desk.create(rep, "visit", customer=shop, purpose="routine")
    desk.patch(rep, told, revisit=went)
    assert desk.data(told)["state"] == "closed"
    stays = [work.standing(clock.now()) for work in all_work(desk.company.store, told)]
    assert stays == ["done"] * 5


def test_f7_a_survey_is_recorded_for_its_customer(desk: Desk) -> None:
    rep = desk.rep()
    shop = desk.create(rep, "customer", name="好又多", customer_type="store")
    asked = desk.create(
        rep, "survey", customer=shop, asked_at="2026-03-02T09:00:00+08:00", product=4, service=5
    )
    assert desk.record(asked).scopes == desk.record(shop).scopes
