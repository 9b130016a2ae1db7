"""The pages of the office on both databases: who gets in, who sees what, what stands there."""

import random
import re
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from server.app import create_app, open_store
from server.extensions import db
from server.ids import IdMaker
from server.people.principal import Role
from server.people.tables import AuditEntry
from server.settings import Settings
from server.sync.queries import find_record
from tests.company import Company, FixedClock
from tests.domain.records import SHANGHAI_TOWER, case, receipt, signature, visit
from tests.office import PASSWORD, RACK, Office, Rep, Reviewer
from tests.pictures import draw

STRANGE = "019cac2a-0000-7000-8000-000000000000"
EVIL = '<script>alert("x")</script><img src=x onerror=alert(1)>'


@pytest.fixture
def app(settings: Settings, clock: FixedClock) -> Iterator[Flask]:
    """A server that also knows racks, which no page was written for."""
    ids = IdMaker(clock, random.Random(20260302).getrandbits)
    app = create_app(settings, clock=clock, ids=ids, kinds=(RACK,))
    open_store(app)
    app.testing = True
    app.config["PROPAGATE_EXCEPTIONS"] = False
    yield app
    with app.app_context():
        db.session.remove()
        db.engine.dispose()


@pytest.fixture
def office(app: Flask, company: Company) -> Office:
    """The company at its desks."""
    return Office(app, company)


def a_receipt(rep: Rep, **given: Any) -> str:
    """A receipt of ``rep``."""
    return rep.create("receipt", **receipt(**given))


def a_visit(rep: Rep) -> str:
    """A visit of ``rep``, far from its customer."""
    shop = rep.create("customer", name="好又多", customer_type="store", position=SHANGHAI_TOWER)
    here = {"at": "2026-03-02T10:00:00+08:00", "position": {**SHANGHAI_TOWER, "lat": "31.3"}}
    return rep.create("visit", **visit(customer=shop, check_in=here))


def data_of(record: str) -> dict[str, Any]:
    """The fields of a record as they stand."""
    db.session.rollback()
    found = find_record(db.session(), record)
    assert found is not None
    return found.data


def shown_records(page: str) -> list[str]:
    """The records that a list links to, in order."""
    return re.findall(r'class="row-link" href="/office/records/([^"]+)"', page)


# ---- the door ---------------------------------------------------------------------------------


def test_a_page_asks_a_stranger_to_sign_in_and_leads_back(office: Office) -> None:
    rep = office.rep()
    record = a_receipt(rep)
    stranger = Reviewer(office.app.test_client(), "")
    answer = stranger.get(f"/records/{record}")
    assert answer.status_code == 302
    assert answer.headers["Location"] == f"/office/login?next=/office/records/{record}?"
    username = office.person()
    form = {"username": username, "password": PASSWORD, "next": f"/office/records/{record}"}
    entered = stranger.post("/login", seen="/login", **form)
    assert entered.headers["Location"] == f"/office/records/{record}"
    assert "老盛昌" in stranger.page(f"/records/{record}")


def test_the_way_back_never_leads_out_of_the_office(office: Office) -> None:
    stranger = Reviewer(office.app.test_client(), "")
    form = {"username": office.person(), "password": PASSWORD, "next": "https://evil.test/office/"}
    assert stranger.post("/login", seen="/login", **form).headers["Location"] == "/office/"


def test_the_cookie_is_new_at_login_and_out_of_reach_of_scripts(office: Office) -> None:
    stranger = Reviewer(office.app.test_client(), "")
    before = stranger.get("/login").headers["Set-Cookie"]
    form = {"username": office.person(), "password": PASSWORD}
    cookie = stranger.post("/login", seen="/login", **form).headers["Set-Cookie"]
    assert cookie.split(";")[0] != before.split(";")[0]
    assert cookie.startswith("__Host-fieldstamp=")
    assert {"Secure", "HttpOnly", "Path=/", "SameSite=Lax"} <= set(cookie.split("; "))


