"""The states of faults, returns and incidents as data: who must act, who leads them where. Pure."""

from server.casework.machine import Machine, Move, State, Wait
from server.roles import Role

REPORTED = "reported"
RETURNED = "returned"
WITHDRAWN = "withdrawn"

CLERK = frozenset({Role.SALES_CLERK})
MANAGER = frozenset({Role.REGION_MANAGER})
DIRECTOR = frozenset({Role.SALES_DIRECTOR})
TECHNICAL = frozenset({Role.TECHNICAL_OFFICER})
SERVICE = frozenset({Role.SERVICE_OFFICER})

WITHDRAW = Move(
    zh="撤回",
    en="Withdraw",
    to=WITHDRAWN,
    roles=frozenset({Role.REP}),
    field="withdrawal_reason",
)


def _waits(role: Role, task: str, term: str) -> tuple[Wait, ...]:
    return (Wait(role=role, task=task, term=term),)


def _returned(to: str) -> State:
    """What was sent back waits for its sender, and goes on when he has mended it."""
    return State(
        zh="退回补充",
        en="Sent back",
        waits=_waits(Role.REP, "mend", "supplement_wanted"),
        moves={"withdrawn": WITHDRAW},
        passes=(("handed_in", to),),
    )


WITHDRAWN_STATE = State(zh="已撤回", en="Withdrawn")
ON_SITE = _waits(Role.REGION_MANAGER, "on_site", "f2_on_site")
SEEN = Move(zh="已核实", en="It was seen", to="opinion", roles=MANAGER)

FAULT = Machine(
    start=REPORTED,
    states={
        REPORTED: State(
            zh="待内勤登记",
            en="Reported",
            waits=_waits(Role.SALES_CLERK, "register", "f2_clerk"),
            moves={
                "registered": Move(zh="登记", en="Register", to="informed", roles=CLERK),
                "returned": Move(zh="退回补充", en="Send back", to=RETURNED, roles=CLERK),
                "withdrawn": WITHDRAW,
            },
        ),
        "informed": State(
            zh="已告区域经理",
            en="The region manager is told",
            waits=_waits(Role.REGION_MANAGER, "acknowledge", "f2_manager"),
            moves={
                "goes": Move(zh="到现场", en="Go on site", to="on_site", roles=MANAGER),
                "dealer_photographs": Move(
                    zh="由经销商拍照", en="Let the dealer photograph", to="photographs",
                    roles=MANAGER,
                ),
                "withdrawn": WITHDRAW,
            },
        ),
        "on_site": State(
            zh="现场核实",
            en="Looked at on site",
            waits=ON_SITE,
            moves={"seen": SEEN, "withdrawn": WITHDRAW},
        ),
        "photographs": State(
            zh="待经销商拍照",
            en="The dealer photographs",
            waits=ON_SITE,
            moves={
                "goes": Move(zh="到现场", en="Go on site", to="on_site", roles=MANAGER),
                "seen": SEEN,
                "withdrawn": WITHDRAW,
            },
            passes=(("photographed", "opinion"),),
        ),
        "opinion": State(
            zh="待总经理意见",
            en="Opinion of the sales director",
            waits=_waits(Role.SALES_DIRECTOR, "opinion", "f2_opinion"),
            moves={
                "opinion_given": Move(
                    zh="签署意见", en="Sign the opinion", to="technical", roles=DIRECTOR,
                    needs=("opinion",),
                ),
            },
        ),
        "technical": State(
            zh="待技术鉴定",
            en="Technical decision",
            waits=_waits(Role.TECHNICAL_OFFICER, "technical", "f2_technical"),
            moves={
                "repair": Move(zh="维修", en="Repair", to="doing", roles=TECHNICAL),
                "exchange": Move(zh="换货", en="Exchange", to="doing", roles=TECHNICAL),
                "take_back": Move(zh="退货", en="Take back", to="doing", roles=TECHNICAL),
                "refused": Move(zh="不予处理", en="Refuse", to="told", roles=TECHNICAL),
            },
        ),
        "doing": State(
            zh="处理中",
            en="Being done",
            waits=_waits(Role.SERVICE_OFFICER, "do", "f2_done"),
            moves={"done": Move(zh="已完成", en="It is done", to="told", roles=SERVICE)},
        ),
        "told": State(
            zh="结果已告区域经理",
            en="The region manager is told the result",
            waits=_waits(Role.REGION_MANAGER, "acknowledge_result", "f2_manager"),
            moves={"closed": Move(zh="结案", en="Close", to="closed", roles=MANAGER)},
        ),
        "closed": State(
            zh="已结案",
            en="Closed",
            moves={
                "reopened": Move(
                    zh="重新鉴定", en="Reopen", to="technical", roles=TECHNICAL | DIRECTOR
                )
            },
        ),
        RETURNED: _returned(REPORTED),
        WITHDRAWN: WITHDRAWN_STATE,
    },
)  # fmt: skip
"""F2: the order of hands."""

