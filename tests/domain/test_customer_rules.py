"""Where a customer belongs, who stands above it, what a licence needs: pure, at every limit."""

import dataclasses
from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from server.domain.customers import rules
from server.people.principal import Principal, Role
from server.sync.kinds import Author
from server.values import replace
from tests.domain.records import CUSTOMER, ID, POLICY, REP, change, person

DEALER = ID.format(7)
SHOP = {"name": "好又多", "customer_type": "store"}
LICENCE = {"dealer": DEALER, "regions": ["shanghai"], "products": ["茶"], "start": "2026-01-01"}
MANAGER = person(Role.REGION_MANAGER)


def test_k1_a_new_customer_keeps_the_owner_and_region_that_are_named() -> None:
    named = {**SHOP, "owner": "rep-9", "region": "hangzhou"}
    assert rules.k1_owned(change("customer", named), None) == {}
    assert rules.k1_owned(change("customer", SHOP), None) == {
        "owner": "rep-1", "region": "shanghai",
    }  # fmt: skip
    homeless = replace(change("customer", SHOP), by=Principal(user="clerk", name="C", session="s"))
    assert rules.k1_owned(homeless, None) == {"owner": "clerk"}
    assert rules.k1_owned(change("customer", SHOP, before=SHOP), None) == {}


def test_k1_a_customer_without_any_region_is_its_owners_alone() -> None:
    nowhere = Author(user="clerk", home_region=None)
    assert rules.k1_place(SHOP, nowhere).scopes == {"user:clerk"}
    assert rules.k1_place(SHOP, nowhere).region is None


@pytest.mark.parametrize(
    ("region", "before", "by", "refused"),
    [
        ("shanghai", None, REP, False),
        ("hangzhou", None, REP, True),
        ("hangzhou", {**SHOP, "region": "hangzhou"}, REP, False),
        ("hangzhou", {**SHOP, "region": "shanghai"}, REP, True),
        ("hangzhou", None, person(region="hangzhou"), False),
        ("hangzhou", None, person(device=None), False),
        (None, None, REP, False),
    ],
    ids=["home", "elsewhere", "stays", "moves", "with a role there", "in the office", "unnamed"],
)
def test_k1_a_device_places_a_customer_at_home_or_where_its_user_has_a_role(
    region: str | None, before: dict[str, Any] | None, by: Principal, refused: bool
) -> None:
    after = {**SHOP, "region": region} if region else SHOP
    told = change("customer", after, before=before, by=by)
    assert bool(rules.k1_within_reach(told, None)) is refused


def test_k1_at_home_a_device_needs_no_role_and_with_a_role_no_home() -> None:
    here = {**SHOP, "region": "shanghai"}
    without = dataclasses.replace(REP, grants=())
    abroad = dataclasses.replace(REP, home_region="hangzhou")
    for by in (without, abroad):
        assert rules.k1_within_reach(change("customer", here, by=by), None) == {}


@pytest.mark.parametrize(
    ("above", "type_", "before", "refused"),
    [
        (DEALER, "dealer", None, False),
        (DEALER, "store", None, True),
        (DEALER, "store", {**SHOP, "dealer": DEALER}, False),
        (DEALER, "store", SHOP, True),
        (CUSTOMER, "dealer", None, True),
        (None, "store", None, False),
    ],
    ids=["a dealer", "a shop", "it stands already", "a shop later", "itself", "nobody"],
)
def test_k1_x13_whoever_stands_above_a_customer_sells_and_is_another(
    above: str | None, type_: str, before: dict[str, Any] | None, refused: bool
) -> None:
    after = {**SHOP, "dealer": above} if above else SHOP
    told = change("customer", after, before=before, record=CUSTOMER)
    told = replace(told, read={above: {"customer_type": type_}} if above else {})
    assert bool(rules.k1_under_a_dealer(told, None)) is refused


def refused(
    by: Principal, before: Mapping[str, Any] | None = None, /, **given: Any
) -> dict[str, str]:
    """What is wrong with a licence of a dealer."""
    stood = None if before is None else dict(before)
    told = change("licence", {**LICENCE, **given}, before=stood, by=by)
    return dict(rules.k6_check(told, {"customer_type": "dealer"}))


