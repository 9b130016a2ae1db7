"""X5, X13: where the goods of a case came from: asked without a person, answered by logistics."""

import json
from datetime import date, timedelta
from decimal import Decimal

import pytest
from sqlalchemy import insert

from server.casework.queries import open_work
from server.db import transaction
from server.domain.goods.tables import BatchRow, ProductRow, ShipmentRow
from server.errors import Problem
from server.people.principal import Role
from server.sync.queries import children
from tests.company import Company
from tests.domain.disputes import HOUR, Dispute


@pytest.fixture
def dispute(company: Company) -> Dispute:
    """A company that shipped batch B1 of tea, to C-1 in the south and to C-2 there."""
    dispute = Dispute(company)
    south = company.regions["guangzhou"]
    shipped = {"batch": 1, "shipped_on": date(2026, 1, 5), "unit": "piece", "market": south}
    with transaction(company.store):
        company.store.execute(
            insert(ProductRow), {"key": 1, "code": "T", "name_zh": "茶", "bottle": Decimal(12)}
        )
        company.store.execute(
            insert(BatchRow), {"key": 1, "product": 1, "sought": "B1", "number": "b-1"}
        )
        company.store.execute(
            insert(ShipmentRow),
            [
                {**shipped, "note": "n1", "customer": "C-1", "quantity": 30},
                {**shipped, "note": "n2", "customer": "C-2", "quantity": 5},
            ],
        )
    return dispute


def line(batch: str | None, quantity: int = 24) -> dict[str, object]:
    """Tea of one batch."""
    named = {"batch": batch} if batch else {}
    return {"product": "茶", "quantity": quantity, "unit": "piece", **named}


def customer(dispute: Dispute, number: str, **given: object) -> str:
    """A customer with the company's number of it."""
    record = dispute.create(
        dispute.on_device(Role.REGION_MANAGER, "south"), "customer", name=number, **given
    )
    wire = {"action": "patch", "kind": "customer", "record": record, "base": 1}
    told = dispute.send(dispute.officer, {**wire, "set": {"number": number}}, writer="server")
    assert told["outcome"] == "applied"
    return record


def traces(dispute: Dispute, found: str) -> list[str]:
    """The traces beneath a case."""
    return [one.id for one in children(dispute.company.store, found, "batch_trace")]


def answer(dispute: Dispute, trace: str, verdict: str = "as_proposed", **values: object) -> None:
    """Logistics answers."""
    logistics = dispute.reviewer(Role.LOGISTICS_OFFICER, None)
    if values:
        now = dispute.record(trace)
        wire = {"action": "patch", "kind": now.kind, "record": trace, "base": now.version}
        told = dispute.send(logistics, {**wire, "set": values}, writer="office")
        assert told["outcome"] in {"applied", "merged"}, told
    dispute.take(logistics, trace, verdict)
    dispute.look()


def test_x5_every_batch_of_a_submitted_case_is_asked_about_once_and_without_a_person(
    dispute: Dispute,
) -> None:
    unsigned = dispute.find(lines=[line("B-1")])
    dispute.look()
    assert traces(dispute, unsigned) == []
    found = dispute.submitted(lines=[line("B-1"), line("b1"), line(None), line("Z 9")])
    assert dispute.look()
    asked = traces(dispute, found)
    assert sorted(dispute.data(trace)["batch"] for trace in asked) == ["B-1", "Z 9"]
    assert dispute.look() == 0
    assert traces(dispute, found) == asked


def test_x5_the_clock_of_a_trace_runs_12_hours_from_the_submission(dispute: Dispute) -> None:
    found = dispute.submitted(lines=[line("B-1")])
    dispute.wait(hours=3)
    dispute.look()
    (trace,) = traces(dispute, found)
    assert dispute.waiting(trace) == [("logistics_officer", "trace", 9 * HOUR)]
    dispute.advance(hours=9, seconds=1)
    (work,) = open_work(dispute.company.store, [trace])[trace]
    assert (work.missed_at is not None, work.escalated_to) == (True, "market_officer")


def test_x5_what_the_shipments_hold_is_proposed_and_logistics_confirms_it(
    dispute: Dispute,
) -> None:
    found = dispute.submitted(lines=[line("B-1")])
    dispute.look()
    (trace,) = traces(dispute, found)
    proposed = dispute.data(trace)["proposed"]
    assert [(one["customer"], one["quantity"]) for one in proposed] == [("C-1", 30), ("C-2", 5)]
    assert dispute.data(trace)["answers"] == []
    assert dispute.data(found)["sources"] == []
    answer(dispute, trace)
    assert dispute.data(trace)["answers"] == proposed
    assert dispute.waiting(trace) == []


def test_x5_a_batch_that_led_to_two_dealers_accuses_neither(dispute: Dispute) -> None:
    found = dispute.submitted(lines=[line("B-1")])
    dispute.look()
    answer(dispute, *traces(dispute, found))
    told = dispute.data(found)
    assert "derived_accused" not in told
    assert [(one["pieces"], one["possible"]) for one in told["sources"]] == [("0", "24")] * 2


