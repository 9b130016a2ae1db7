"""X14: a penalty is proposed with a decision and takes effect on the general manager's approval."""

from typing import Any

import pytest
from sqlalchemy import select

from server.casework.queries import all_work
from server.domain.cases.penalizing import x14_may_propose
from server.domain.cases.penalty_actions import (
    Proposal,
    follow_penalties,
    penalties_of,
    propose_penalty,
)
from server.errors import Problem
from server.people.principal import Principal, Role
from server.people.tables import User
from server.sync.queries import may_open
from server.sync.tables import Record
from tests.company import Company
from tests.domain.disputes import HOUR, Dispute
from tests.domain.records import POLICY
from tests.links import is_number

DAY = 24 * HOUR
SQLITE = pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
FINE = {"sort": "fine", "amount": "5000.00", "currency": "CNY"}
DEPOSIT = {**FINE, "sort": "deposit"}


class Court(Dispute):
    """Cases that were decided, and whoever punishes."""

    def __init__(self, company: Company) -> None:
        super().__init__(company)
        self.boss = self.reviewer(Role.GENERAL_MANAGER, None)
        self.finance = self.reviewer(Role.FINANCE_OFFICER, None)

    def upheld(self) -> str:
        """A case across centres that the market department upheld."""
        found = self.submitted()
        self.take(self.officer, found, "accepted", "nobody_accused", "facts_verified", "upheld")
        return found

    def upheld_inside(self) -> str:
        """A case inside one centre that the region upheld."""
        found = self.inside()
        self.take(self.manager, found, "accepted", "nobody_accused", "facts_verified", "upheld")
        return found

    def proposal(self, case: str, **given: Any) -> Proposal:
        """What the office may say of a case."""
        told = {"sort": "warning", "party": "广州某商行", "reason": "首次窜货", **given}
        rests_on = str(self.data(case).get("decided_at", "2026-03-02T09:00:00Z"))
        new = self.company.services.ids.new()
        return Proposal(**{"id": new, "case": case, "rests_on": rests_on, **told})

    def propose(self, case: str, by: Principal | None = None, **given: Any) -> str:
        """A penalty beneath ``case``."""
        said = self.proposal(case, **given)
        services = self.company.services
        return propose_penalty(self.company.store, services.sync, by or self.officer, said)

    def follow(self) -> None:
        """The worker holds penalties against their cases until there is nothing more."""
        while follow_penalties(self.company.store, self.company.services.sync):
            continue

    def reopen(self, case: str) -> None:
        """The case is investigated again, and the worker has seen it."""
        self.take(self.officer, case, "reopened")
        self.follow()


@pytest.fixture
def court(company: Company) -> Court:
    """Cases that were decided, and whoever punishes."""
    return Court(company)


def test_x14_a_penalty_takes_effect_only_on_the_general_managers_approval(court: Court) -> None:
    penalty = court.propose(court.upheld(), **FINE)
    assert court.waiting(penalty) == [("general_manager", "approve", 3 * DAY)]
    assert is_number(court.data(penalty)["number"])
    for other in (court.officer, court.finance):
        with pytest.raises(Problem) as refused:
            court.decide(other, penalty, "approved")
        assert refused.value.fields == {"verdict": "not_your_role"}
    with pytest.raises(Problem) as unreasoned:
        court.decide(court.boss, penalty, "approved", reason="")
    assert unreasoned.value.fields == {"verdict_reason": "required"}
    court.take(court.boss, penalty, "approved")
    assert (court.state(penalty), court.waiting(penalty)) == ("effective", [])
    assert court.data(penalty)["policy_version"] == POLICY.version


def test_x14_refused_with_a_reason_or_taken_back_it_is_over(court: Court) -> None:
    case = court.upheld()
    refused, taken_back = court.propose(case), court.propose(case)
    court.take(court.boss, refused, "refused")
    court.take(court.officer, taken_back, "taken_back")
    for penalty, state in ((refused, "refused"), (taken_back, "taken_back")):
        assert (court.state(penalty), court.waiting(penalty)) == (state, [])
        with pytest.raises(Problem) as over:
            court.decide(court.boss, penalty, "approved")
        assert over.value.fields == {"verdict": "not_in_state"}
    court.reopen(case)
    assert (court.state(refused), court.state(taken_back)) == ("refused", "taken_back")


