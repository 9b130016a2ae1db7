"""K6, X12: licences and permits at the desk."""

import pytest
from flask import Flask

from server.people.principal import Role
from tests.company import Company
from tests.office import Office, Rep

pytestmark = pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)


@pytest.fixture
def office(app: Flask, company: Company) -> Office:
    """The company at its desks."""
    return Office(app, company)


def test_k6_b1_a_renewal_stands_in_the_region_managers_queue_and_on_the_page(
    office: Office,
) -> None:
    manager = Rep(office.app, office.company.manager("east"))
    dealer = manager.create("customer", name="大华商贸", customer_type="dealer")
    region = office.company.regions["hangzhou"]
    licence = manager.create(
        "licence", dealer=dealer, number="SQ-7", regions=[region], products=["茶"],
        start="2026-01-01",
    )  # fmt: skip
    reviewer = office.reviewer(Role.REGION_MANAGER, "east")
    queue = reviewer.page("/")
    assert "Renew the licence" in queue
    assert "SQ-7" in queue
    page = reviewer.page(f"/records/{licence}")
    for shown in ("SQ-7", "大华商贸", "Hangzhou", "2026-12-31", "2026-09-30"):
        assert shown in page


def test_x12_p5_a_permit_is_shown_to_both_regions_and_the_market_officer_only(
    office: Office,
) -> None:
    rep = office.rep("guangzhou")
    dealer = rep.create("customer", name="广粤", customer_type="dealer")
    permit = rep.create(
        "permit", dealer=dealer, market=office.company.regions["hangzhou"], number="BA-1",
        lines=[{"product": "茶", "quantity": 3, "unit": "piece"}], start="2026-03-01",
        end="2026-03-31", consent_by="李四", consent_on="2026-02-27",
    )  # fmt: skip
    concerned = (
        office.reviewer(Role.MARKET_OFFICER, None),
        office.reviewer(Role.REGION_MANAGER, "guangzhou"),
        office.reviewer(Role.REGION_MANAGER, "hangzhou"),
    )
    for reviewer in concerned:
        page = reviewer.page(f"/records/{permit}")
        assert [shown for shown in ("BA-1", "Hangzhou", "李四", "茶") if shown not in page] == []
    stranger = office.reviewer(Role.REGION_MANAGER, "shanghai")
    assert stranger.get(f"/records/{permit}").status_code == 404
