"""A reviewer's day in the back office: the same decisions that the pages make."""

from collections import Counter
from collections.abc import Mapping
from itertools import cycle

from sqlalchemy.orm import Session as Store

from server.domain import queries
from server.domain.cases.actions import is_behind
from server.domain.review.actions import Decision, decide
from server.media.pictures import list_unexamined
from server.people import rights
from server.people.principal import Principal
from server.services import Services

PATTERN: tuple[str, ...] = ("accepted", "accepted", "returned", "accepted", "rejected")
TAKEN_IN = "accepted"
LEFT_OPEN = 4
"""Every so many things stay in the queue, and its last, for whoever looks at the demonstration."""
GUIDANCE: Mapping[str, str] = {
    "accepted": "",
    "returned": "请补拍清晰的照片。Please add a clear photo.",
    "rejected": "请按公司规定办理。Please follow the company's rules.",
}


def is_unseen(store: Store, services: Services) -> bool:
    """Whether the worker still has to look into bytes or cases that arrived."""
    return bool(list_unexamined(store)) or is_behind(store, services.sync, services.policy)


def review_queue(store: Store, services: Services, user: str) -> Counter[str]:
    """Decides most of what waits for ``user``; how often each verdict was given."""
    reviewer = rights.load_principal(store, user, device=None)
    waiting = queries.queue(store, services.sync.registry, reviewer, now=services.clock.now())
    verdicts = cycle(PATTERN)
    given: Counter[str] = Counter()
    for number, row in enumerate(waiting, start=1):
        is_left = number % LEFT_OPEN == 0 or number == len(waiting)
        if not is_left and _may_decide(reviewer, row):
            verdict = TAKEN_IN if row.kind.machine else next(verdicts)
            given[_decide(store, services, reviewer, row, verdict)] += 1
    return given


def _may_decide(reviewer: Principal, row: queries.QueueRow) -> bool:
    """Whether ``reviewer`` may judge it; of a case: whether it waits to be taken in by them."""
    machine, data = row.kind.machine, row.record.data
    if machine is None:
        return reviewer.has(row.kind.decide_roles, row.record.region)
    move = machine.move(str(data.get("state")), TAKEN_IN)
    return move is not None and reviewer.has(move.roles, row.record.region)


def _decide(
    store: Store,
    services: Services,
    reviewer: Principal,
    row: queries.QueueRow,
    verdict: str,
) -> str:
    decision = Decision(
        record=row.record.id,
        base=row.record.version,
        verdict=verdict,
        reason=services.policy.review.reasons[verdict][0],
        guidance=GUIDANCE[verdict],
    )
    decide(services.sync, store, reviewer, decision)
    return verdict