@pytest.mark.parametrize(
    ("given", "wrong"),
    [
        ({"end": "2026-01-01"}, {}),
        ({"end": "2025-12-31"}, {"end": "order:start"}),
        ({"ended_on": "2026-01-01"}, {}),
        ({"ended_on": "2025-12-31"}, {"ended_on": "order:start"}),
    ],
)
def test_k6_a_licence_may_end_on_the_day_it_begins_and_not_before(
    given: dict[str, str], wrong: dict[str, str]
) -> None:
    assert refused(MANAGER, **given) == wrong


def test_k6_on_a_device_a_manager_gives_licences_for_own_regions_and_later_changes_any() -> None:
    both = {"regions": ["shanghai", "hangzhou"]}
    office = dataclasses.replace(MANAGER, device=None)
    assert refused(MANAGER) == {}
    assert refused(MANAGER, **both) == {"regions": "region"}
    assert refused(office, **both) == {}
    assert refused(MANAGER, {**LICENCE, **both}, **both, ended_on="2026-05-01") == {}


def test_k6_only_a_manager_answers_for_a_licence_on_a_device() -> None:
    assert refused(REP, LICENCE, note="看过") == {}
    assert refused(REP, LICENCE, renewal="renewed") == {"renewal": "office_only"}
    assert refused(REP, LICENCE, ended_on="2026-05-01") == {"ended_on": "office_only"}
    assert refused(MANAGER, LICENCE, renewal="renewed", ended_on="2026-05-01") == {}
    assert refused(dataclasses.replace(REP, device=None), LICENCE, renewal="renewed") == {}


def test_k6_x12_only_a_new_licence_or_permit_is_asked_whose_it_is() -> None:
    shop = {"customer_type": "store"}
    wrong = {"dealer": "reference"}
    permit = {"dealer": DEALER, "market": "hangzhou", "start": "2026-03-01", "end": "2026-03-01"}
    for kind, check, record in (
        ("licence", rules.k6_check, LICENCE), ("permit", rules.x12_check, permit)
    ):  # fmt: skip
        new, old = change(kind, record, by=MANAGER), change(kind, record, before=record, by=MANAGER)
        assert (check(new, shop), check(new, None), check(old, shop)) == (wrong, wrong, {})


def test_k6_what_was_not_said_of_a_licence_counts_as_the_policy_has_it() -> None:
    told = rules.k6_derive(change("licence", LICENCE, by=MANAGER), POLICY.licences)
    assert told == {"end": "2026-12-31", "online_sales": False, "renew_from": "2026-09-30"}
    named = {**LICENCE, "end": "2026-06-30", "online_sales": True}
    said = rules.k6_derive(change("licence", named, by=MANAGER), POLICY.licences)
    assert said == {"renew_from": "2026-03-30"}
    again = change("licence", LICENCE, before=LICENCE, by=MANAGER)
    assert rules.k6_derive(again, POLICY.licences) == {}
    assert rules.k6_last_day({"start": "2026-01-01"}, POLICY.licences) == date(2026, 12, 31)


def test_k6_a_renewal_waits_from_the_first_day_to_the_end_of_the_last_one() -> None:
    held = {"start": "2026-01-01", "end": "2026-12-31", "renew_from": "2026-09-30"}
    zone = ZoneInfo("Asia/Shanghai")
    span = rules.k6_renewal_span(held, zone)
    assert span is not None
    since, term, warn = span
    assert since.isoformat() == "2025-12-31T16:00:00+00:00"
    assert (term, warn) == (timedelta(days=365), timedelta(days=93))
    short = rules.k6_renewal_span({**held, "end": "2026-01-01", "renew_from": "2025-10-01"}, zone)
    assert short is not None
    assert short[1:] == (timedelta(days=1), timedelta(days=1))
    assert rules.k6_renewal_span({**held, "renewal": "renewed"}, zone) is None
    assert rules.k6_renewal_span({**held, "ended_on": "2026-02-01"}, zone) is None
