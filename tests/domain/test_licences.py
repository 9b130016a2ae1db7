"""Licences and permits as records, and what the rules about goods find in the store."""

from datetime import UTC, date, datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from sqlalchemy import insert, select

from server.casework.queries import open_work
from server.casework.tables import Item
from server.db import transaction
from server.domain.goods import queries
from server.domain.goods.facts import Find, Line, Sale
from server.domain.goods.rules import (
    k6_licence_at,
    x5_accused,
    x5_proposed_answers,
    x5_traced,
    x12_covering_permits,
    x12_misses,
)
from server.domain.goods.tables import BatchRow, ProductRow, ShipmentRow
from server.people.principal import Principal, Role
from server.people.regions import load_tree
from tests.company import Company
from tests.domain.desk import Desk

SQLITE = pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
"""For what is decided before a statement of this area is run."""


@pytest.fixture
def desk(company: Company) -> Desk:
    """Devices and reviewers on a real store."""
    return Desk(company)


@pytest.fixture
def manager(desk: Desk) -> Principal:
    """The region manager of the east, on a device."""
    return desk.on_device(Role.REGION_MANAGER, "east")


def dealer(desk: Desk, sender: Principal, **given: Any) -> str:
    """A dealer of the sender; its id."""
    return desk.create(sender, "customer", **{"name": "A", "customer_type": "dealer"} | given)


def licence(desk: Desk, of: str, **given: Any) -> dict[str, Any]:
    """The fields of a licence for the east."""
    told = {"dealer": of, "regions": [desk.company.regions["east"]], "products": ["茶", "T-2"]}
    return {**told, "start": "2026-01-01", **given}


def permit(desk: Desk, of: str, **given: Any) -> dict[str, Any]:
    """The fields of a permit for Hangzhou."""
    lines = [{"product": "茶", "quantity": 240, "unit": "bottle"}]
    days = {"start": "2026-03-01", "end": "2026-03-31"}
    consent = {"consent_by": "李四", "consent_on": "2026-02-27"}
    return {
        "dealer": of, "market": desk.company.regions["hangzhou"], "lines": lines, **days, **consent,
        **given,
    }  # fmt: skip


def refusal(desk: Desk, sender: Principal, kind: str, values: dict[str, Any]) -> dict[str, str]:
    """The field errors of a create."""
    result = desk.send(sender, {"action": "create", "kind": kind, "set": values})
    assert result["outcome"] == "rejected", result
    fields: dict[str, str] = result["problem"]["fields"]
    return fields


def fill_goods(desk: Desk) -> None:
    """Two products, a batch of each under one number, shipments of both."""
    store, regions = desk.company.store, desk.company.regions
    shipped = {"shipped_on": date(2026, 3, 1), "unit": "piece"}
    east = shipped | {"market": regions["shanghai"]}
    south = shipped | {"market": regions["guangzhou"]}
    with transaction(store):
        store.execute(
            insert(ProductRow),
            [
                {"key": 1, "code": "T-1", "name_zh": "茶", "name_en": "Tea", "bottle": Decimal(12)},
                {"key": 2, "code": "T-2", "name_zh": "水", "name_en": "Same", "bottle": None},
                {"key": 3, "code": "T-3", "name_zh": "面", "name_en": "Same", "bottle": None},
            ],
        )
        made = {"sought": "B1", "number": "b-1"}
        store.execute(
            insert(BatchRow), [{**made, "key": 1, "product": 1}, {**made, "key": 2, "product": 2}]
        )
        store.execute(
            insert(ShipmentRow),
            [
                {**south, "batch": 1, "note": "n1", "customer": "C-1", "quantity": 30},
                {**south, "batch": 1, "note": "n2", "customer": "C-2", "quantity": 5},
                {**east, "batch": 2, "note": "n1", "customer": "C-9", "quantity": 7},
            ],
        )


