"""The states of market cases as data: who must act in each, and who may take it where. Pure."""

from server.casework.machine import Machine, Move, State, Wait
from server.roles import Role
from server.values import Value, replace

UNSIGNED = "unsigned"
SUBMITTED = "submitted"
RETURNED = "returned"
WITHDRAWN = "withdrawn"
NOT_ACCEPTED = "not_accepted"
FACTS = "facts"
DECIDING = "deciding"
ANSWERED = "answered"
CLOSED = "closed"
IN_INTAKE = frozenset({SUBMITTED, "region_submitted"})

MARKET = frozenset({Role.MARKET_OFFICER})
INSPECTOR = frozenset({Role.MARKET_INSPECTOR})
REGION = frozenset({Role.REGION_MANAGER})
MAY_REOPEN = frozenset({Role.MARKET_OFFICER, Role.SALES_DIRECTOR})

WITHDRAW = Move(
    zh="撤回",
    en="Withdraw",
    to=WITHDRAWN,
    roles=frozenset({Role.REP}),
    field="withdrawal_reason",
)
"""X9: the rep takes the case back, and says why."""
REOPEN = Move(zh="重新调查", en="Reopen", to=FACTS, roles=MAY_REOPEN)
REOPEN_INTAKE = Move(zh="重新受理", en="Reopen", to=SUBMITTED, roles=MAY_REOPEN)


class Track(Value, frozen=True):
    """X7: who takes a case from intake to its decision: the market department, or the region."""

    prefix: str
    zh: str
    en: str
    owner: Role
    decision: str
    """The term within which facts that are verified are decided."""

    @property
    def who(self) -> frozenset[Role]:
        """Who may take its moves."""
        return frozenset({self.owner})

    def to(self, zh: str, en: str, state: str) -> Move:
        """A move of the owner to a state of this track."""
        return Move(zh=zh, en=en, to=self.prefix + state, roles=self.who)

    def ends(self, zh: str, en: str, state: str) -> Move:
        """A move of the owner to a state that all tracks share."""
        return Move(zh=zh, en=en, to=state, roles=self.who)

    def state(self, zh: str, en: str, task: str, term: str, **moves: Move) -> State:
        """A state in which the owner must act, unless the rep takes the case back (X9)."""
        return State(
            zh=zh + self.zh,
            en=en + self.en,
            waits=(Wait(role=self.owner, task=task, term=term),),
            moves={**moves, "withdrawn": WITHDRAW},
        )

    def intake(self) -> State:
        """X4: a person takes the case in, or says why not."""
        return self.state(
            "待受理", "Intake", "intake", "x4_intake",
            accepted=self.to("受理", "Take in", "notice"),
            returned=self.ends("退回补充", "Send back", RETURNED),
            not_accepted=self.ends("不予受理", "Do not take in", NOT_ACCEPTED),
        )  # fmt: skip

    def steps(self) -> dict[str, State]:
        """The states behind the intake, up to the decision."""
        decisions = {
            "upheld": self.ends("窜货成立", "Uphold", "upheld"),
            "dismissed": self.ends("窜货不成立", "Dismiss", "dismissed"),
            "inconclusive": self.ends("无法认定", "Leave undecided", "inconclusive"),
        }
        notice = self.state(
            "待通知被投诉方", "The accused is to be told", "notice", "x6_notice",
            notified=self.to("已通知被投诉方", "The accused was told", "rebuttal"),
            nobody_accused=self.to("无人可通知", "There is nobody to tell", FACTS),
        )  # fmt: skip
        facts = self.state(
            "核实事实", "Facts are verified", "facts", "x7_facts",
            facts_verified=self.to("事实已核实", "Facts are verified", DECIDING),
        )  # fmt: skip
        deciding = self.state("待裁定", "To be decided", "decision", self.decision, **decisions)
        states = {"notice": notice, "rebuttal": self._rebuttal(), FACTS: facts}
        return {self.prefix + name: state for name, state in {**states, DECIDING: deciding}.items()}

    def _rebuttal(self) -> State:
        """X6: ends when evidence is handed in, else with its term."""
        facts = self.prefix + FACTS
        waits = (Wait(role=self.owner, task="rebuttal", term="x6_rebuttal"),)
        return State(
            zh="等待申诉" + self.zh,
            en="The accused may answer" + self.en,
            waits=waits,
            moves={"withdrawn": WITHDRAW},
            passes=(("is_rebutted", facts), ("rebuttal_over", facts)),
        )


