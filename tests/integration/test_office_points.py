"""X4: the server's check of a case on its page, and a person who says otherwise."""

import re

import pytest
from flask import Flask

from server.extensions import db
from server.people.principal import Role
from server.sync.queries import find_record
from tests.company import Company
from tests.domain.desk import Desk
from tests.domain.records import case, signature
from tests.office import Office, Rep, Reviewer

pytestmark = pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)

POINTS = [
    {"point": "batch_numbers", "rule": "X4", "value": "1/1", "proof": [], "result": "yes"},
    {"point": "pieces", "rule": "X4", "value": "19", "proof": [], "result": "no"},
    {"point": "photos_match", "rule": "X4", "value": "batch", "proof": [], "result": "no"},
    {"point": "competence", "rule": "X7", "value": "across", "proof": [], "result": "yes"},
]
NAMES = [str(one["point"]) for one in POINTS]
REASON = "照片上可见 <21> 件"


@pytest.fixture
def office(app: Flask, company: Company) -> Office:
    """The company at its desks."""
    return Office(app, company)


@pytest.fixture
def rep(office: Office) -> Rep:
    """A rep in Shanghai."""
    return office.rep()


@pytest.fixture
def found(office: Office, rep: Rep) -> str:
    """A case in intake that the server has checked; one point rests on a photo and a permit."""
    market = office.company.regions["shanghai"]
    found = rep.create("cross_region_case", **case(affected_market=market))
    for part in ("affected_dealer", "region_manager"):
        rep.create("signature", **signature(part, parent=found))
    photo = rep.photo(found, "cross_region_case", tag="count_on_vehicle")
    proof = [photo, office.company.services.ids.new()]
    points = [{**one, "proof": proof if one["point"] == "pieces" else []} for one in POINTS]
    write(office, found, check_points=points)
    return found


def write(office: Office, found: str, **values: object) -> None:
    """What the server finds out about a case."""
    desk = Desk(office.company)
    now = desk.record(found)
    wire = {"action": "patch", "kind": now.kind, "record": found, "base": now.version}
    result = desk.send(desk.reviewer(), {**wire, "set": values}, writer="server")
    assert result["outcome"] == "applied", result
    office.company.store.rollback()


def overridden(found: str) -> list[dict[str, str]]:
    """What people said of the points."""
    db.session.rollback()
    stands = find_record(db.session(), found)
    assert stands is not None
    return [one["override"] for one in stands.data["check_points"] if "override" in one]


def say(reviewer: Reviewer, found: str, point: str = "pieces", **given: object) -> int:
    """The status of a form that says otherwise."""
    path = f"/records/{found}"
    base = reviewer.form_of(found)["base"]
    values = {"base": base, "result": "yes", "reason": REASON, **given}
    return reviewer.post(f"{path}/points/{point}", seen=path, **values).status_code


def test_x4_the_page_shows_each_point_with_its_value_rule_and_proof(
    office: Office, found: str
) -> None:
    page = office.reviewer(Role.MARKET_OFFICER, None).page(f"/records/{found}")
    points = {one: re.search(rf'id="point-{one}">(.*?)</li>', page, re.DOTALL) for one in NAMES}
    told = {name: match[1] for name, match in points.items() if match}
    assert "✓ Yes" in told["batch_numbers"]
    assert "1/1" in told["batch_numbers"]
    for said in ("✗ No", "The quantity is reached", "· 19", "X4"):
        assert said in told["pieces"]
    assert '<a href="#photo-1">Count on the vehicle 1</a>' in told["pieces"]
    assert 'id="photo-1"' in page
    assert re.search(r", …[0-9a-f]{8}<", told["pieces"])
    assert "missing: Batch" in told["photos_match"]
    assert "across sales centres" in told["competence"]


def test_x4_a_person_says_otherwise_and_the_servers_word_stays(office: Office, found: str) -> None:
    officer = office.reviewer(Role.MARKET_OFFICER, None)
    assert say(officer, found) == 302
    (told,) = overridden(found)
    assert (told["point"], told["result"], told["reason"]) == ("pieces", "yes", REASON)
    page = officer.page(f"/records/{found}")
    assert "✗ No" in page
    assert f"<b>✓ Yes</b> · {REASON}" in page
    assert say(officer, found, result="unknown", reason="再看") == 302
    (told,) = overridden(found)
    assert (told["result"], told["reason"]) == ("unknown", "再看")


@pytest.mark.parametrize(
    "given",
    [{"reason": "  "}, {"result": "perhaps"}, {"point": "anything"}],
    ids=["no reason", "no result", "no such point"],
)
def test_x4_what_says_too_little_is_refused_and_kept_in_the_form(
    office: Office, found: str, given: dict[str, str]
) -> None:
    officer = office.reviewer(Role.MARKET_OFFICER, None)
    assert say(officer, found, **given) == 422
    assert overridden(found) == []


def test_x4_b2_what_changed_meanwhile_is_shown_and_what_was_typed_stays(
    office: Office, found: str
) -> None:
    officer, path = office.reviewer(Role.MARKET_OFFICER, None), f"/records/{found}"
    base = officer.form_of(found)["base"]
    other = office.reviewer(Role.MARKET_OFFICER, None, name="other")
    assert say(other, found, reason="已清点") == 302
    answer = officer.post(
        f"{path}/points/pieces", seen=path, base=base, result="yes", reason="typed <b>"
    )
    assert answer.status_code == 409
    assert "It changed while you looked at it." in answer.text
    assert "已清点" in answer.text
    assert "typed &lt;b&gt;</textarea>" in answer.text
    assert [one["reason"] for one in overridden(found)] == ["已清点"]


def test_x4_nobody_else_says_otherwise_and_nobody_once_it_is_taken_in(
    office: Office, found: str
) -> None:
    desk, form = Desk(office.company), f"/records/{found}/points/pieces"
    inspector = office.reviewer(Role.MARKET_INSPECTOR, None)
    assert form not in inspector.page(f"/records/{found}")
    assert say_without_form(inspector, found) == 403
    assert say_without_form(office.reviewer(Role.REGION_MANAGER, "south"), found) == 404
    officer = office.reviewer(Role.MARKET_OFFICER, None)
    assert form in officer.page(f"/records/{found}")
    desk.decide(desk.reviewer(Role.MARKET_OFFICER, None), found, "accepted")
    office.company.store.rollback()
    assert form not in officer.page(f"/records/{found}")
    assert say(officer, found) == 422
    assert overridden(found) == []


def say_without_form(reviewer: Reviewer, found: str) -> int:
    """The status of the same by somebody who is not shown the form."""
    values = {"base": 1, "result": "yes", "reason": REASON}
    return reviewer.post(f"/records/{found}/points/pieces", **values).status_code
