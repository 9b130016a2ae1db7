"""What must hold of market cases at every step (C1 to C4), and after the faults (C5, C6)."""

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sqlalchemy.orm import Session

from server.domain.cases.actions import SERVER, is_behind
from server.domain.cases.course import derive_case, fold_case
from server.domain.cases.kinds import FINDINGS
from server.domain.cases.machines import CLOSED, CROSS_REGION, RETURNED, UNSIGNED
from server.domain.cases.penalizing import x14_rests
from server.domain.cases.penalty_actions import WATCHED
from server.domain.cases.queries import TRACE
from server.domain.cases.rules import x6_arrived
from server.domain.goods.rules import batch_key
from server.policy import Policy
from server.sync.kinds import Change
from server.sync.queries import StoredRecord, children, find_record
from tests.simulation.seen import hold

if TYPE_CHECKING:
    from tests.simulation.world import World

DECIDED = ("verdict", "decided_by", "decided_at")
FOLDED = {"tag_counts", "signatures", "signed_by", "traces", "traces_answered"}
"""Fields of a case that say nothing but what stands beneath it."""
LED = "('cross_region_case', 'batch_trace', 'penalty')"
"""Kinds with a machine that people lead."""
EFFECTIVE = (
    "SELECT r.id, m.body, m.id FROM record_version v JOIN record r ON r.key = v.record"
    f" JOIN mutation m ON m.key = v.mutation WHERE r.kind IN {LED}"
    " AND json_extract(m.body, '$.record') = r.id AND m.outcome IN ('applied', 'merged')"
    " AND m.body LIKE '%decided_at%' ORDER BY m.key"
)
STANDING = f"SELECT id, data FROM record WHERE kind IN {LED} AND state = 0"
ANSWERED = (
    "SELECT m.id FROM record_version v JOIN record r ON r.key = v.record"
    " JOIN mutation m ON m.key = v.mutation WHERE r.id = ? AND v.version = ?"
)
BETWEEN = (
    "SELECT v.changed FROM record_version v JOIN record r ON r.key = v.record"
    " WHERE r.id = ? AND v.version > ? AND v.version < ?"
)


@dataclass
class Told:
    """What was answered about cases so far; copied with a backup, and put back with it."""

    decided: set[str] = field(default_factory=set)
    """Mutations that decided a case."""
    ended: dict[int, tuple[str, str]] = field(default_factory=dict)
    """Clock → its record, and when it ended."""

    def copy(self) -> "Told":
        """The same, to go on from once more."""
        return Told(set(self.decided), dict(self.ended))


class CaseChecks:
    """The checks of one run."""

    def __init__(self, world: "World") -> None:
        self.world = world
        self.told = Told()
        self.undone: set[str] = set()
        """Cases of which somebody has taken a decision back, or tried to."""

    def note(self, record: str, *, base: int, version: int, leads_to: set[str]) -> None:
        """Somebody was answered that a decision made this version of a case; since ``base``
        nothing had been written but what a machine found (B2)."""
        ((mutation,),) = self.world.site.rows(ANSWERED, record, version)
        self.told.decided.add(mutation)
        between = self.world.site.rows(BETWEEN, record, base, version)
        names = {name for (changed,) in between for name in json.loads(changed)}
        hold("C4", names <= FINDINGS, f"{record}: saw {base}, made {version}, unseen {names}")
        ((made,),) = self.world.site.rows(BETWEEN, record, version - 1, version + 1)
        state = json.loads(made).get("state", [None, None])[1]
        stays = state is None and len(leads_to) > 1
        hold("C4", state in leads_to or stays, f"{record}: {state}, decided {leads_to}")

    def undo(self, record: str) -> None:
        """B2: what a decision had ended may go on, now or when a journal says it once more."""
        self.undone.add(record)

    def everything(self) -> None:
        """All that is quick to see."""
        self.c2_a_clock_that_ended_never_runs_again()
        self.c3_a_number_is_one_records()
        self.c4_what_was_decided_stands()

    def c2_a_clock_that_ended_never_runs_again(self) -> None:
        """X8: nor runs one twice for one item."""
        rows = self.world.site.rows(f"SELECT key, record, closed_at FROM item WHERE kind IN {LED}")
        ended = {key: (record, at) for key, record, at in rows if at is not None}
        again = {
            key: (record, at)
            for key, (record, at) in self.told.ended.items()
            if record not in self.undone and ended.get(key) != (record, at)
        }
        hold("C2", not again, again)
        self.told.ended = ended
        twice = self.world.site.rows(
            "SELECT record, task FROM item WHERE closed_at IS NULL"
            " GROUP BY record, task HAVING count(*) > 1"
        )
        hold("C2", not twice, twice)

    def c3_a_number_is_one_records(self) -> None:
        """A number that is said on the phone names one record."""
        said = "json_extract(data, '$.number')"
        twice = self.world.site.rows(
            f"SELECT {said} FROM record WHERE kind IN ('cross_region_case', 'rebuttal', 'penalty')"
            f" AND {said} IS NOT NULL GROUP BY 1 HAVING count(*) > 1"
        )
        hold("C3", not twice, twice)
        bare = self.world.site.rows(
            f"SELECT id FROM record WHERE kind = 'cross_region_case' AND {said} IS NULL"
        )
        hold("C3", not bare, bare)

    def c4_what_was_decided_stands(self) -> None:
        """B2: the last decision that a person was answered is the case's, unless one undid it."""
        last: dict[str, dict[str, Any]] = {}
        stored = set()
        for record, text, mutation in self.world.site.rows(EFFECTIVE):
            body = json.loads(text)
            stored.add(mutation)
            written = {**body.get("set", {}), **dict.fromkeys(body.get("unset", ()))}
            known = last.setdefault(record, dict.fromkeys(DECIDED))
            last[record] = {name: written.get(name, known[name]) for name in DECIDED}
        hold("C4", self.told.decided <= stored, sorted(self.told.decided - stored))
        for record, text in self.world.site.rows(STANDING):
            data = json.loads(text)
            stands = {name: data.get(name) for name in DECIDED}
            said = last.get(record, dict.fromkeys(DECIDED))
            hold("C4", stands == said, f"{record}: stands {stands}, decided {said}")