def test_signing_out_ends_the_session_on_the_server(office: Office) -> None:
    reviewer = office.reviewer()
    cookie = reviewer.client.get_cookie("__Host-fieldstamp")
    assert cookie is not None
    assert reviewer.post("/logout").status_code == 302
    reviewer.client.set_cookie("__Host-fieldstamp", cookie.value)
    assert reviewer.get("/").headers["Location"].startswith("/office/login")


def test_a_wrong_password_says_so_and_keeps_the_name(office: Office) -> None:
    stranger = Reviewer(office.app.test_client(), "")
    form = {"username": office.person(), "password": "guess"}
    answer = stranger.post("/login", seen="/login", **form)
    assert answer.status_code == 401
    assert "The name or the password is wrong." in answer.text
    assert f'value="{form["username"]}"' in answer.text


def test_guessing_passwords_is_slowed_down_on_the_page_too(office: Office) -> None:
    stranger = Reviewer(office.app.test_client(), "")
    form = {"username": office.person(), "password": "guess"}
    answers = [stranger.post("/login", seen="/login", **form) for _ in range(8)]
    assert answers[-1].status_code == 429
    assert int(answers[-1].headers["Retry-After"]) >= 1


def test_attack_11_a_form_without_its_token_changes_nothing(office: Office) -> None:
    record, reviewer = a_receipt(office.rep()), office.reviewer()
    forged = {**reviewer.form_of(record), "verdict": "accepted", "note": "forged"}
    answer = reviewer.send("POST", f"/records/{record}/decision", data=forged)
    assert answer.status_code == 400
    assert data_of(record)["state"] == "submitted"
    foreign = {**forged, "csrf_token": office.reviewer(name="b").token()}
    assert reviewer.send("POST", f"/records/{record}/decision", data=foreign).status_code == 400
    assert data_of(record)["state"] == "submitted"
    assert reviewer.send("POST", "/logout").status_code == 400
    assert reviewer.get("/").status_code == 200


def test_a_session_row_that_ends_ends_the_page_at_once(office: Office, clock: FixedClock) -> None:
    reviewer = office.reviewer()
    clock.advance(minutes=29)
    assert reviewer.get("/").status_code == 200
    clock.advance(minutes=31)
    assert reviewer.get("/").status_code == 302


# ---- the queue --------------------------------------------------------------------------------


def test_b1_the_queue_shows_what_waits_for_the_role_where_it_reaches(office: Office) -> None:
    rep, manager = office.rep(), office.reviewer()
    went, paid = a_visit(rep), a_receipt(rep)
    foreign = a_receipt(office.rep("guangzhou"))
    market = office.company.regions["shanghai"]
    found = rep.create("cross_region_case", **case(affected_market=market))
    assert set(shown_records(manager.page("/"))) == {went, paid, found}
    south = office.reviewer(Role.REGION_MANAGER, "south")
    assert shown_records(south.page("/")) == [foreign]
    officer = office.reviewer(Role.MARKET_OFFICER, None)
    assert shown_records(officer.page("/")) == []
    assert "The queue is clear" in officer.page("/")
    for part in ("affected_dealer", "region_manager"):
        rep.create("signature", **signature(part, parent=found))
    assert shown_records(officer.page("/")) == [found]
    assert found not in shown_records(manager.page("/"))


def test_b1_a_line_tells_kind_label_rep_region_flags_state_and_time_left(
    office: Office, clock: FixedClock
) -> None:
    rep, manager = office.rep(name="张伟"), office.reviewer()
    a_visit(rep)
    clock.advance(minutes=20)
    page = manager.page("/")
    for words in ("Visit", "Routine", "好又多", "张伟", "Shanghai", "Far from the customer"):
        assert words in page
    assert "Submitted" in page
    assert "1 d 23 h left" in page
    clock.advance(hours=48)
    manager = office.reviewer(name="b")
    assert "20 m late" in manager.page("/")


