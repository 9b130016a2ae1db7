"""A cross-region case on a real store, from the signatures to the decision and back."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from typing import Any, cast

import pytest
from sqlalchemy.orm import Session

from server.casework.queries import all_work, open_work
from server.domain.cases.machines import CROSS_REGION
from server.domain.review.actions import Decision, decide
from server.errors import Problem
from server.people.principal import Role
from server.sync.queries import children, kept_about
from tests.company import Company
from tests.domain.disputes import HOUR, Dispute
from tests.domain.records import POLICY, photo
from tests.links import is_number


@pytest.fixture
def dispute(company: Company) -> Dispute:
    """A company with something to argue about."""
    return Dispute(company)


def test_b1_x7_every_state_of_a_case_has_an_owner_and_a_term_or_is_an_end() -> None:
    ends = {name for name in CROSS_REGION.states if CROSS_REGION.is_end(name)}
    assert ends == {"not_accepted", "upheld", "dismissed", "inconclusive", "withdrawn"}
    for name, state in CROSS_REGION.states.items():
        for wait in state.waits:
            assert isinstance(wait.role, Role)
            assert getattr(POLICY.terms, wait.term).whole_minutes > 0
        if name not in ends:
            assert state.moves["withdrawn"].to == "withdrawn"
        ways = [move.to for move in state.moves.values()] + [to for _when, to in state.passes]
        assert set(ways) <= set(CROSS_REGION.states)


def test_x7_every_state_of_a_case_can_be_reached_and_left_for_an_end() -> None:
    ways = {
        name: {move.to for move in state.moves.values()} | {to for _when, to in state.passes}
        for name, state in CROSS_REGION.states.items()
    }
    reached, last = {CROSS_REGION.start}, set[str]()
    while reached != last:
        last, reached = reached, reached.union(*(ways[name] for name in reached))
    assert reached == set(ways)


def test_x4_x7_a_case_goes_from_intake_to_a_decision_across_centres(dispute: Dispute) -> None:
    found, officer = dispute.submitted(), dispute.officer
    assert dispute.waiting(found) == [("market_officer", "intake", 24 * HOUR)]
    dispute.decide(officer, found, "accepted")
    assert dispute.waiting(found) == [("market_officer", "notice", 24 * HOUR)]
    dispute.decide(officer, found, "notified", note="电话通知")
    assert dispute.waiting(found) == [("market_officer", "rebuttal", 24 * HOUR)]
    dispute.rebut(found, photos=1)
    assert dispute.waiting(found) == [("market_officer", "facts", 72 * HOUR)]
    dispute.take(officer, found, "facts_verified")
    assert dispute.waiting(found) == [("market_officer", "decision", 48 * HOUR)]
    dispute.take(officer, found, "upheld")
    assert (dispute.state(found), dispute.waiting(found)) == ("upheld", [])
    assert dispute.data(found)["policy_version"] == POLICY.version
    tasks = [work.task for work in all_work(dispute.company.store, found)]
    assert set(tasks) == {"unsigned", "intake", "notice", "rebuttal", "facts", "decision"}


@pytest.mark.parametrize(
    ("parts", "state", "role"),
    [
        ((), "region_submitted", "region_manager"),
        (("sales_manager",), "submitted", "market_officer"),
    ],
    ids=["only the region manager", "both"],
)
def test_x4_goods_inside_one_centre_are_the_regions_unless_both_managers_signed(
    dispute: Dispute, parts: tuple[str, ...], state: str, role: str
) -> None:
    found = dispute.inside(*parts)
    assert dispute.state(found) == state
    assert dispute.waiting(found) == [(role, "intake", 24 * HOUR)]


def test_x4_the_sales_managers_word_alone_does_not_bring_a_case_before_the_market_department(
    dispute: Dispute,
) -> None:
    found = dispute.find()
    dispute.sign(found, "affected_dealer", "sales_manager")
    dispute.server_writes(found, inside_centre=True)
    assert dispute.state(found) == "region_submitted"
    dispute.sign(found, "region_manager")
    assert dispute.state(found) == "submitted"


def test_x7_inside_one_centre_the_region_decides_within_24_hours(dispute: Dispute) -> None:
    found, manager = dispute.inside(), dispute.manager
    with pytest.raises(Problem) as refused:
        dispute.decide(dispute.officer, found, "accepted")
    assert refused.value.fields == {"verdict": "not_your_role"}
    dispute.take(manager, found, "accepted", "notified")
    assert dispute.state(found) == "region_rebuttal"
    dispute.advance(hours=24, seconds=1)
    assert dispute.state(found) == "region_facts"
    dispute.take(manager, found, "facts_verified")
    assert dispute.waiting(found) == [("region_manager", "decision", 24 * HOUR)]
    dispute.take(manager, found, "dismissed")
    assert dispute.state(found) == "dismissed"


@pytest.mark.parametrize(
    ("moment", "photos", "state"),
    [
        (timedelta(hours=24, seconds=-1), 1, "facts"),
        (timedelta(hours=24, seconds=-1), 0, "rebuttal"),
        (timedelta(hours=24), None, "rebuttal"),
        (timedelta(hours=24, seconds=1), None, "facts"),
        (timedelta(hours=24, seconds=1), 0, "facts"),
    ],
    ids=["evidence in time", "words in time", "at the end", "nothing", "words too late"],
)
def test_x6_the_accused_has_24_hours_from_the_recorded_notice_for_evidence(
    dispute: Dispute, moment: timedelta, photos: int | None, state: str
) -> None:
    found = dispute.submitted()
    dispute.take(dispute.officer, found, "accepted", "notified")
    dispute.advance(seconds=moment.total_seconds())
    if photos is not None:
        dispute.rebut(found, photos)
    assert dispute.state(found) == state
    assert [entry["photos"] for entry in dispute.data(found).get("rebuttals", ())] == (
        [] if photos is None else [photos]
    )


def test_x6_who_cannot_be_told_has_nothing_to_answer(dispute: Dispute) -> None:
    found = dispute.submitted()
    dispute.take(dispute.officer, found, "accepted", "nobody_accused")
    assert dispute.state(found) == "facts"


def test_x7_an_authorised_inspector_works_the_case_and_gives_it_back(dispute: Dispute) -> None:
    found = dispute.submitted()
    inspector = dispute.reviewer(Role.MARKET_INSPECTOR, "east")
    dispute.take(dispute.officer, found, "accepted", "nobody_accused")
    with pytest.raises(Problem) as refused:
        dispute.decide(inspector, found, "facts_verified")
    assert refused.value.fields == {"verdict": "not_your_role"}
    dispute.take(dispute.officer, found, "inspect")
    assert dispute.queue(inspector) == [(found, "inspect")]
    dispute.take(inspector, found, "inspected")
    assert dispute.waiting(found) == [("market_officer", "facts", 72 * HOUR)]


def test_x7_a_decision_across_centres_is_in_time_up_to_48_hours(dispute: Dispute) -> None:
    found = dispute.submitted()
    dispute.take(dispute.officer, found, "accepted", "nobody_accused", "facts_verified")
    dispute.advance(hours=48)
    (work,) = open_work(dispute.company.store, [found])[found]
    assert work.missed_at is None
    dispute.advance(seconds=1)
    (work,) = open_work(dispute.company.store, [found])[found]
    assert (work.missed_at is not None, work.escalated_to) == (True, "sales_director")
    dispute.take(dispute.officer, found, "inconclusive")
    assert any(one.missed_at for one in all_work(dispute.company.store, found))


def test_x9_what_was_sent_back_waits_for_the_rep_and_is_handed_in_again(dispute: Dispute) -> None:
    found = dispute.submitted()
    dispute.take(dispute.officer, found, "returned")
    assert dispute.waiting(found) == [("rep", "mend", 72 * HOUR)]
    dispute.patch(dispute.seller, found, reason="补充批号照片")
    assert dispute.waiting(found) == [("market_officer", "intake", 24 * HOUR)]
    assert "changed_after_signing" not in dispute.data(found)["flags"]


@pytest.mark.parametrize("verdicts", [(), ("accepted",), ("accepted", "nobody_accused")])
def test_x9_the_rep_takes_a_case_back_with_a_reason(
    dispute: Dispute, verdicts: tuple[str, ...]
) -> None:
    found = dispute.submitted()
    dispute.take(dispute.officer, found, *verdicts)
    dispute.patch(dispute.seller, found, withdrawal_reason="双方和解")
    assert (dispute.state(found), dispute.waiting(found)) == ("withdrawn", [])
    assert dispute.data(found)["flags"] == []
    with pytest.raises(Problem) as refused:
        dispute.take(dispute.officer, found, "accepted")
    assert refused.value.fields == {"verdict": "not_in_state"}


def test_x9_a_case_that_is_over_is_not_taken_back(dispute: Dispute) -> None:
    found = dispute.submitted()
    dispute.take(dispute.officer, found, "not_accepted")
    now = dispute.record(found)
    wire = {"action": "patch", "kind": now.kind, "record": found, "base": now.version}
    result = dispute.send(dispute.seller, {**wire, "set": {"withdrawal_reason": "x"}})
    assert result["problem"]["fields"] == {"withdrawal_reason": "not_in_state"}


@pytest.mark.parametrize(
    ("verdicts", "state"),
    [
        (("accepted", "nobody_accused", "facts_verified", "upheld"), "facts"),
        (("not_accepted",), "submitted"),
    ],
    ids=["decided", "not taken in"],
)
def test_x7_a_case_that_is_over_is_opened_again_by_right_and_with_a_reason(
    dispute: Dispute, verdicts: tuple[str, ...], state: str
) -> None:
    found = dispute.submitted()
    dispute.take(dispute.officer, found, *verdicts)
    with pytest.raises(Problem) as refused:
        dispute.decide(dispute.officer, found, "reopened", reason="")
    assert refused.value.fields == {"verdict_reason": "required"}
    dispute.advance(minutes=1)
    dispute.decide(dispute.reviewer(Role.SALES_DIRECTOR, None), found, "reopened", reason="新证据")
    assert dispute.state(found) == state
    assert dispute.waiting(found)


def test_b2_a_move_that_is_taken_back_leaves_the_case_where_it_was_with_its_clock(
    dispute: Dispute,
) -> None:
    found = dispute.submitted()
    dispute.advance(hours=5)
    dispute.decide(dispute.officer, found, "not_accepted")
    assert dispute.waiting(found) == []
    dispute.undo(dispute.officer, found)
    assert dispute.waiting(found) == [("market_officer", "intake", 19 * HOUR)]


def test_x1_a_case_has_a_number_that_can_be_said_on_the_phone_and_stays(dispute: Dispute) -> None:
    found = dispute.submitted()
    number = dispute.data(found)["number"]
    assert is_number(number)
    dispute.take(dispute.officer, found, "accepted")
    assert dispute.data(found)["number"] == number
    assert dispute.data(dispute.find())["number"] != number


def test_x9_a_supplement_stands_beside_what_was_submitted_and_changes_nothing_of_it(
    dispute: Dispute,
) -> None:
    found = dispute.submitted()
    before = dispute.record(found)
    added = dispute.create(dispute.seller, "case_supplement", case=found, text="司机承认途中卸货")
    shown = photo(parent_kind="case_supplement", parent=added, tag="document")
    dispute.create(dispute.seller, "photo", **shown)
    after = dispute.record(found)
    assert (after.data, after.version) == (before.data, before.version)
    assert [one.id for one in children(dispute.company.store, found, "case_supplement")] == [added]
    assert dispute.patch(dispute.seller, added, text="别的")["outcome"] == "conflict"
    assert dispute.data(added)["text"] == "司机承认途中卸货"


def test_x9_a_supplement_hands_in_again_what_was_sent_back(dispute: Dispute) -> None:
    found = dispute.submitted()
    dispute.take(dispute.officer, found, "returned")
    dispute.create(dispute.seller, "case_supplement", case=found, text="批号见照片")
    assert dispute.waiting(found) == [("market_officer", "intake", 24 * HOUR)]


def test_b2_of_two_officers_at_the_same_moment_one_decides_and_the_other_is_told_what_changed(
    dispute: Dispute,
) -> None:
    found = dispute.submitted()
    base, store = dispute.record(found).version, dispute.company.store
    services = dispute.company.services
    officers = [dispute.reviewer(Role.MARKET_OFFICER, None) for _ in range(2)]
    said = [("accepted", "证据充分"), ("not_accepted", "批号看不清")]
    together, engine = Barrier(2), store.get_bind()
    store.rollback()

    def decide_alone(place: int) -> str:
        verdict, note = said[place]
        decision = Decision(
            record=found, base=base, verdict=cast("Any", verdict), reason="依据", note=note
        )
        with Session(engine) as session:
            together.wait(timeout=300)
            try:
                decide(services.sync, session, officers[place], decision)
            except Problem as problem:
                return problem.code
        return "decided"

    with ThreadPoolExecutor(2) as threads:
        told = list(threads.map(decide_alone, range(2)))
    assert sorted(told) == ["decided", "wrong_state"]
    won, lost = told.index("decided"), told.index("wrong_state")
    assert dispute.data(found)["verdict"] == said[won][0]
    assert dispute.data(found)["decided_by"] == officers[won].user
    (kept,) = kept_about(store, found)
    assert said[lost][1] in str(kept.data)


def test_b2_what_a_machine_finds_meanwhile_refuses_no_ones_decision(dispute: Dispute) -> None:
    found = dispute.submitted()
    seen = dispute.record(found).version
    dispute.look()
    assert dispute.record(found).version > seen
    dispute.decide(dispute.officer, found, "accepted", base=seen)
    assert dispute.state(found) == "notice"


def test_b2_an_answer_of_logistics_meanwhile_is_told_to_whoever_decides(dispute: Dispute) -> None:
    found = dispute.submitted()
    dispute.look()
    seen = dispute.record(found).version
    (trace,) = children(dispute.company.store, found, "batch_trace")
    dispute.decide(dispute.reviewer(Role.LOGISTICS_OFFICER, None), trace.id, "not_shipped")
    with pytest.raises(Problem) as late:
        dispute.decide(dispute.officer, found, "accepted", base=seen)
    assert late.value.code == "wrong_state"
    assert dispute.data(found)["traces_answered"] == 1


def test_b2_a_decision_is_taken_back_though_a_machine_found_something_after_it(
    dispute: Dispute,
) -> None:
    found = dispute.submitted()
    dispute.decide(dispute.officer, found, "accepted")
    decided = dispute.record(found).version
    dispute.look()
    assert dispute.record(found).version > decided
    dispute.undo(dispute.officer, found)
    assert dispute.state(found) == "submitted"
    with pytest.raises(Problem):
        dispute.undo(dispute.officer, found)


def test_x6_evidence_that_was_announced_and_never_came_does_not_count(dispute: Dispute) -> None:
    found = dispute.submitted()
    dispute.take(dispute.officer, found, "accepted", "notified")
    rebuttal = dispute.rebut(found, photos=2, arrived=0)
    dispute.look()
    assert dispute.state(found) == "rebuttal"
    dispute.advance(hours=24, seconds=1)
    assert dispute.state(found) == "facts"
    assert dispute.data(found)["rebuttals"] == [{"rebuttal": rebuttal, "photos": 2}]


def test_x6_evidence_that_arrives_ends_the_time_of_the_accused_early_and_is_counted(
    dispute: Dispute,
) -> None:
    found = dispute.submitted()
    dispute.take(dispute.officer, found, "accepted", "notified")
    rebuttal = dispute.rebut(found, photos=2, arrived=1)
    assert dispute.state(found) == "facts"
    seen = dispute.record(found).version
    dispute.evidence_arrives(rebuttal)
    (told,) = dispute.data(found)["rebuttals"]
    assert told == {"rebuttal": rebuttal, "photos": 2, "arrived": 2}
    with pytest.raises(Problem) as late:
        dispute.decide(dispute.officer, found, "facts_verified", base=seen)
    assert late.value.code == "wrong_state"


def test_x6_nobody_takes_back_the_evidence_of_the_accused_from_a_device(dispute: Dispute) -> None:
    found = dispute.submitted()
    dispute.take(dispute.officer, found, "accepted", "notified")
    rebuttal = dispute.rebut(found, photos=1)
    held = dispute.record(rebuttal)
    wire = {"action": "withdraw", "kind": "rebuttal", "record": rebuttal, "base": held.version}
    answer = dispute.send(dispute.seller, wire)
    assert (answer["outcome"], answer["problem"]["code"]) == ("rejected", "forbidden")
    assert dispute.record(rebuttal).version == held.version


def test_x9_a_case_is_taken_back_with_a_reason_and_not_out_of_sight(dispute: Dispute) -> None:
    found = dispute.submitted()
    wire = {"action": "withdraw", "kind": "cross_region_case", "record": found}
    answer = dispute.send(dispute.seller, {**wire, "base": dispute.record(found).version})
    assert (answer["outcome"], answer["problem"]["code"]) == ("rejected", "validation")
    assert dispute.state(found) == "submitted"
    assert open_work(dispute.company.store, [found])[found]
