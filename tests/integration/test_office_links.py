"""X6 in the back office: links are made, ended, and what became of them is seen."""

import re

import pytest
from flask import Flask

from server.people.principal import Role
from tests.company import Company, FixedClock
from tests.domain.records import receipt
from tests.links import PHOTO, Dispute, Guest
from tests.office import Office, Reviewer

pytestmark = pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)

ADDRESS = re.compile(r'value="http://localhost/l/([\w-]{24})"')
END = re.compile(r'action="/office(/records/[^"]+/end)"')


@pytest.fixture
def office(app: Flask, company: Company) -> Office:
    """The company at its desks."""
    return Office(app, company)


@pytest.fixture
def dispute(office: Office) -> Dispute:
    """A case."""
    return Dispute(office)


@pytest.fixture
def officer(office: Office) -> Reviewer:
    """Somebody of the market department."""
    return office.reviewer(Role.MARKET_OFFICER, None)


def make(officer: Reviewer, case: str) -> str:
    """Makes a link; its token as the page tells it."""
    made = officer.post(f"/records/{case}/links", seen=f"/records/{case}/links")
    found = ADDRESS.search(made.text)
    assert found is not None, made.text
    return found[1]


def test_x6_the_office_makes_a_link_and_sees_who_opened_it_and_what_came(
    dispute: Dispute, officer: Reviewer, clock: FixedClock
) -> None:
    assert f"/records/{dispute.case}/links" in officer.page(f"/records/{dispute.case}")
    token = make(officer, dispute.case)
    guest = Guest(officer.client, token)
    before = officer.page(f"/records/{dispute.case}/links")
    assert "Nobody has opened it." in before
    assert token not in before
    guest.ask("GET", headers={"User-Agent": "the dealer's <phone>"})
    received = guest.hand_in("sold here", PHOTO).json
    assert received is not None
    page = officer.page(f"/records/{dispute.case}/links")
    for told in (
        "the dealer's <phone>",
        "127.0.0.0/24",
        f"Handed in: {received['number']}",
        "0 of 1 photos verified",
        "2026-03-02 09:30 → 2026-03-03 09:30",
    ):
        assert told in page
    clock.advance(hours=25)
    later = dispute.office.reviewer(Role.MARKET_OFFICER, None, name="later")
    assert ">over<" in later.page(f"/records/{dispute.case}/links")


def test_x6_what_came_by_a_link_has_a_page_in_the_office(
    dispute: Dispute, officer: Reviewer
) -> None:
    guest = Guest(officer.client, make(officer, dispute.case))
    received = guest.hand_in("sold <here>", PHOTO).json
    assert received is not None
    listed = officer.page(f"/records/{dispute.case}/links")
    found = re.search(r'href="/office/records/([^"]+)">Handed in', listed)
    assert found is not None
    page = officer.page(f"/records/{found[1]}")
    assert received["number"] in page
    assert "sold <here>" in page
    assert "By a link" in page


def test_x6_the_office_ends_a_link(dispute: Dispute, officer: Reviewer) -> None:
    guest = Guest(officer.client, make(officer, dispute.case))
    path = f"/records/{dispute.case}/links"
    found = END.search(officer.page(path))
    assert found is not None
    assert officer.post(found[1], seen=path).status_code == 302
    assert guest.page().status_code == 410
    page = officer.page(path)
    assert "ended by the office" in page
    assert END.search(page) is None


def test_x6_who_has_no_right_to_it_finds_no_links(dispute: Dispute, office: Office) -> None:
    path = f"/records/{dispute.case}/links"
    inspector = office.reviewer(Role.MARKET_INSPECTOR, None)
    assert path not in inspector.page(f"/records/{dispute.case}")
    assert inspector.get(path).status_code == 403
    assert inspector.post(path).status_code == 403
    stranger = office.reviewer(Role.REGION_MANAGER, "south")
    assert stranger.get(path).status_code == stranger.post(path).status_code == 404
    other = dispute.rep.create("receipt", **receipt())
    manager = office.reviewer(Role.REGION_MANAGER, "east")
    assert manager.get(f"/records/{other}/links").status_code == 404
    assert manager.get(path).status_code == 200