def test_b1_the_queue_is_filtered_by_kind_and_paged_without_skipping(office: Office) -> None:
    rep, manager = office.rep(), office.reviewer()
    made = [a_receipt(rep, seller=f"shop {place}") for place in range(32)]
    went = a_visit(rep)
    first = manager.page("/?kind=receipt")
    listed = shown_records(first)
    assert listed == made[:30]
    for record in listed[:3]:
        assert manager.decide(record).status_code == 302
    (behind,) = re.findall(r'rel="next" href="/office(/[^"]+)"', first)
    assert shown_records(manager.page(behind)) == made[30:]
    assert shown_records(manager.page("/?kind=visit")) == [went]


def test_a_kind_from_outside_has_its_line_and_its_page_from_its_schema(office: Office) -> None:
    rep, manager = office.rep(), office.reviewer()
    rack = rep.create("rack", shelf="A-3", height_cm=180)
    photo = rep.photo(rack, "rack", tag="display")
    page = manager.page("/")
    assert shown_records(page) == [rack]
    assert f"/office/photos/{photo}/thumbnail" in page
    assert "Height" in page
    manager.language = "zh-CN"
    detail = manager.page(f"/records/{rack}")
    for words in ("货架", "A-3", "高度", "180", f"/office/photos/{photo}/preview"):
        assert words in detail


# ---- the page of a record ---------------------------------------------------------------------


def test_p5_a_record_of_a_foreign_region_answers_like_none(office: Office) -> None:
    record = a_receipt(office.rep("guangzhou"))
    manager = office.reviewer()
    foreign, unknown = manager.get(f"/records/{record}"), manager.get(f"/records/{STRANGE}")
    assert foreign.status_code == unknown.status_code == 404
    assert without_marks(foreign.text) == without_marks(unknown.text)
    decided = manager.post(f"/records/{record}/decision", verdict="accepted", note="x")
    assert decided.status_code == 404
    assert manager.post(f"/records/{record}/undo").status_code == 404


def without_marks(page: str) -> str:
    """A page without what differs from one request to the next."""
    return re.sub(r'(?:csrf_token|next)" value="[^"]*"|· [0-9a-f-]{36}', "", page)


def test_p5_photos_are_served_by_the_right_of_their_record(office: Office) -> None:
    rep, manager = office.rep(), office.reviewer()
    record = a_receipt(rep)
    photo = rep.photo(record, "receipt", content := draw())
    thumbnail = manager.get(f"/photos/{photo}/thumbnail")
    assert thumbnail.status_code == 200
    assert thumbnail.mimetype == "image/jpeg"
    original = manager.get(f"/photos/{photo}/original")
    assert original.data == content
    assert original.headers["Content-Disposition"].startswith("attachment")
    south = office.reviewer(Role.REGION_MANAGER, "south")
    assert south.get(f"/photos/{photo}/thumbnail").status_code == 404


def test_b4_the_page_shows_facts_evidence_times_and_who_changed_what(
    office: Office, clock: FixedClock
) -> None:
    rep, manager = office.rep(name="张伟"), office.reviewer()
    market = office.company.regions["shanghai"]
    found = rep.create("cross_region_case", **case(affected_market=market, accused="恒达"))
    rep.photo(found, "cross_region_case", tag="batch", source="gallery")
    rep.create("signature", **signature("affected_dealer", parent=found, signer="刘老板"))
    clock.advance(minutes=5)
    version = find_record(db.session(), found)
    assert version is not None
    rep.patch(found, "cross_region_case", version.version, accused="恒达商贸")
    page = manager.page(f"/records/{found}")
    for words in (
        "恒达商贸", "Shanghai", "B-1", "Piece", "Batch", "From the gallery", "刘老板",
        "captured 2026-03-02 09:12", "received 2026-03-02 09:30", "张伟 · phone", "Chained",
    ):  # fmt: skip
        assert words in page, words
    assert re.search(r"Accused dealer</th><td>恒达</td><td>恒达商贸</td>", page)
    assert "cannot be decided" in page