@SQLITE
def test_k6_a_licence_runs_a_year_and_its_renewal_waits_for_the_region_manager(
    desk: Desk, manager: Principal
) -> None:
    record = desk.create(manager, "licence", **licence(desk, dealer(desk, manager)))
    data = desk.data(record)
    assert (data["end"], data["renew_from"]) == ("2026-12-31", "2026-09-30")
    [work] = open_work(desk.company.store, [record])[record]
    assert (work.role, work.task) == (Role.REGION_MANAGER, "renew")
    assert work.opened_at == datetime(2025, 12, 31, 16, tzinfo=UTC)
    assert work.due_at == datetime(2026, 12, 31, 16, tzinfo=UTC)


@SQLITE
def test_k6_the_renewal_is_warned_of_three_months_before_the_end(
    desk: Desk, manager: Principal
) -> None:
    desk.create(manager, "licence", **licence(desk, dealer(desk, manager)))
    renewals = select(Item.warn_at).where(Item.task == "renew")
    assert desk.company.store.scalar(renewals) == "2026-09-29T16:00:00.000Z"


@pytest.mark.parametrize("answer", [{"renewal": "renewed"}, {"ended_on": "2026-05-01"}])
@SQLITE
def test_k6_a_renewal_that_was_answered_waits_no_more(
    desk: Desk, manager: Principal, answer: dict[str, str]
) -> None:
    record = desk.create(manager, "licence", **licence(desk, dealer(desk, manager)))
    desk.patch(manager, record, **answer)
    assert record not in open_work(desk.company.store, [record])


@SQLITE
def test_k6_what_was_agreed_is_never_changed(desk: Desk, manager: Principal) -> None:
    record = desk.create(manager, "licence", **licence(desk, dealer(desk, manager)))
    for change in ({"end": "2030-12-31"}, {"products": ["T-3"]}, {"online_sales": True}):
        before = desk.data(record)
        assert desk.patch(manager, record, **change)["outcome"] == "conflict"
        assert desk.data(record) == before


@SQLITE
def test_k6_a_device_gives_licences_for_the_managers_own_regions_only(
    desk: Desk, manager: Principal
) -> None:
    own, regions = dealer(desk, manager), desk.company.regions
    wrong = licence(desk, own, regions=[regions["east"], regions["south"]])
    assert refusal(desk, manager, "licence", wrong) == {"regions": "region"}
    rep = desk.rep()
    told = desk.send(rep, {"action": "create", "kind": "licence", "set": licence(desk, own)})
    assert told["problem"]["code"] == "forbidden"


@pytest.mark.parametrize(
    ("given", "wrong"),
    [
        ({"end": "2025-12-31"}, {"end": "order:start"}),
        ({"end": "2026-01-01"}, None),
        ({"ended_on": "2025-12-31"}, {"ended_on": "order:start"}),
        ({"products": []}, {"products": "too_short:1"}),
    ],
)
@SQLITE
def test_k6_a_licence_that_ends_before_it_begins_is_refused(
    desk: Desk, manager: Principal, given: Any, wrong: Any
) -> None:
    values = licence(desk, dealer(desk, manager), **given)
    if wrong is None:
        assert desk.create(manager, "licence", **values)
    else:
        assert refusal(desk, manager, "licence", values) == wrong


@SQLITE
def test_k6_a_rep_does_not_end_a_licence(desk: Desk, manager: Principal) -> None:
    rep = desk.rep()
    record = desk.create(manager, "licence", **licence(desk, dealer(desk, rep)))
    patch = {"action": "patch", "kind": "licence", "record": record, "base": 1}
    told = desk.send(rep, {**patch, "set": {"ended_on": "2026-03-01"}})
    assert told["problem"]["fields"] == {"ended_on": "office_only"}
    assert desk.send(rep, {**patch, "set": {"note": "seen"}})["outcome"] == "applied"


@pytest.mark.parametrize("kind", ["licence", "permit"])
@SQLITE
def test_k6_x12_only_whoever_sells_has_a_licence_or_a_permit(
    desk: Desk, manager: Principal, kind: str
) -> None:
    store = dealer(desk, manager, customer_type="store")
    values = licence(desk, store) if kind == "licence" else permit(desk, store)
    assert refusal(desk, manager, kind, values) == {"dealer": "reference"}