ACROSS = Track(prefix="", zh="", en="", owner=Role.MARKET_OFFICER, decision="x7_decision_market")
INSIDE = Track(
    prefix="region_",
    zh="（区域）",
    en=" (region)",
    owner=Role.REGION_MANAGER,
    decision="x7_decision_region",
)


def _end(zh: str, en: str, reopen: Move | None = None) -> State:
    return State(zh=zh, en=en, moves={"reopened": reopen} if reopen else {})


def _waits(role: Role, task: str, term: str) -> tuple[Wait, ...]:
    return (Wait(role=role, task=task, term=term),)


def _across() -> dict[str, State]:
    """X7: the market department's states; what lies inside one centre goes on in the region."""
    steps, intake = ACROSS.steps(), ACROSS.intake()
    inspect = Move(zh="授权市场巡查", en="Authorise an inspector", to="inspection", roles=MARKET)
    facts = replace(steps[FACTS], moves={"inspect": inspect, **steps[FACTS].moves})
    ours = {SUBMITTED: intake, **steps, FACTS: facts}
    return {**_handed_over(ours, ACROSS, INSIDE, "stays_in_region"), "inspection": _inspection()}


def _handed_over(
    states: dict[str, State], own: Track, other: Track, condition: str
) -> dict[str, State]:
    """X7: where a case turns out to be the other track's, it goes over; who has told the accused
    waits for the answer first."""
    over = {own.prefix + name: other.prefix + name for name in (SUBMITTED, FACTS, DECIDING)}
    passes = {name: ((condition, there),) for name, there in over.items()}
    return {
        name: replace(state, passes=passes[name]) if name in passes else state
        for name, state in states.items()
    }


def _inspection() -> State:
    """X7: an authorised inspector works the case in the field."""
    done = Move(zh="巡查完毕", en="Inspection is done", to=FACTS, roles=MARKET | INSPECTOR)
    return State(
        zh="市场巡查中",
        en="An inspector is in the field",
        waits=_waits(Role.MARKET_INSPECTOR, "inspect", "x7_facts"),
        moves={"inspected": done, "withdrawn": WITHDRAW},
    )


def _inside() -> dict[str, State]:
    """X7: the region's states; with both confirmations the case is the market department's."""
    ours = {INSIDE.prefix + SUBMITTED: INSIDE.intake(), **INSIDE.steps()}
    return _handed_over(ours, INSIDE, ACROSS, "goes_to_market")


def _with_the_rep() -> dict[str, State]:
    """X3, X9: what waits for signatures, and what was sent back."""
    unsigned = State(
        zh="待签名",
        en="Unsigned",
        waits=_waits(Role.REGION_MANAGER, UNSIGNED, "x3_unsigned"),
        moves={"withdrawn": WITHDRAW},
        passes=(("is_signed", SUBMITTED),),
    )
    returned = State(
        zh="退回补充",
        en="Sent back",
        waits=_waits(Role.REP, "mend", "supplement_wanted"),
        moves={"withdrawn": WITHDRAW},
        passes=(("handed_in", SUBMITTED),),
    )
    return {UNSIGNED: unsigned, RETURNED: returned}


def _sent_back() -> State:
    """X3: whose signatures no longer count when it is mended, that waits for them again."""
    returned = _with_the_rep()[RETURNED]
    return replace(returned, passes=(("lacks_signatures", UNSIGNED), *returned.passes))