def test_p6_what_a_merge_put_aside_and_what_was_refused_stand_on_the_page(office: Office) -> None:
    rep, manager = office.rep(name="张伟"), office.reviewer()
    record = a_receipt(rep)
    second = Rep(office.app, office.company.device(rep.device.user))
    assert rep.patch(record, "receipt", 1, seller="kept seller")["outcome"] == "applied"
    assert second.patch(record, "receipt", 1, seller="lost seller")["outcome"] == "conflict"
    assert rep.patch(record, "receipt", 2, amount="-1")["outcome"] == "rejected"
    page = manager.page(f"/records/{record}")
    assert re.search(r"Seller</th><td>kept seller</td><td>lost seller</td>", page)
    assert re.search(r"Amount</th><td>—</td><td>-1</td>", page)
    assert "Some values are wrong." in page


def test_k4_every_opening_of_a_customer_file_is_noted(office: Office) -> None:
    rep, manager = office.rep(), office.reviewer()
    a_visit(rep)
    shop = rep.create("customer", name="a", customer_type="store")
    manager.page("/")
    opened = select(AuditEntry.user, AuditEntry.record).where(AuditEntry.what == "record_opened")
    assert db.session.execute(opened).all() == []
    manager.page(f"/records/{shop}")
    db.session.rollback()
    ((user, record),) = db.session.execute(opened).all()
    assert record == shop
    assert user is not None


def test_attack_12_what_people_type_is_shown_as_text_everywhere(office: Office) -> None:
    rep, manager = office.rep(name=EVIL), office.reviewer(name=EVIL)
    record = a_receipt(rep, seller=EVIL, note=EVIL, tax_number=EVIL[:40])
    rep.photo(record, "receipt", note=EVIL)
    rack = rep.create("rack", shelf="<b>x</b>")
    rep.patch(record, "receipt", 1, seller=f"{EVIL}2")
    manager.decide(record, "returned", note=EVIL, guidance=EVIL, step="stay")
    for path in ("/", f"/records/{record}", f"/records/{rack}"):
        page = manager.get(path).text
        assert "<script>alert" not in page
        assert "<img src=x" not in page
        assert "<b>x" not in page
        assert "&lt;" in page


def test_pages_load_nothing_from_outside_and_run_nothing_inline(office: Office) -> None:
    rep, manager = office.rep(), office.reviewer()
    record = a_visit(rep)
    for path in ("/", f"/records/{record}"):
        answer = manager.get(path)
        addresses = re.findall(r'(?:src|href|action)="([^"]+)"', answer.text)
        assert addresses
        assert [one for one in addresses if not one.startswith(("/office/", "#"))] == []
        assert re.findall(r'\son[a-z]+="|style="|<script(?![^>]*\ssrc=)', answer.text) == []
        assert "default-src 'self'" in answer.headers["Content-Security-Policy"]
        assert answer.headers["Cache-Control"] == "no-store"


def test_files_of_the_pages_are_kept_for_a_year_under_an_address_of_their_content(
    office: Office,
) -> None:
    reviewer = Reviewer(office.app.test_client(), "")
    (address,) = re.findall(r'href="/office(/static/[^"]+\.css)"', reviewer.page("/login"))
    answer = reviewer.get(address)
    assert "immutable" in answer.headers["Cache-Control"]
    stale = reviewer.get(re.sub(r"static/\w+", "static/0", address))
    assert stale.data == answer.data
    assert "immutable" not in stale.headers["Cache-Control"]
    assert reviewer.get("/static/0/..%2Fpages.py").status_code == 404


def test_the_language_is_the_browsers_until_the_person_chooses(office: Office) -> None:
    reviewer = office.reviewer()
    assert '<html lang="en">' in reviewer.page("/")
    reviewer.language = "zh-CN"
    assert "我的待办" in reviewer.page("/")
    assert reviewer.post("/language", language="en").status_code == 302
    assert "Waiting for me" in reviewer.page("/")
