"""B2 on the pages: deciding, taking back, and what becomes of two reviewers at once."""

import pytest
from flask import Flask

from server.extensions import db
from server.people.principal import Role
from server.sync.queries import find_record, history
from tests.company import Company, FixedClock
from tests.domain.records import receipt, visit
from tests.office import Office, Rep


@pytest.fixture
def office(app: Flask, company: Company) -> Office:
    """The company at its desks."""
    return Office(app, company)


@pytest.fixture
def rep(office: Office) -> Rep:
    """A rep in Shanghai."""
    return office.rep()


@pytest.fixture
def record(rep: Rep) -> str:
    """A receipt that waits."""
    return rep.create("receipt", **receipt())


def state_of(record: str) -> object:
    """The state of a record as it stands."""
    db.session.rollback()
    found = find_record(db.session(), record)
    assert found is not None
    return found.data["state"]


def test_b2_a_decision_closes_the_item_and_reaches_the_device(
    office: Office, rep: Rep, record: str
) -> None:
    manager = office.reviewer()
    answer = manager.decide(record, "returned", reason_returned="照片不清晰", guidance="补拍")
    assert answer.headers["Location"] == "/office/"
    assert "The queue is clear" in manager.page("/")
    (told,) = [item["data"] for item in rep.phone.pull_all() if item["record"] == record]
    assert told["verdict"] == told["state"] == "returned"
    assert (told["verdict_reason"], told["verdict_note"], told["guidance"]) == (
        "照片不清晰", "seen", "补拍",
    )  # fmt: skip


def test_b2_after_a_decision_the_next_waiting_record_opens(
    office: Office, rep: Rep, record: str
) -> None:
    second = rep.create("receipt", **receipt(seller="second"))
    manager = office.reviewer()
    assert manager.decide(record).headers["Location"] == f"/office/records/{second}"
    assert "second" in manager.page(f"/records/{second}")
    stayed = manager.decide(second, step="stay")
    assert stayed.headers["Location"] == f"/office/records/{second}"


@pytest.mark.parametrize("given", [{"note": " "}, {"verdict": ""}, {"verdict": "burn"}])
def test_b2_a_decision_without_verdict_or_reason_is_asked_for_again_and_writes_nothing(
    office: Office, record: str, given: dict[str, str]
) -> None:
    manager = office.reviewer()
    values = {"verdict": "accepted", "guidance": "typed with care", **given}
    answer = manager.decide(record, values.pop("verdict"), **values)
    assert answer.status_code == 422
    assert "A decision needs a verdict and a reason" in answer.text
    assert "typed with care" in answer.text
    assert [one.version for one in history(db.session(), record)] == [1]


def test_b2_a_second_reviewer_sees_what_changed_and_keeps_the_note(
    office: Office, record: str
) -> None:
    first, second = office.reviewer(name="王芳"), office.reviewer(name="赵敏")
    seen = second.form_of(record)
    first.decide(record, "accepted")
    answer = second.decide(record, "rejected", note="my long note", **seen)
    assert answer.status_code == 409
    assert "It changed while you looked at it." in answer.text
    assert "王芳" in answer.text
    assert "my long note" in answer.text
    assert state_of(record) == "accepted"
    again = second.decide(record, "rejected", note="my long note")
    assert again.status_code == 302
    assert state_of(record) == "rejected"


def test_b2_a_photo_that_came_meanwhile_stops_the_decision(
    office: Office, rep: Rep, record: str
) -> None:
    manager = office.reviewer()
    seen = manager.form_of(record)
    rep.photo(record, "receipt")
    answer = manager.decide(record, "rejected", note="no photo", **seen)
    assert answer.status_code == 409
    assert "Photos or signatures have come or gone." in answer.text
    assert "no photo" in answer.text
    assert state_of(record) == "submitted"


def test_b2_a_decision_is_taken_back_within_thirty_seconds(
    office: Office, record: str, clock: FixedClock
) -> None:
    manager = office.reviewer()
    manager.decide(record)
    clock.advance(seconds=20)
    page = manager.page("/")
    assert f"/office/records/{record}/undo" in page
    assert 'data-seconds="10"' in page
    assert manager.post(f"/records/{record}/undo").status_code == 302
    assert state_of(record) == "submitted"
    assert f"/office/records/{record}/undo" not in manager.page("/")
    assert record in manager.page("/")


def test_b2_after_thirty_seconds_a_decision_is_not_taken_back(
    office: Office, record: str, clock: FixedClock
) -> None:
    manager = office.reviewer()
    manager.decide(record)
    token = manager.token()
    clock.advance(seconds=31)
    assert f"/office/records/{record}/undo" not in manager.page("/")
    answer = manager.send("POST", f"/records/{record}/undo", data={"csrf_token": token})
    assert answer.status_code == 409
    assert "The decision was not taken back." in answer.text
    assert state_of(record) == "accepted"


def test_b2_who_may_look_but_not_decide_has_no_form_and_is_refused(
    office: Office, rep: Rep
) -> None:
    market = office.company.regions["shanghai"]
    line = {"product": "Tea", "quantity": 2, "unit": "piece"}
    found = rep.create(
        "cross_region_case",
        affected_market=market,
        found_at="2026-03-02T09:00:00+08:00",
        lines=[line],
    )
    manager = office.reviewer()
    page = manager.page(f"/records/{found}")
    assert "data-decision" not in page
    officer = office.reviewer(Role.MARKET_OFFICER, None)
    assert "Signatures are missing" in officer.page(f"/records/{found}")
    evidence = {"base": "1", "evidence": manager.form_of(found).get("evidence", "")}
    answer = manager.post(f"/records/{found}/decision", verdict="accepted", note="x", **evidence)
    assert answer.status_code in {403, 409}
    assert state_of(found) == "unsigned"


def test_b2_a_returned_visit_that_the_rep_mends_waits_again(office: Office, rep: Rep) -> None:
    shop = rep.create("customer", name="a", customer_type="store")
    went = rep.create("visit", **visit(customer=shop))
    manager = office.reviewer()
    manager.decide(went, "returned")
    assert went not in manager.page("/").partition("<main")[2]
    assert rep.patch(went, "visit", 2, topics="mended")["outcome"] == "applied"
    assert went in manager.page("/").partition("<main")[2]