def test_x13_what_went_to_two_sub_dealers_of_one_dealer_accuses_that_dealer(
    dispute: Dispute,
) -> None:
    dealer = customer(dispute, "C-0", customer_type="dealer")
    for number in ("C-1", "C-2"):
        customer(dispute, number, customer_type="sub_dealer_main", dealer=dealer)
    found = dispute.submitted(lines=[line("B-1", 19), line("B 1", 1)])
    dispute.look()
    answer(dispute, *traces(dispute, found))
    told = dispute.data(found)
    assert told["derived_accused"] == dealer
    assert told["sources"] == [{"dealer": dealer, "pieces": "20", "possible": "20"}]
    assert told["inside_centre"] is False
    assert dispute.state(found) == "submitted"


@pytest.mark.parametrize(
    ("market", "state"),
    [
        ("杭州", "region_submitted"),
        ("广州", "submitted"),
        ("火星", "submitted"),
    ],
)
def test_x4_x5_where_logistics_says_the_goods_went_tells_whose_case_it_is(
    dispute: Dispute, market: str, state: str
) -> None:
    found = dispute.submitted(lines=[line("Z-9")])
    dispute.look()
    (trace,) = traces(dispute, found)
    shipped = {"market": market, "customer": "C-7", "quantity": 40, "unit": "piece"}
    answer(dispute, trace, "shipped_to", **shipped)
    assert dispute.data(found)["derived_accused"] == "C-7"
    assert dispute.state(found) == state


def test_x5_an_answer_is_corrected_by_asking_again(dispute: Dispute) -> None:
    found = dispute.submitted(lines=[line("Z-9")])
    dispute.look()
    (trace,) = traces(dispute, found)
    answer(dispute, trace, "not_shipped")
    assert dispute.data(found)["sources"] == []
    dispute.take(dispute.officer, trace, "asked_again")
    assert dispute.waiting(trace) == [("logistics_officer", "trace", 12 * HOUR)]
    shipped = {"market": "广州", "customer": "C-7", "quantity": 40, "unit": "piece"}
    answer(dispute, trace, "shipped_to", **shipped)
    assert dispute.data(found)["derived_accused"] == "C-7"


def test_p5_x5_where_goods_went_is_not_told_to_the_reps_device(dispute: Dispute) -> None:
    found = dispute.submitted(lines=[line("B-1")])
    dispute.look()
    (trace,) = traces(dispute, found)
    record = dispute.record(trace)
    assert (record.scopes, record.region) == ({"office"}, dispute.market)
    assert dispute.data(found)["traces"] == [{"trace": trace, "batch": "B-1", "state": "asked"}]


def test_p5_x4_x5_a_case_says_on_the_device_whom_it_concerns_and_not_what_logistics_answered(
    dispute: Dispute,
) -> None:
    found = dispute.submitted(lines=[line("B-1")])
    dispute.look()
    (trace,) = traces(dispute, found)
    shipped = {"market": "佛山", "customer": "C-4711", "quantity": 31337, "unit": "piece"}
    answer(dispute, trace, "shipped_to", **shipped)
    held = dispute.record(found)
    assert f"user:{dispute.seller.user}" in held.scopes
    assert [source["dealer"] for source in held.data["sources"]] == ["C-4711"]
    assert held.data["sources"][0].keys() == {"dealer", "pieces", "possible"}
    whole = json.dumps(held.data, ensure_ascii=False)
    assert not [told for told in ("佛山", "31337") if told in whole]


def test_b2_x5_looking_at_a_case_takes_no_ones_undo_away(dispute: Dispute) -> None:
    found = dispute.submitted(lines=[line("B-1")])
    dispute.look()
    dispute.take(dispute.officer, found, "accepted")
    decided = dispute.record(found).version
    dispute.look()
    assert dispute.record(found).version == decided
    dispute.undo(dispute.officer, found)
    assert dispute.state(found) == "submitted"
    assert timedelta() < dispute.waiting(found)[0][2] < 24 * HOUR


@pytest.mark.parametrize("end", ["not_accepted", "withdrawn"])
def test_x5_b1_nobody_is_asked_about_the_goods_of_a_case_that_is_over(
    dispute: Dispute, end: str
) -> None:
    found = dispute.submitted(lines=[line("B-1"), line("Z-9")])
    dispute.look()
    first, second = traces(dispute, found)
    answer(dispute, first)
    if end == "withdrawn":
        dispute.patch(dispute.seller, found, withdrawal_reason="看错了批号")
    else:
        dispute.take(dispute.officer, found, end)
    dispute.look()
    assert (dispute.state(first), dispute.state(second)) == ("answered", "closed")
    assert dispute.waiting(first) == dispute.waiting(second) == []
    logistics = dispute.reviewer(Role.LOGISTICS_OFFICER, None)
    with pytest.raises(Problem) as over:
        dispute.decide(logistics, second, "not_shipped")
    assert over.value.fields == {"verdict": "not_in_state"}


def test_x5_what_was_not_answered_is_asked_again_when_its_case_is_opened_again(
    dispute: Dispute,
) -> None:
    found = dispute.submitted(lines=[line("Z-9")])
    dispute.look()
    (trace,) = traces(dispute, found)
    dispute.take(dispute.officer, found, "not_accepted")
    dispute.look()
    dispute.take(dispute.officer, found, "reopened")
    dispute.look()
    assert dispute.waiting(trace) == [("logistics_officer", "trace", 12 * HOUR)]
    answer(dispute, trace, "not_shipped")
    assert dispute.data(found)["traces"][0]["state"] == "answered"