def test_k6_the_licence_at_the_time_of_the_find_is_read_from_its_record(
    desk: Desk, manager: Principal
) -> None:
    fill_goods(desk)
    own = dealer(desk, manager)
    record = desk.create(manager, "licence", **licence(desk, own))
    found = queries.licences_of(desk.company.store, own)
    tree = load_tree(desk.company.store)
    above = tree.above(desk.company.regions["hangzhou"])
    sale = Sale(dealer=own, regions=above, product="T-1", day=date(2026, 6, 1))
    held = k6_licence_at(found, sale)
    assert held is not None
    assert (held.record, held.products) == (record, frozenset({"T-1", "T-2"}))
    desk.patch(manager, record, ended_on="2026-05-31")
    assert k6_licence_at(queries.licences_of(desk.company.store, own), sale) is None


@SQLITE
def test_x12_p5_a_permit_belongs_to_its_dealers_place_and_to_the_market(
    desk: Desk, company: Company
) -> None:
    south = desk.on_device(Role.REGION_MANAGER, "south")
    rep = desk.rep("guangzhou")
    record = desk.create(rep, "permit", **permit(desk, dealer(desk, rep)))
    regions = company.regions
    assert desk.record(record).scopes == {
        f"user:{rep.user}", f"region:{regions['guangzhou']}", f"region:{regions['hangzhou']}"
    }  # fmt: skip
    assert desk.record(record).region == regions["guangzhou"]
    assert south.scopes & desk.record(record).scopes


def test_x12_a_permit_moves_with_its_dealer_and_stays_in_its_market(
    desk: Desk, company: Company
) -> None:
    rep = desk.rep("guangzhou")
    own = dealer(desk, rep)
    record = desk.create(rep, "permit", **permit(desk, own))
    clerk = desk.reviewer(Role.SALES_CLERK, None)
    now = desk.record(own)
    moved = {"action": "patch", "kind": "customer", "record": own, "base": now.version}
    moved["set"] = {"region": company.regions["shanghai"]}
    assert desk.send(clerk, moved, writer="office")["outcome"] == "applied"
    assert desk.record(record).scopes == {
        f"user:{rep.user}",
        f"region:{company.regions['shanghai']}",
        f"region:{company.regions['hangzhou']}",
    }


@SQLITE
def test_x12_a_permit_without_a_consent_is_refused(desk: Desk, manager: Principal) -> None:
    values = permit(desk, dealer(desk, manager))
    del values["consent_by"]
    assert refusal(desk, manager, "permit", values) == {"consent_by": "required"}


def test_x12_a_permit_covers_as_its_record_says_from_its_arrival_on(
    desk: Desk, manager: Principal
) -> None:
    fill_goods(desk)
    own = dealer(desk, manager)
    record = desk.create(manager, "permit", **permit(desk, own))
    [known] = queries.permits_of(desk.company.store, own)
    assert (known.record, known.pieces) == (record, {"T-1": Fraction(20)})
    above = load_tree(desk.company.store).above(desk.company.regions["hangzhou"])
    now = desk.company.services.clock.now()
    find = Find(dealer=own, regions=above, pieces={"T-1": Fraction(20)}, at=now, day=now.date())
    assert x12_covering_permits([known], find) == (known,)
    earlier = Find(
        dealer=own, regions=above, pieces={"T-1": Fraction(20)}, day=now.date(),
        at=datetime(2026, 3, 1, tzinfo=UTC),
    )  # fmt: skip
    assert x12_misses(known, earlier) == ("made_later",)


@SQLITE
def test_x12_a_withdrawn_permit_covers_nothing(desk: Desk, manager: Principal) -> None:
    own = dealer(desk, manager)
    record = desk.create(manager, "permit", **permit(desk, own))
    gone = {"action": "withdraw", "kind": "permit", "record": record, "base": 1}
    desk.push(manager, gone)
    assert queries.permits_of(desk.company.store, own) == []


