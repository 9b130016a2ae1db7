"""The kind ``batch_trace`` (X5): made by the server, answered by logistics."""

from collections.abc import Mapping

from server.casework.items import Waits
from server.casework.machine import Condition
from server.clock import from_wire
from server.domain.cases.machines import ANSWERED, TRACE
from server.domain.cases.rules import p5_office_only, x5_answers
from server.domain.cases.schemas import BatchTrace
from server.domain.declaration import kind_from_schema
from server.domain.review.steps import b1_waits, b2_step_errors, derive_steps
from server.policy import Policy
from server.roles import Role
from server.sync.kinds import Change, Data, RecordKind
from server.values import replace

READERS = frozenset({Role.LOGISTICS_OFFICER, Role.MARKET_OFFICER, Role.REGION_MANAGER})
WITH_ITS_CASE: Mapping[str, Condition] = {
    "case_over": lambda trace: trace.get("case_over") is True,
    "case_goes_on": lambda trace: trace.get("case_over") is not True,
}
"""X5: when a question ends, or is asked again, by itself."""


def batch_trace_kind(policy: Policy) -> RecordKind:
    """X5: where one batch of a case went."""

    def derive(change: Change, _parent: Data | None) -> Data:
        told = derive_steps(TRACE, change, policy=policy, when=WITH_ITS_CASE)
        is_open = told["state"] != ANSWERED
        return {**told, "answers": [] if is_open else x5_answers(change.after)}

    return kind_from_schema(
        BatchTrace,
        "batch_trace",
        zh="物流回复",
        en="Batch trace",
        parent="case",
        follow=p5_office_only,
        create_roles=frozenset(),
        office_roles=READERS,
        decide_roles=TRACE.roles(),
        check=lambda change, _parent: b2_step_errors(TRACE, change),
        derive=derive,
        waits=lambda change: x5_waits(change, policy),
        machine=TRACE,
        is_closed=lambda trace: TRACE.is_end(str(trace.get("state"))),
        summary=("batch", "asked_at", "proposed"),
        label="batch",
    )


def x5_waits(change: Change, policy: Policy) -> Waits:
    """X5: the clock of a trace began when its case was submitted, whenever it was written down."""
    waits = b1_waits(TRACE, policy, change)
    if change.before is not None or not waits:
        return waits
    began = from_wire(str(change.after["asked_at"]))
    return tuple(replace(item, since=began) for item in waits)
