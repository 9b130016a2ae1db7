"""X9: what departments tell each other about a case, and who gets to read it."""

import re
from typing import Any

import pytest
from flask import Flask

from server.people.principal import Role
from server.sync.queries import StoredRecord, children
from tests.company import Company, FixedClock
from tests.domain.records import receipt
from tests.links import Dispute, Guest
from tests.office import Office, Rep, Reviewer
from tests.phone import Phone, new_id

pytestmark = pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)

ENTRY = re.compile(r"<li>(.*?)</li>", re.DOTALL)
FORM = re.compile(r'name="form" value="([^"]+)"')
WORDS = "司机电话 <内部>，先不要告诉经销商"


@pytest.fixture
def dispute(app: Flask, company: Company) -> Dispute:
    """A case in Shanghai."""
    return Dispute(Office(app, company))


@pytest.fixture
def officer(dispute: Dispute) -> Reviewer:
    """Somebody of the market department."""
    return dispute.office.reviewer(Role.MARKET_OFFICER, None, name="周市场")


def write(reviewer: Reviewer, case: str, text: str = WORDS, **given: str) -> Any:
    """The answer to the form of a note."""
    path = f"/records/{case}"
    form = FORM.search(reviewer.page(path))
    values = {"form": form[1] if form else new_id(), "text": text, **given}
    return reviewer.post(f"{path}/notes", seen=path, **values)


def notes(dispute: Dispute) -> list[StoredRecord]:
    """The notes about the case."""
    store = dispute.company.store
    found = children(store, dispute.case, "note")
    store.rollback()
    return found


def timeline(reviewer: Reviewer, case: str) -> list[str]:
    """What the page says was said, in order."""
    page = reviewer.page(f"/records/{case}")
    return ENTRY.findall(page[page.index("What was said") : page.index('name="form"')])


def pulled(phone: Phone) -> list[str]:
    """The texts of the notes that a device gets."""
    return [item["data"]["text"] for item in phone.pull_all() if item["kind"] == "note"]


def test_x9_a_note_is_read_by_other_departments_with_its_author_and_role(
    dispute: Dispute, officer: Reviewer
) -> None:
    assert write(officer, dispute.case).status_code == 302
    inspector = dispute.office.reviewer(Role.MARKET_INSPECTOR, None)
    (said,) = timeline(inspector, dispute.case)
    for told in ("周市场", "(Market officer)", "for the offices only", WORDS):
        assert told in said
    assert inspector.get(f"/records/{notes(dispute)[0].id}").status_code == 200


def test_p5_x9_no_device_gets_a_note_unless_it_is_for_the_rep(
    app: Flask, dispute: Dispute, officer: Reviewer
) -> None:
    company = dispute.company
    manager = Phone(app.test_client(), company.device(company.user(Role.REGION_MANAGER, "east")))
    write(officer, dispute.case)
    assert pulled(dispute.rep.phone) == pulled(manager) == []
    write(officer, dispute.case, "请补拍车牌", for_rep="yes")
    assert pulled(dispute.rep.phone) == pulled(manager) == ["请补拍车牌"]
    internal = ["for the offices only" in said for said in timeline(officer, dispute.case)]
    assert sorted(internal) == [False, True]


def test_p5_x9_whoever_holds_a_link_sees_no_note(dispute: Dispute, officer: Reviewer) -> None:
    write(officer, dispute.case)
    write(officer, dispute.case, "请补拍车牌", for_rep="yes")
    page = Guest(officer.client, dispute.make().token).page("?lang=zh-CN")
    assert page.status_code == 200
    assert "司机电话" not in page.text
    assert "补拍车牌" not in page.text


def test_p2_x9_a_note_that_is_sent_twice_is_one_and_an_empty_one_is_none(
    dispute: Dispute, officer: Reviewer
) -> None:
    form = new_id()
    for _twice in range(2):
        assert write(officer, dispute.case, form=form).status_code == 302
    assert len(notes(dispute)) == 1
    assert write(officer, dispute.case, "another", form=form).status_code == 302
    assert {one.data["text"] for one in notes(dispute)} == {WORDS, "another"}
    assert write(officer, dispute.case, "  ", for_rep="yes").status_code == 422
    long = write(officer, dispute.case, "long" * 1001)
    assert long.status_code == 422
    assert "longlong</textarea>" in long.text
    assert len(notes(dispute)) == 2


def test_p5_x9_a_note_is_written_by_whoever_may_open_the_case(
    dispute: Dispute, officer: Reviewer
) -> None:
    stranger = dispute.office.reviewer(Role.REGION_MANAGER, "south")
    about = {"form": new_id(), "text": WORDS}
    assert stranger.post(f"/records/{dispute.case}/notes", **about).status_code == 404
    manager = dispute.office.reviewer(Role.REGION_MANAGER, "east")
    other = dispute.rep.create("receipt", **receipt())
    assert "/notes" not in manager.page(f"/records/{other}")
    assert manager.post(f"/records/{other}/notes", **about).status_code == 404
    assert notes(dispute) == []
    (made,) = dispute.rep.phone.push(note_from(dispute.rep, dispute.case))
    assert (made["outcome"], made["problem"]["code"]) == ("rejected", "forbidden")


def note_from(rep: Rep, case: str) -> dict[str, Any]:
    """A note that a device makes up."""
    return rep.phone.create(
        "note", {"about_kind": "cross_region_case", "about": case, "text": WORDS}
    )


def test_x9_decisions_notes_and_supplements_stand_in_one_timeline(
    dispute: Dispute, officer: Reviewer, clock: FixedClock
) -> None:
    fault = dispute.rep.create(
        "product_fault",
        customer=dispute.rep.create("customer", name="好又多", customer_type="store"),
        product="Tea",
        quantity=12,
        unit="piece",
        symptom="漏液",
        found_at="2026-03-02T09:00:00+08:00",
    )
    clerk = dispute.office.reviewer(Role.SALES_CLERK, None)
    write(clerk, fault, "先登记")
    clock.advance(seconds=1)
    clerk.decide(fault, "registered", note="资料齐全", step="stay")
    made = clerk.decide(fault, "goes", note="不是我的")
    assert made.status_code in {403, 422}
    first, second = timeline(clerk, fault)
    assert "先登记" in first
    assert "Register · 资料齐全" in second
    dispute.rep.create("case_supplement", case=dispute.case, text="司机承认途中卸货")
    (added,) = timeline(officer, dispute.case)
    assert "司机承认途中卸货" in added
    assert "赵举报人" in added
    clerk.post(f"/records/{fault}/undo", seen=f"/records/{fault}")
    assert len(timeline(clerk, fault)) == 1