def _ends() -> dict[str, State]:
    return {
        NOT_ACCEPTED: _end("不予受理", "Not taken in", REOPEN_INTAKE),
        "upheld": _end("窜货成立", "Upheld", REOPEN),
        "dismissed": _end("窜货不成立", "Dismissed", REOPEN),
        "inconclusive": _end("无法认定", "Inconclusive", REOPEN),
        WITHDRAWN: _end("已撤回", "Withdrawn"),
    }


def _counterfeit() -> dict[str, State]:
    """X10: the same way without signatures, notice and the region."""
    intake = ACROSS.state(
        "待受理", "Intake", "intake", "x10_intake",
        accepted=ACROSS.to("受理", "Take in", FACTS),
        returned=ACROSS.to("退回补充", "Send back", RETURNED),
        not_accepted=ACROSS.to("不予受理", "Do not take in", NOT_ACCEPTED),
    )  # fmt: skip
    facts = ACROSS.state(
        "核实事实", "Facts are verified", "facts", "x7_facts",
        facts_verified=ACROSS.to("事实已核实", "Facts are verified", DECIDING),
    )  # fmt: skip
    deciding = ACROSS.state(
        "待裁定", "To be decided", "decision", "x7_decision_market",
        confirmed=ACROSS.to("认定为假货", "Counterfeit", "confirmed"),
        genuine=ACROSS.to("非假货", "Not counterfeit", "genuine"),
        inconclusive=ACROSS.to("无法认定", "Leave undecided", "inconclusive"),
    )  # fmt: skip
    ends = {
        NOT_ACCEPTED: _end("不予受理", "Not taken in", REOPEN_INTAKE),
        "confirmed": _end("认定为假货", "Counterfeit", REOPEN),
        "genuine": _end("非假货", "Not counterfeit", REOPEN),
        "inconclusive": _end("无法认定", "Inconclusive", REOPEN),
        WITHDRAWN: _end("已撤回", "Withdrawn"),
    }
    returned = {RETURNED: _with_the_rep()[RETURNED]}
    return {SUBMITTED: intake, **returned, FACTS: facts, DECIDING: deciding, **ends}


COUNTERFEIT = Machine(start=SUBMITTED, states=_counterfeit())
"""X10: from the report to the decision."""

LOGISTICS = frozenset({Role.LOGISTICS_OFFICER})
TRACE = Machine(
    start="asked",
    states={
        "asked": State(
            zh="待回复",
            en="To be answered",
            waits=_waits(Role.LOGISTICS_OFFICER, "trace", "x5_trace"),
            moves={
                "as_proposed": Move(
                    zh="与发货记录一致", en="As the shipments say", to=ANSWERED, roles=LOGISTICS
                ),
                "shipped_to": Move(
                    zh="发往",
                    en="Shipped to",
                    to=ANSWERED,
                    roles=LOGISTICS,
                    needs=("market", "customer", "quantity", "unit"),
                ),
                "shipped_to_several": Move(
                    zh="发往多处",
                    en="Shipped to several",
                    to=ANSWERED,
                    roles=LOGISTICS,
                    needs=("shipments",),
                ),
                "not_shipped": Move(
                    zh="无发货记录", en="Not shipped by us", to=ANSWERED, roles=LOGISTICS
                ),
            },
            passes=(("case_over", CLOSED),),
        ),
        CLOSED: State(
            zh="已随案关闭", en="Closed with its case", passes=(("case_goes_on", "asked"),)
        ),
        ANSWERED: State(
            zh="已回复",
            en="Answered",
            moves={
                "asked_again": Move(
                    zh="重新查询", en="Ask again", to="asked", roles=MARKET | LOGISTICS
                )
            },
        ),
    },
)
"""X5: logistics says of one batch where it went, as long as its case goes on."""

CROSS_REGION = Machine(
    start=UNSIGNED,
    states={**_with_the_rep(), RETURNED: _sent_back(), **_across(), **_inside(), **_ends()},
)
"""X3 to X9: from the signatures to the decision."""