def test_x14_a_deduction_from_the_deposit_is_topped_up_within_three_days(court: Court) -> None:
    penalty = court.propose(court.upheld(), **DEPOSIT)
    court.take(court.boss, penalty, "approved")
    assert court.waiting(penalty) == [("finance_officer", "top_up", 3 * DAY)]
    paid = {"topped_up": "5000", "topped_up_on": "2026-03-05"}
    for values, wrong in (
        ({}, {"topped_up": "required", "topped_up_on": "required"}),
        ({**paid, "topped_up": "4999.99"}, {"topped_up": "too_small:5000.00"}),
    ):
        with pytest.raises(Problem) as refused:
            court.decide(court.finance, penalty, "topped_up", values=values)
        assert refused.value.fields == wrong
    court.decide(court.finance, penalty, "topped_up", values=paid)
    assert (court.state(penalty), court.waiting(penalty)) == ("topped_up", [])


def test_x8_x14_a_missed_top_up_goes_on_to_the_next_and_stays_visible_for_ever(
    court: Court,
) -> None:
    penalty = court.propose(court.upheld(), **DEPOSIT)
    court.take(court.boss, penalty, "approved")
    court.advance(days=3)
    [clock] = (one for one in all_work(court.company.store, penalty) if one.task == "top_up")
    assert clock.missed_at is None
    court.advance(seconds=1)
    court.take(court.boss, penalty, "given_up")
    assert court.state(penalty) == "not_topped_up"
    [clock] = (one for one in all_work(court.company.store, penalty) if one.task == "top_up")
    assert (clock.missed_at is not None, clock.escalated_to) == (True, Role.MARKET_OFFICER)
    assert clock.standing(court.company.services.clock.now()) == "done_late"


@pytest.mark.parametrize("state", ["proposed", "effective", "top_up", "topped_up", "not_topped_up"])
def test_x14_whatever_became_of_it_it_waits_for_a_person_once_its_case_is_opened_again(
    court: Court, state: str
) -> None:
    case = court.upheld()
    penalty = court.propose(case, **(FINE if state == "effective" else DEPOSIT))
    if state != "proposed":
        court.take(court.boss, penalty, "approved")
    if state == "topped_up":
        paid = {"topped_up": "5000", "topped_up_on": "2026-03-05"}
        court.decide(court.finance, penalty, "topped_up", values=paid)
    if state == "not_topped_up":
        court.take(court.boss, penalty, "given_up")
    assert court.state(penalty) == state
    court.reopen(case)
    assert court.waiting(penalty) == [("general_manager", "confirm", 3 * DAY)]
    with pytest.raises(Problem) as refused:
        court.decide(court.boss, penalty, "stands")
    assert refused.value.fields == {"verdict": "not_in_state"}
    court.take(court.officer, case, "facts_verified", "upheld")
    court.follow()
    assert court.state(penalty) == "doubted"
    court.take(court.boss, penalty, "stands")
    court.follow()
    wanted = "top_up" if state in {"proposed", "top_up", "not_topped_up"} else "effective"
    assert court.state(penalty) == wanted
    assert court.data(penalty)["rests_on"] == court.data(case)["decided_at"]


def test_x14_one_whose_case_is_dismissed_in_the_end_is_lifted_by_a_person(court: Court) -> None:
    case = court.upheld()
    penalty = court.propose(case)
    court.take(court.boss, penalty, "approved")
    court.reopen(case)
    court.take(court.officer, case, "facts_verified", "dismissed")
    court.follow()
    assert court.state(penalty) == "doubted"
    court.take(court.boss, penalty, "lifted")
    assert (court.state(penalty), court.waiting(penalty)) == ("lifted", [])


def test_x14_nothing_is_approved_on_a_case_that_was_opened_before_the_worker_saw_it(
    court: Court,
) -> None:
    case = court.upheld()
    penalty = court.propose(case)
    court.take(court.officer, case, "reopened")
    with pytest.raises(Problem) as refused:
        court.decide(court.boss, penalty, "approved")
    assert refused.value.fields == {"verdict": "not_in_state"}


