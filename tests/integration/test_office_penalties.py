"""X14 in the back office: proposed by who decided, approved by the general manager, seen by few."""

import html
import re
from typing import Any

import pytest
from flask import Flask

from server.people.principal import Role
from server.work.rounds import run_pending
from tests.company import Company
from tests.domain.disputes import Dispute
from tests.office import Office, Reviewer
from tests.phone import new_id

pytestmark = pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)

HIDDEN = re.compile(r'name="(id|rests_on)" value="([^"]*)"')


@pytest.fixture
def office(app: Flask, company: Company) -> Office:
    """The company at its desks."""
    return Office(app, company)


@pytest.fixture
def case(company: Company) -> str:
    """A case across centres that the market department upheld."""
    dispute = Dispute(company)
    found = dispute.submitted(accused="广州丰源贸易")
    dispute.take(dispute.officer, found, "accepted", "nobody_accused", "facts_verified", "upheld")
    return found


@pytest.fixture
def officer(office: Office) -> Reviewer:
    """Somebody of the market department."""
    return office.reviewer(Role.MARKET_OFFICER, None)


def propose(officer: Reviewer, case: str, **given: Any) -> tuple[int, str]:
    """Sends the form as it stands on the page, filled in; the status and what came."""
    path = f"/records/{case}/penalties"
    hidden = dict(HIDDEN.findall(officer.page(path)))
    told = {"sort": "fine", "amount": "5000", "currency": "CNY", "party": "A", "reason": "首次窜货"}
    answer = officer.post(path, seen=path, **{**hidden, **told, **given})
    return answer.status_code, html.unescape(
        answer.text if answer.status_code != 302 else answer.location
    )


def test_x14_a_penalty_is_proposed_on_the_page_of_a_case_and_waits_for_the_general_manager(
    office: Office, officer: Reviewer, case: str
) -> None:
    assert f"/records/{case}/penalties" in officer.page(f"/records/{case}")
    form = officer.page(f"/records/{case}/penalties")
    assert 'value="广州丰源贸易"' in form
    assert "Loss of the rebate" in form
    rep = office.person(Role.REP, "shanghai", name="Li")
    status, where = propose(officer, case, responsible=rep)
    assert status == 302
    penalty = where.rpartition("/")[2]
    boss = office.reviewer(Role.GENERAL_MANAGER, None)
    assert penalty in boss.page("/")
    page = boss.page(f"/records/{penalty}")
    assert "5000" in page
    assert "Li" in page
    assert boss.decide(penalty, "approved").status_code == 302
    listed = officer.page(f"/records/{case}/penalties")
    assert f"/records/{penalty}" in listed
    assert "In effect" in listed


def test_p5_x9_a_note_is_offered_to_the_rep_only_where_a_rep_holds_what_it_is_about(
    officer: Reviewer, case: str
) -> None:
    penalty = propose(officer, case)[1].rpartition("/")[2]
    assert 'name="for_rep"' in officer.page(f"/records/{case}")
    page = f"/records/{penalty}"
    assert 'name="for_rep"' not in officer.page(page)
    note = {"form": new_id(), "text": "请补拍", "for_rep": "yes"}
    refused = officer.post(f"{page}/notes", seen=page, **note)
    assert refused.status_code == 422
    assert "请补拍" in refused.text


def test_x14_finance_writes_down_the_top_up_on_the_page_of_the_penalty(
    office: Office, officer: Reviewer, case: str
) -> None:
    _status, where = propose(officer, case, sort="deposit")
    penalty = where.rpartition("/")[2]
    office.reviewer(Role.GENERAL_MANAGER, None).decide(penalty, "approved")
    finance = office.reviewer(Role.FINANCE_OFFICER, None)
    assert penalty in finance.page("/")
    short = finance.decide(penalty, "topped_up", topped_up_topped_up="4999")
    assert short.status_code == 422
    paid = {"topped_up_topped_up": "5000", "topped_up_topped_up_on": "2026-03-04"}
    assert finance.decide(penalty, "topped_up", **paid).status_code == 302
    assert "The deposit is topped up" in finance.page(f"/records/{penalty}")


def test_x14_what_is_wrong_with_a_proposal_is_said_and_what_was_typed_stays(
    officer: Reviewer, case: str
) -> None:
    status, page = propose(officer, case, amount="", party="某商行", responsible="nobody")
    assert status == 422
    assert 'value="某商行"' in page
    assert "Jointly responsible" in page
    status, page = propose(officer, case, rests_on="2026-01-01T00:00:00Z")
    assert status == 409
    assert "The decision on the case has changed" in page


def test_p5_x14_who_did_not_decide_proposes_nothing_and_who_is_not_concerned_sees_nothing(
    office: Office, officer: Reviewer, case: str
) -> None:
    manager, sales = office.reviewer(), office.reviewer(Role.SALES_MANAGER)
    path = f"/records/{case}/penalties"
    assert path not in manager.page(f"/records/{case}")
    penalty = propose(officer, case)[1].rpartition("/")[2]
    assert path in manager.page(f"/records/{case}")
    assert "Propose a penalty" not in manager.page(path)
    forced = manager.post(path, seen="/", sort="warning", party="A", reason="B",
                          id=penalty[:-1] + "0", rests_on="2026-03-02T01:34:00.000Z")  # fmt: skip
    assert forced.status_code in {403, 409}
    assert path not in sales.page(f"/records/{case}")
    assert sales.get(path).status_code == 404
    assert sales.get(f"/records/{penalty}").status_code == 404


def test_x14_the_worker_puts_a_penalty_in_doubt_when_its_case_is_opened_again(
    app: Flask, office: Office, officer: Reviewer, case: str
) -> None:
    penalty = propose(officer, case)[1].rpartition("/")[2]
    boss = office.reviewer(Role.GENERAL_MANAGER, None)
    boss.decide(penalty, "approved")
    officer.decide(case, "reopened")
    run_pending(app)
    page = boss.page(f"/records/{penalty}")
    assert "In doubt: its case was opened again" in page
    assert "Say whether it still stands" in page
