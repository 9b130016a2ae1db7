"""K2, R1 on the pages: two records of the same are put before a manager. Both databases."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from server.domain.review.answering import Answer, answer_match
from server.errors import Problem
from server.extensions import db
from server.people.principal import Role
from server.people.rights import load_principal
from server.people.tables import AuditEntry, User
from server.sync.queries import StoredRecord, find_record, history
from tests.company import Company
from tests.domain.records import receipt
from tests.office import Office, Rep, Reviewer
from tests.phone import customer

EARLIER = {"name": "红星超市", "phone": "0571-8888 1234", "address": "文一路 1 号"}
LATER = {"name": "红星 超市", "phone": "057188881234", "address": "文二路 22 号"}
CLOSED = "You may not open this record."


@pytest.fixture
def office(app: Flask, company: Company) -> Office:
    """The company at its desks."""
    return Office(app, company)


@pytest.fixture
def everywhere(office: Office) -> Reviewer:
    """A manager above all regions."""
    return office.reviewer(region="root")


def register_twice(office: Office) -> tuple[str, str]:
    """The customer that a rep in Hangzhou registered first, and one in Guangzhou later."""
    earlier = office.rep("hangzhou").create("customer", **customer(**EARLIER))
    return earlier, office.rep("guangzhou").create("customer", **customer(**LATER))


def the_match(office: Office) -> str:
    """The only match, as the device of a manager above all regions holds it."""
    above = Rep(office.app, office.company.manager("root"))
    [match] = [one for one in above.phone.pull_all() if one.get("kind") == "claim_match"]
    return str(match["record"])


def stands(record: str) -> StoredRecord:
    """The record as it stands."""
    db.session.rollback()
    found = find_record(db.session(), record)
    assert found is not None
    return found


def answer(reviewer: Reviewer, match: str, **said: str) -> Any:
    """What the page answers to an answer on the first version."""
    form = {"base": "1", "answer": "same", "note": "", **said}
    return reviewer.post(f"/matches/{match}", seen="/", **form)


def test_k2_a_manager_compares_two_customers_side_by_side_from_the_queue(
    office: Office, everywhere: Reviewer
) -> None:
    earlier, later = register_twice(office)
    match = the_match(office)
    waiting = everywhere.page("/?kind=claim_match")
    assert f'href="/office/records/{match}"' in waiting
    assert "Compare the two" in waiting
    opened = everywhere.get(f"/records/{match}")
    assert opened.location == f"/office/matches/{match}"
    page = everywhere.page(f"/matches/{match}")
    assert page.index(later) < page.index(earlier)
    for side in (EARLIER, LATER):
        assert all(words in page for words in side.values())
    for words in ("Store", "Hangzhou", "Guangzhou", "Owner rep", "An answer merges nothing"):
        assert words in page
    assert page.count("captured 2026-03-02 09:12") == 2
    assert CLOSED not in page


def test_k2_an_answer_closes_the_match_and_changes_neither_record(
    office: Office, everywhere: Reviewer
) -> None:
    both = register_twice(office)
    before = [stands(record) for record in both]
    match = the_match(office)
    assert answer(everywhere, match, note="同一家店").status_code == 302
    told = stands(match).data
    assert (told["answer"], told["answer_note"], told["state"]) == ("same", "同一家店", "answered")
    assert history(db.session(), match)[-1].writer == "office"
    assert match not in everywhere.page("/")
    assert "同一家店" in everywhere.page(f"/matches/{match}")
    assert [stands(record) for record in both] == before


def test_k2_an_answer_may_be_given_anew_and_its_note_taken_back(
    office: Office, everywhere: Reviewer
) -> None:
    register_twice(office)
    match = the_match(office)
    answer(everywhere, match, answer="unsure", note="看不清")
    answer(everywhere, match, answer="different", base=str(stands(match).version))
    told = stands(match).data
    assert told["answer"] == "different"
    assert "answer_note" not in told


def test_k2_b2_of_two_who_answer_at_once_the_second_is_told_what_changed(
    office: Office,
) -> None:
    register_twice(office)
    match = the_match(office)
    both = [office.reviewer(region="root", name=name) for name in "甲乙"]
    with ThreadPoolExecutor(2) as crew:
        say = (("same", "different"), both)
        told = list(crew.map(lambda said, one: answer(one, match, answer=said), *say))
    [refused] = [one for one in told if one.status_code == 409]
    assert sorted(one.status_code for one in told) == [302, 409]
    page = refused.get_data(as_text=True)
    assert "Somebody else has answered meanwhile." in page
    alert = page.partition('role="alert"')[2].partition("</section>")[0]
    assert {"甲": told[0] is not refused, "乙": told[1] is not refused} == {
        name: f"<b>{name}</b>" in alert for name in "甲乙"
    }
    assert [one.version for one in history(db.session(), match)] == [1, 2]


def test_k2_b2_a_note_is_not_mixed_into_somebody_elses_answer(office: Office) -> None:
    register_twice(office)
    match = the_match(office)
    first, second = (office.reviewer(region="root", name=name) for name in "甲乙")
    assert answer(first, match).status_code == 302
    refused = answer(second, match, note="又看了一次")
    assert refused.status_code == 409
    assert "又看了一次</textarea>" in refused.get_data(as_text=True)
    assert "answer_note" not in stands(match).data


def test_p5_a_manager_of_one_region_sees_only_his_own_side(office: Office) -> None:
    earlier, later = register_twice(office)
    match = the_match(office)
    for region, own, other, strange in (
        ("hangzhou", earlier, later, LATER),
        ("guangzhou", later, earlier, EARLIER),
    ):
        page = office.reviewer(region=region).page(f"/matches/{match}")
        owner, stranger = (stands(record).data["owner"] for record in (own, other))
        assert own in page
        assert other not in page
        assert not any(words in page for words in strange.values())
        assert page.count(CLOSED) == 1
        assert name_of(office, owner) in page
        assert name_of(office, stranger) not in page


def name_of(office: Office, user: str) -> str:
    """The name of a person."""
    return office.company.store.get_one(User, user).name


def test_p5_whose_region_is_neither_is_told_nothing_and_answers_nothing(office: Office) -> None:
    register_twice(office)
    match = the_match(office)
    for role, region in ((Role.REGION_MANAGER, "shanghai"), (Role.MARKET_INSPECTOR, None)):
        stranger = office.reviewer(role, region)
        assert stranger.get(f"/matches/{match}").status_code == 404
        assert stranger.get(f"/records/{match}").status_code == 404
        assert answer(stranger, match).status_code == 404
    assert "answer" not in stands(match).data


def test_p5_b2_the_action_itself_takes_no_answer_to_what_may_not_be_opened(
    office: Office,
) -> None:
    earlier, _later = register_twice(office)
    store, sync = office.company.store, office.company.services.sync
    stranger, above = (
        load_principal(store, office.company.user(Role.REGION_MANAGER, region), device=None)
        for region in ("shanghai", "root")
    )
    for reader, record in ((stranger, the_match(office)), (above, earlier)):
        with pytest.raises(Problem) as refused:
            answer_match(sync, store, reader, Answer(match=record, base=1, answer="same"))
        assert refused.value.code == "not_found"


def test_p5_a_rep_gets_nothing_of_a_match(office: Office) -> None:
    reps = [office.rep(region) for region in ("hangzhou", "guangzhou")]
    for rep, values in zip(reps, (EARLIER, LATER), strict=True):
        rep.create("customer", **customer(**values))
    match = the_match(office)
    assert all(match not in str(rep.phone.pull_all()) for rep in reps)
    rep = office.reviewer(Role.REP, "hangzhou")
    assert rep.get(f"/matches/{match}").status_code in {403, 404}
    assert answer(rep, match).status_code in {403, 404}
    assert "answer" not in stands(match).data


def test_k2_who_only_may_look_sees_no_form_and_answers_nothing(office: Office) -> None:
    register_twice(office)
    match = the_match(office)
    clerk = office.reviewer(Role.SALES_CLERK, None)
    page = clerk.page(f"/matches/{match}")
    assert "A manager answers this." in page
    assert 'name="answer"' not in page
    assert answer(clerk, match).status_code == 422
    assert "answer" not in stands(match).data


def test_k4_comparing_notes_each_customer_that_was_shown_and_no_other(office: Office) -> None:
    earlier, later = register_twice(office)
    match = the_match(office)
    for region, shown in (("guangzhou", {later}), ("root", {earlier, later})):
        office.reviewer(region=region).page(f"/matches/{match}")
        assert opened(office) == shown


def opened(office: Office) -> set[str | None]:
    """The records of which an opening was noted."""
    db.session.rollback()
    wanted = select(AuditEntry.record).where(AuditEntry.what == "record_opened")
    return set(office.company.store.scalars(wanted))


def test_r1_two_receipts_of_the_same_stand_side_by_side(
    office: Office, everywhere: Reviewer
) -> None:
    values = receipt(number="No. 0001", seller="东方酒店", amount="120.00")
    both = [office.rep(region).create("receipt", **values) for region in ("hangzhou", "guangzhou")]
    match = the_match(office)
    page = everywhere.page(f"/matches/{match}")
    for words in ("No. 0001", "东方酒店", "120.00", values["date"]):
        assert page.count(words) >= 2
    assert all(f"/office/records/{record}" in page for record in both)
    assert "keeps its owner" not in page


def test_k2_a_withdrawn_side_says_so(office: Office, everywhere: Reviewer) -> None:
    rep = office.rep("hangzhou")
    first = rep.create("customer", **customer(**EARLIER))
    office.rep("guangzhou").create("customer", **customer(**LATER))
    match = the_match(office)
    rep.phone.push(rep.phone.withdraw({"kind": "customer", "record": first}, 1))
    assert "Withdrawn" in everywhere.page(f"/matches/{match}")