GOODS_RETURN = Machine(
    start=REPORTED,
    states={
        REPORTED: State(
            zh="待审批",
            en="To be approved",
            waits=_waits(Role.SERVICE_OFFICER, "approve", "f5_approval"),
            moves={
                "approved": Move(zh="批准", en="Approve", to="approved", roles=SERVICE),
                "returned": Move(zh="退回补充", en="Send back", to=RETURNED, roles=SERVICE),
                "refused": Move(zh="不批准", en="Refuse", to="refused", roles=SERVICE),
                "withdrawn": WITHDRAW,
            },
        ),
        "approved": State(zh="已批准", en="Approved"),
        "refused": State(zh="未批准", en="Refused"),
        RETURNED: _returned(REPORTED),
        WITHDRAWN: WITHDRAWN_STATE,
    },
)
"""F5: approved by the service officer."""

INCIDENT = Machine(
    start=REPORTED,
    states={
        REPORTED: State(
            zh="待答复",
            en="To be answered",
            waits=_waits(Role.SERVICE_OFFICER, "answer", "f4_answer"),
            moves={
                "answered_plain": Move(
                    zh="答复，一般事项", en="Answered, a plain one", to="plain", roles=SERVICE
                ),
                "answered_complex": Move(
                    zh="答复，复杂事项", en="Answered, a complex one", to="complex", roles=SERVICE
                ),
                "returned": Move(zh="退回补充", en="Send back", to=RETURNED, roles=SERVICE),
                "withdrawn": WITHDRAW,
            },
        ),
        "plain": State(
            zh="处理中",
            en="Being solved",
            waits=_waits(Role.SERVICE_OFFICER, "solve", "f4_plain"),
            moves={
                "solved": Move(
                    zh="已解决", en="Solved", to="solved", roles=SERVICE, needs=("outcome",)
                ),
                "is_complex": Move(
                    zh="转为复杂事项", en="It is complex", to="complex", roles=SERVICE
                ),
            },
        ),
        "complex": State(
            zh="处理中（复杂）",
            en="Being solved, with progress notes",
            waits=_waits(Role.SERVICE_OFFICER, "progress", "f4_progress"),
            moves={
                "progress": Move(zh="进展说明", en="Progress note", to="complex", roles=SERVICE),
                "solved": Move(
                    zh="已解决", en="Solved", to="solved", roles=SERVICE, needs=("outcome",)
                ),
            },
        ),
        "solved": State(
            zh="待回访满意度",
            en="Solved; satisfaction is asked",
            waits=_waits(Role.SERVICE_OFFICER, "satisfaction", "f4_plain"),
            moves={
                "revisit": Move(
                    zh="结案并安排回访", en="Close and propose a visit", to="revisit",
                    roles=SERVICE, needs=("satisfaction",),
                ),
                "closed": Move(
                    zh="结案，无需回访", en="Close without a visit", to="closed", roles=SERVICE,
                    needs=("satisfaction",),
                ),
            },
        ),
        "revisit": State(
            zh="待回访",
            en="A visit is proposed",
            waits=_waits(Role.REP, "revisit", "f4_revisit"),
            moves={
                "visited": Move(
                    zh="已回访", en="Visited", to="closed", roles=frozenset({Role.REP}),
                    field="revisit",
                ),
                "closed": Move(zh="无需回访", en="No visit", to="closed", roles=SERVICE),
            },
        ),
        "closed": State(
            zh="已结案",
            en="Closed",
            moves={"reopened": Move(zh="重新处理", en="Reopen", to="complex", roles=SERVICE)},
        ),
        RETURNED: _returned(REPORTED),
        WITHDRAWN: WITHDRAWN_STATE,
    },
)  # fmt: skip
"""F4: answered, solved, asked about, visited again."""