def test_x14_a_case_opened_and_upheld_again_while_nobody_looked_leaves_no_penalty_standing(
    court: Court,
) -> None:
    case = court.upheld()
    penalty = court.propose(case)
    court.take(court.boss, penalty, "approved")
    court.take(court.officer, case, "reopened", "facts_verified", "upheld")
    court.follow()
    assert court.state(penalty) == "doubted"


def test_x14_a_top_up_that_came_in_is_written_down_though_the_case_is_open_again(
    court: Court,
) -> None:
    case = court.upheld()
    penalty = court.propose(case, **DEPOSIT)
    court.take(court.boss, penalty, "approved")
    court.take(court.officer, case, "reopened")
    paid = {"topped_up": "5000", "topped_up_on": "2026-03-05"}
    court.decide(court.finance, penalty, "topped_up", values=paid)
    assert (court.state(penalty), court.data(penalty)["topped_up"]) == ("doubted", "5000")


def test_b2_x14_an_approval_is_taken_back_within_seconds(court: Court) -> None:
    penalty = court.propose(court.upheld(), **DEPOSIT)
    court.take(court.boss, penalty, "approved")
    court.undo(court.boss, penalty)
    assert [task for _role, task, _left in court.waiting(penalty)] == ["approve"]
    court.take(court.boss, penalty, "refused")
    assert court.state(penalty) == "refused"


def test_x14_only_the_role_that_decided_a_case_proposes(court: Court) -> None:
    across, inside = court.upheld(), court.upheld_inside()
    assert court.propose(across, court.officer)
    assert court.propose(inside, court.manager)
    south = court.reviewer(Role.REGION_MANAGER, "south")
    for case, by, code in (
        (across, court.manager, "forbidden"),
        (inside, court.officer, "forbidden"),
        (across, court.boss, "forbidden"),
        (inside, south, "not_found"),
        (across, court.finance, "not_found"),
    ):
        with pytest.raises(Problem) as refused:
            court.propose(case, by)
        assert refused.value.code == code


def test_x14_no_penalty_without_a_decision_that_upholds_the_case(court: Court) -> None:
    open_case, over = court.submitted(), court.submitted()
    court.take(court.officer, over, "not_accepted")
    for case in (open_case, over):
        with pytest.raises(Problem) as refused:
            court.propose(case)
        assert refused.value.code == "wrong_state"


def test_x14_a_proposal_on_a_decision_that_somebody_changed_meanwhile_is_refused(
    court: Court,
) -> None:
    case = court.upheld()
    seen = court.data(case)["decided_at"]
    court.take(court.officer, case, "reopened", "facts_verified", "upheld")
    with pytest.raises(Problem) as refused:
        court.propose(case, rests_on=seen)
    assert refused.value.code == "wrong_state"


@pytest.mark.parametrize(
    ("given", "wrong"),
    [
        ({"sort": "fine"}, {"amount": "required"}),
        ({"sort": "deposit", "currency": "CNY"}, {"amount": "required"}),
        ({"sort": "fine", "amount": "0.00", "currency": "CNY"}, {"amount": "above:0"}),
        ({"sort": "fine", "amount": "100"}, {"currency": "required"}),
        ({"sort": "fine", "amount": "-1", "currency": "CNY"}, {"amount": "decimal"}),
        ({"sort": "prison"}, {"sort": "choice"}),
        ({"reason": ""}, {"reason": "required"}),
        ({"responsible": ("nobody",)}, {"responsible": "reference"}),
    ],
)
@SQLITE
def test_x14_what_a_penalty_says_is_checked_before_anything_is_written(
    court: Court, given: dict[str, Any], wrong: dict[str, str]
) -> None:
    with pytest.raises(Problem) as refused:
        court.propose(court.upheld(), **given)
    assert refused.value.fields == wrong
    assert not court.company.store.scalar(select(Record.id).where(Record.kind == "parked"))


@SQLITE
def test_x14_jointly_responsible_staff_are_named_and_the_policys_own_sorts_are_offered(
    court: Court,
) -> None:
    rep = court.company.store.get(User, court.seller.user)
    assert rep is not None
    penalty = court.propose(court.upheld(), sort="rebate", responsible=(rep.username,))
    assert court.data(penalty)["responsible"] == [court.seller.user]
    assert court.data(penalty)["sort"] == "rebate"


