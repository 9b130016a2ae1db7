"""Cases exactly at the limits of X3, X4, X6 and X7 that no other test of a case stands at."""

import pytest

from server.casework.queries import all_work
from server.domain.cases.actions import follow_cases
from server.sync.feed import number_feed
from server.values import replace
from tests.company import Company
from tests.domain.disputes import HOUR, Dispute
from tests.domain.records import POLICY

pytestmark = pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
"""All of it is decided before a statement of this area is run."""
ALLIED = replace(POLICY, cases=replace(POLICY.cases, alliances={"delta": ("上海", "广州")}))


@pytest.fixture
def dispute(company: Company) -> Dispute:
    """A company with something to argue about."""
    return Dispute(company)


@pytest.mark.parametrize(
    ("market", "state", "role"),
    [
        ("广州", "region_submitted", "region_manager"),
        ("杭州", "region_submitted", "region_manager"),
        ("南京", "submitted", "market_officer"),
    ],
    ids=["inside the alliance", "inside the centre", "nowhere"],
)
def test_x4_x7_goods_inside_one_sales_alliance_are_the_regions_case(
    dispute: Dispute, market: str, state: str, role: str
) -> None:
    found = dispute.submitted(source_market=market)
    store, sync = dispute.company.store, dispute.company.services.sync
    while number_feed(store) + follow_cases(store, sync, ALLIED):
        continue
    assert dispute.state(found) == state
    assert dispute.waiting(found) == [(role, "intake", 24 * HOUR)]


@pytest.mark.parametrize("parts", [(), ("affected_dealer",), ("affected_dealer", "rep", "witness")])
def test_x3_x4_goods_inside_one_centre_that_no_manager_signed_wait_unsigned(
    dispute: Dispute, parts: tuple[str, ...]
) -> None:
    found = dispute.find(source_market="杭州")
    dispute.sign(found, *parts)
    dispute.look()
    assert dispute.state(found) == "unsigned"
    assert dispute.waiting(found) == [("region_manager", "unsigned", 72 * HOUR)]


def test_x6_evidence_that_comes_when_the_time_is_over_is_kept_and_changes_nothing(
    dispute: Dispute,
) -> None:
    found = dispute.submitted()
    dispute.take(dispute.officer, found, "accepted", "notified")
    dispute.advance(hours=24, seconds=1)
    verified = dispute.waiting(found)
    dispute.rebut(found, photos=1)
    assert [entry["photos"] for entry in dispute.data(found)["rebuttals"]] == [1]
    assert (dispute.state(found), dispute.waiting(found)) == ("facts", verified)


@pytest.mark.parametrize(("seconds", "standing"), [(0, "done"), (1, "done_late")])
@pytest.mark.parametrize(("is_inside", "hours"), [(False, 48), (True, 24)])
def test_x7_x8_a_decision_in_the_last_second_of_its_term_is_in_time_and_a_second_later_is_not(
    dispute: Dispute, is_inside: bool, hours: int, seconds: int, standing: str
) -> None:
    found = dispute.inside() if is_inside else dispute.submitted()
    owner = dispute.manager if is_inside else dispute.officer
    dispute.take(owner, found, "accepted", "nobody_accused", "facts_verified")
    dispute.wait(hours=hours, seconds=seconds)
    dispute.decide(owner, found, "upheld")
    works = all_work(dispute.company.store, found)
    now = dispute.company.services.clock.now()
    assert [one.standing(now) for one in works if one.task == "decision"] == [standing]
