"""The states of a penalty as data (X14): nothing takes effect without the general manager. Pure."""

from server.casework.machine import Machine, Move, State, Wait
from server.roles import Role

PROPOSED = "proposed"
EFFECTIVE = "effective"
DOUBTED = "doubted"

APPROVERS = frozenset({Role.GENERAL_MANAGER})
PROPOSERS = frozenset({Role.MARKET_OFFICER, Role.REGION_MANAGER})
FINANCE = frozenset({Role.FINANCE_OFFICER})

REOPENED = ("case_reopened", DOUBTED)
"""A penalty whose decision is gone waits for a person; it never stands by itself."""


def _waits(role: Role, task: str, term: str) -> tuple[Wait, ...]:
    return (Wait(role=role, task=task, term=term),)


PENALTY = Machine(
    start=PROPOSED,
    states={
        PROPOSED: State(
            zh="待总经理批准",
            en="Proposed",
            waits=_waits(Role.GENERAL_MANAGER, "approve", "x14_approval"),
            moves={
                "approved": Move(zh="批准", en="Approve", to=EFFECTIVE, roles=APPROVERS),
                "refused": Move(zh="不批准", en="Refuse", to="refused", roles=APPROVERS),
                "taken_back": Move(zh="收回", en="Take back", to="taken_back", roles=PROPOSERS),
            },
            passes=(REOPENED,),
        ),
        EFFECTIVE: State(zh="已生效", en="In effect", passes=(REOPENED, ("tops_up", "top_up"))),
        "top_up": State(
            zh="待补足保证金",
            en="In effect; the deposit is to be topped up",
            waits=_waits(Role.FINANCE_OFFICER, "top_up", "x14_top_up"),
            moves={
                "topped_up": Move(
                    zh="保证金已补足", en="The deposit was topped up", to="topped_up",
                    roles=FINANCE, needs=("topped_up", "topped_up_on"),
                ),
                "given_up": Move(
                    zh="不再补足", en="It will not be topped up", to="not_topped_up",
                    roles=APPROVERS,
                ),
            },
            passes=(REOPENED,),
        ),
        "topped_up": State(zh="保证金已补足", en="The deposit is topped up", passes=(REOPENED,)),
        "not_topped_up": State(
            zh="保证金未补足", en="The deposit was not topped up", passes=(REOPENED,)
        ),
        DOUBTED: State(
            zh="案件重开，待复核",
            en="In doubt: its case was opened again",
            waits=_waits(Role.GENERAL_MANAGER, "confirm", "x14_approval"),
            moves={
                "stands": Move(zh="维持处罚", en="It stands", to=EFFECTIVE, roles=APPROVERS),
                "lifted": Move(zh="撤销处罚", en="Lift it", to="lifted", roles=APPROVERS),
            },
        ),
        "refused": State(zh="未批准", en="Refused"),
        "taken_back": State(zh="已收回", en="Taken back"),
        "lifted": State(zh="已撤销", en="Lifted"),
    },
)  # fmt: skip
"""X14: proposed, approved, topped up; in doubt while its case is open again."""