def test_x13_products_are_found_by_code_and_by_a_name_of_their_own(desk: Desk) -> None:
    fill_goods(desk)
    found = queries.find_products(desk.company.store, ["T-1", "茶", "Tea", "Same", "T-3", "？"])
    assert {name: product.code for name, product in found.items()} == {
        "T-1": "T-1", "茶": "T-1", "Tea": "T-1", "T-3": "T-3"
    }  # fmt: skip
    assert found["茶"].per_piece == {"bottle": Fraction(12)}


def test_x5_x13_a_batch_is_traced_to_the_dealer_above_the_sub_dealers_it_went_to(
    desk: Desk, manager: Principal
) -> None:
    fill_goods(desk)
    store, registry = desk.company.store, desk.company.services.sync.registry
    clerk = desk.reviewer(Role.SALES_CLERK, None)
    own = dealer(desk, manager)
    for number in ("C-1", "C-2"):
        sub = {"name": number, "customer_type": "sub_dealer_main", "dealer": own, "number": number}
        create = {"action": "create", "kind": "customer", "set": sub}
        assert desk.send(clerk, create, writer="office")["outcome"] == "applied"
    shipments = queries.shipments_of(store, registry, ["b 1", ""])
    assert [one.customer for one in shipments if one.product == "T-2"] == ["C-9"]
    [proposal] = x5_proposed_answers(["B1"], shipments)
    answers = proposal.answers
    customers = {one.customer for one in answers}
    dealers = queries.dealers_above(store, customers)
    lines = [Line(product="Tea", batch="B1", quantity=239, unit="bottle")]
    products = queries.find_products(store, ["Tea"])
    accusation = x5_accused(x5_traced(lines, answers, products=products, dealers=dealers))
    assert accusation.dealer == own
    assert [share.pieces for share in accusation.shares] == [Fraction(239, 12)]


@pytest.mark.parametrize("customer_type", ["store", "consumer", "key_account"])
@SQLITE
def test_k1_whoever_stands_above_a_customer_sells(
    desk: Desk, manager: Principal, customer_type: str
) -> None:
    above = dealer(desk, manager, customer_type=customer_type)
    values = {"name": "B", "customer_type": "sub_dealer_main", "dealer": above}
    assert refusal(desk, manager, "customer", values) == {"dealer": "reference"}


@SQLITE
def test_k2_a_number_of_the_company_is_held_by_one_customer_however_it_is_typed(
    desk: Desk,
) -> None:
    clerk = desk.reviewer(Role.SALES_CLERK, None)
    flags = []
    for name, number in (("A", "C-7"), ("B", "ｃ 7"), ("C", "C-8")):
        values = {"name": name, "customer_type": "dealer", "number": number}
        create = {"action": "create", "kind": "customer", "set": values}
        flags.append(desk.send(clerk, create, writer="office")["flags"])
    assert flags == [[], ["claim_duplicate"], []]


def test_k1_nobody_stands_above_itself_and_a_ring_of_sub_dealers_ends(
    desk: Desk, manager: Principal
) -> None:
    first = dealer(desk, manager, customer_type="sub_dealer_main")
    second = dealer(desk, manager, name="B", customer_type="sub_dealer_main", dealer=first)
    itself = {"action": "patch", "kind": "customer", "record": first, "base": 1}
    told = desk.send(manager, {**itself, "set": {"dealer": first}})
    assert told["problem"]["fields"] == {"dealer": "reference"}
    desk.patch(manager, first, dealer=second)
    above = queries.dealers_above(desk.company.store, [first])
    assert above == {first: second, second: first}


@SQLITE
def test_x13_a_customer_that_became_a_dealer_answers_for_itself(
    desk: Desk, manager: Principal
) -> None:
    first = dealer(desk, manager)
    second = dealer(desk, manager, name="B", customer_type="sub_dealer_main", dealer=first)
    assert queries.dealers_above(desk.company.store, [second]) == {second: first}
    desk.patch(manager, second, customer_type="dealer")
    assert queries.dealers_above(desk.company.store, [second]) == {}
