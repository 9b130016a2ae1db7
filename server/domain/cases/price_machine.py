"""The states of reports of price breaking as data (X15): both tracks, from intake on. Pure."""

from server.casework.machine import Machine, State
from server.domain.cases.machines import (
    ACROSS,
    COUNTERFEIT,
    CROSS_REGION,
    DECIDING,
    FACTS,
    INSIDE,
    NOT_ACCEPTED,
    REOPEN,
    RETURNED,
    SUBMITTED,
    WITHDRAWN,
    Track,
)
from server.values import replace

MARKETS = replace(ACROSS, decision="x15_decision_market")
REGIONS = replace(INSIDE, decision="x15_decision_region")


def _steps(track: Track, other: Track, condition: str) -> dict[str, State]:
    """X15: the states of one track; where a report turns out to be the other's, it goes over."""
    intake = track.state(
        "待受理", "Intake", "intake", "x4_intake",
        accepted=track.to("受理", "Take in", FACTS),
        returned=track.ends("退回补充", "Send back", RETURNED),
        not_accepted=track.ends("不予受理", "Do not take in", NOT_ACCEPTED),
    )  # fmt: skip
    facts = track.state(
        "核实事实", "Facts are verified", "facts", "x7_facts",
        facts_verified=track.to("事实已核实", "Facts are verified", DECIDING),
    )  # fmt: skip
    deciding = track.state(
        "待裁定", "To be decided", "decision", track.decision,
        upheld=track.ends("砸价成立", "Uphold", "upheld"),
        dismissed=track.ends("砸价不成立", "Dismiss", "dismissed"),
        inconclusive=track.ends("无法认定", "Leave undecided", "inconclusive"),
    )  # fmt: skip
    states = {SUBMITTED: intake, FACTS: facts, DECIDING: deciding}
    return {
        track.prefix + name: replace(state, passes=((condition, other.prefix + name),))
        for name, state in states.items()
    }


def _ends() -> dict[str, State]:
    as_of_cases = (NOT_ACCEPTED, "dismissed", "inconclusive", WITHDRAWN)
    upheld = State(zh="砸价成立", en="Upheld", moves={"reopened": REOPEN})
    dismissed = replace(CROSS_REGION.states["dismissed"], zh="砸价不成立")
    same = {name: CROSS_REGION.states[name] for name in as_of_cases}
    same[RETURNED] = COUNTERFEIT.states[RETURNED]  # it needs no signatures either
    return {**same, "upheld": upheld, "dismissed": dismissed}


PRICE = Machine(
    start=SUBMITTED,
    states={
        **_steps(MARKETS, REGIONS, "stays_in_region"),
        **_steps(REGIONS, MARKETS, "goes_to_market"),
        **_ends(),
    },
)
"""X15: by the region inside one centre, by the market department across."""