def after_the_faults(world: "World") -> None:
    """C5, C6: each case says what stands beneath it, and nobody has to look at one any more."""
    services = world.services
    with world.site.at_work() as session:
        behind = is_behind(session, services.sync, services.policy)
        hold("C6", not behind, "a case is left to be looked at")
        for (name,) in world.site.rows("SELECT id FROM record WHERE kind = 'cross_region_case'"):
            case = find_record(session, name)
            assert case is not None
            c5_a_case_says_what_stands_beneath_it(session, case, services.policy)
            c6_nothing_is_left_to_be_done_beneath(session, case)
    stuck = world.site.rows("SELECT * FROM case_look WHERE failure IS NOT NULL OR due_at > ''")
    hold("C6", not stuck, stuck)


def c5_a_case_says_what_stands_beneath_it(
    session: Session, case: StoredRecord, policy: Policy
) -> None:
    """X2, X3, X5: folded anew from nothing, and derived anew, it stays as it is."""
    if not case.live:
        return
    bare = {name: value for name, value in case.data.items() if name not in FOLDED}
    kinds = ("photo", "signature", "batch_trace", "rebuttal")
    beneath = tuple(_written(one) for kind in kinds for one in children(session, case.id, kind))
    anew = {**bare, **fold_case(bare, beneath, policy)}
    _same(case, anew)
    again = Change(
        kind=case.kind,
        record=case.id,
        before=case.data,
        after=case.data,
        withdrawn=False,
        by=SERVER,
        region=case.region,
    )
    _same(case, {**case.data, **derive_case(again, policy)})


def c6_nothing_is_left_to_be_done_beneath(session: Session, case: StoredRecord) -> None:
    """X5, X6, X14: each batch of a case at work is asked about, and none of one that is over; all
    evidence is counted; and no penalty rests on a decision that is gone."""
    traces = {one.data["batch"]: one.data["state"] for one in children(session, case.id, TRACE)}
    is_over = not case.live or CROSS_REGION.is_end(case.data["state"])
    wrong = "asked" if is_over else CLOSED
    if is_over or case.data["state"] not in {UNSIGNED, RETURNED}:
        hold("C6", wrong not in traces.values(), f"{case.id} {case.data['state']}: {traces}")
    if not is_over and case.data["state"] not in {UNSIGNED, RETURNED}:
        asked = {batch_key(batch) for batch in traces}
        lacks = {batch_key(line["batch"]) for line in case.data["lines"]} - asked
        hold("C6", not lacks, f"{case.id}: nobody is asked about {lacks}")
        rebuttals = children(session, case.id, "rebuttal")
        came = x6_arrived(case.data, {one.id: one.data.get("verified", 0) for one in rebuttals})
        hold("C6", came == case.data.get("rebuttals", []), f"{case.id}: arrived {came}")
    for one in children(session, case.id, "penalty"):
        fine = one.data["state"] not in WATCHED or x14_rests(one.data, case.data)
        hold("C6", fine, f"{one.id} rests on a decision of {case.id} that is gone")


def _written(one: StoredRecord) -> Change:
    return Change(
        kind=one.kind,
        record=one.id,
        before=None,
        after=one.data,
        withdrawn=not one.live,
        by=SERVER,
    )


def _same(case: StoredRecord, anew: dict[str, Any]) -> None:
    names = sorted({*case.data, *anew})
    differ = [
        (name, case.data.get(name), anew.get(name))
        for name in names
        if (case.data.get(name) or None) != (anew.get(name) or None)
        and name not in {"rebuttals", "policy_version"}
    ]
    hold("C5", not differ, f"{case.id}: {differ}")