@SQLITE
def test_x14_the_same_form_sent_twice_proposes_one_penalty(court: Court) -> None:
    case, services = court.upheld(), court.company.services
    said = court.proposal(case)
    for _again in range(2):
        propose_penalty(court.company.store, services.sync, court.officer, said)
    assert len(penalties_of(court.company.store, services.sync, court.officer, case)) == 1
    assert court.record(said.id).version == 1


def test_p5_x14_no_device_is_told_of_a_penalty_and_only_those_concerned_open_it(
    court: Court,
) -> None:
    case = court.upheld()
    before = court.data(case)
    penalty = court.record(court.propose(case))
    assert court.data(case) == before
    registry = court.company.services.sync.registry
    on_devices = [court.seller, court.on_device(Role.SALES_MANAGER, "east"), court.manager]
    assert not any(penalty.scopes & one.scopes for one in on_devices)
    readers = {
        role
        for role in Role
        if may_open(registry, court.reviewer(role, "east"), court.record(penalty.id))
    }
    assert readers == {
        Role.MARKET_OFFICER, Role.REGION_MANAGER, Role.SALES_DIRECTOR, Role.GENERAL_MANAGER,
        Role.FINANCE_OFFICER,
    }  # fmt: skip
    elsewhere = court.reviewer(Role.REGION_MANAGER, "south")
    assert not may_open(registry, elsewhere, court.record(penalty.id))


@SQLITE
def test_p5_x14_a_proposal_that_is_refused_in_a_race_is_kept_where_no_device_is_told_of_it(
    court: Court,
) -> None:
    found = court.upheld()
    warned = {"sort": "warning", "party": "广州某商行", "reason": "首次窜货"}
    stale = {"case": found, "rests_on": "2020-01-01T00:00:00Z", **warned}
    told = court.send(
        court.officer, {"action": "create", "kind": "penalty", "set": stale}, writer="office"
    )
    kept = court.record(told["parked"])
    assert kept.scopes == {"office", f"user:{court.officer.user}"}
    assert kept.region == court.record(found).region


@SQLITE
def test_p5_x9_a_note_that_is_refused_is_kept_for_its_author_alone(court: Court) -> None:
    found = court.upheld()
    about = {"about_kind": "price_report", "about": found, "text": "不要告诉业务员"}
    told = court.send(
        court.manager, {"action": "create", "kind": "note", "set": about}, writer="office"
    )
    assert told["outcome"] == "rejected"
    assert court.record(told["parked"]).scopes == {f"user:{court.manager.user}"}


@SQLITE
def test_p5_x14_a_device_creates_no_penalty(court: Court) -> None:
    case = court.upheld()
    values = {"case": case, "sort": "warning", "party": "A", "reason": "B",
              "rests_on": court.data(case)["decided_at"]}  # fmt: skip
    for sender in (court.seller, court.on_device(Role.MARKET_OFFICER, None)):
        result = court.send(sender, {"action": "create", "kind": "penalty", "set": values})
        assert result["outcome"] in {"rejected", "waiting"}, result
        assert not penalties_of(court.company.store, court.company.services.sync, court.boss, case)


@SQLITE
def test_x14_a_region_manager_proposes_nothing_on_a_case_of_another_region(court: Court) -> None:
    case = court.data(court.upheld_inside())
    assert x14_may_propose(court.manager, "cross_region_case", case)
    elsewhere = court.reviewer(Role.REGION_MANAGER, "south")
    assert not x14_may_propose(elsewhere, "cross_region_case", case)


@SQLITE
def test_b2_x14_a_top_up_is_taken_back_though_the_case_was_opened_meanwhile(court: Court) -> None:
    case = court.upheld()
    penalty = court.propose(case, **DEPOSIT)
    court.take(court.boss, penalty, "approved")
    court.wait(seconds=5)
    paid = {"topped_up": "5000", "topped_up_on": "2026-03-05"}
    court.decide(court.finance, penalty, "topped_up", values=paid)
    court.decide(court.officer, case, "reopened")
    court.undo(court.finance, penalty)
    assert court.state(penalty) == "doubted"
    assert "topped_up" not in court.data(penalty)
