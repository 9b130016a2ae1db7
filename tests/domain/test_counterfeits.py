"""X10: counterfeits go to the market department, whatever their quantity."""

import pytest

from server.errors import Problem
from server.people.principal import Role
from tests.company import Company
from tests.domain.disputes import HOUR, Dispute
from tests.domain.records import POLICY, case, photo
from tests.links import is_number


@pytest.fixture
def dispute(company: Company) -> Dispute:
    """A company with something to argue about."""
    return Dispute(company)


def reported(dispute: Dispute, quantity: int = 1) -> str:
    """A report of so many pieces."""
    line = {"product": "茶", "quantity": quantity, "unit": "piece"}
    values = case(affected_market=dispute.market, lines=[line], packaging="印刷模糊")
    return dispute.create(dispute.seller, "counterfeit_report", **values)


def test_x10_one_piece_without_a_batch_or_a_signature_waits_for_the_market_department(
    dispute: Dispute,
) -> None:
    found = reported(dispute)
    assert dispute.waiting(found) == [("market_officer", "intake", 24 * HOUR)]
    assert is_number(dispute.data(found)["number"])
    assert dispute.data(found)["missing_tags"] == list(POLICY.cases.required_tags)
    shot = photo(parent_kind="counterfeit_report", parent=found, tag="goods", source="gallery")
    dispute.create(dispute.seller, "photo", **shot)
    assert "goods" not in dispute.data(found)["missing_tags"]
    assert dispute.data(found)["flags"] == ["gallery"]


def test_x10_a_report_goes_from_intake_over_the_facts_to_a_decision_and_back(
    dispute: Dispute,
) -> None:
    found = reported(dispute)
    with pytest.raises(Problem) as refused:
        dispute.decide(dispute.manager, found, "accepted")
    assert refused.value.code == "forbidden"
    dispute.take(dispute.officer, found, "accepted")
    assert dispute.waiting(found) == [("market_officer", "facts", 72 * HOUR)]
    dispute.take(dispute.officer, found, "facts_verified")
    assert dispute.waiting(found) == [("market_officer", "decision", 48 * HOUR)]
    dispute.take(dispute.officer, found, "confirmed")
    assert (dispute.state(found), dispute.waiting(found)) == ("confirmed", [])
    dispute.take(dispute.reviewer(Role.SALES_DIRECTOR, None), found, "reopened")
    assert dispute.state(found) == "facts"


def test_x9_x10_a_report_is_sent_back_mended_and_taken_back(dispute: Dispute) -> None:
    found = reported(dispute)
    dispute.take(dispute.officer, found, "returned")
    assert dispute.waiting(found) == [("rep", "mend", 72 * HOUR)]
    dispute.patch(dispute.seller, found, packaging="瓶盖无编码")
    assert dispute.state(found) == "submitted"
    dispute.patch(dispute.seller, found, withdrawal_reason="经鉴定为正品")
    assert (dispute.state(found), dispute.waiting(found)) == ("withdrawn", [])
