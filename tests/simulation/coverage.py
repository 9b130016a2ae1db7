"""What a sweep must have seen, and the table of how often it did."""

from collections import Counter
from collections.abc import Sequence

from tests.simulation.net import FATES_TOLD
from tests.simulation.run import Result
from tests.simulation.world import OPS

OUTCOMES = ("applied", "merged", "conflict", "rejected", "waiting")
RULES = (
    "review", "union", "authority", "frozen", "equal", "own_edit", "superseded", "withdraw",
)  # fmt: skip
RESYNCS = ("cursor_unknown", "epoch_changed", "cursor_too_old", "digest_mismatch")
FAULTS = (
    "server_crash", "device_crash", "device_clock_jumps", "device_clock_drifts",
    "server_clock_back", "server_clock_ahead", "server_clock_years", "device_cloned",
    "device_put_back", "power_lost", "process_killed", "server_backed_up", "server_put_back",
    "replica_rotted",
)  # fmt: skip
OFFICE = (
    "accepted", "returned", "rejected", "undo", "hand_over", "edit", "restore", "dismiss",
    "role_given", "role_taken", "revoke",
)  # fmt: skip
EXPECTED = {
    f"{group}/{name}"
    for group, names in {
        "op": sorted(OPS),
        "fate": FATES_TOLD,
        "outcome": OUTCOMES,
        "rule": RULES,
        "resync": RESYNCS,
        "fault": FAULTS,
        "office": OFFICE,
    }.items()
    for name in names
}


def total(results: Sequence[Result]) -> Counter[str]:
    """Occurrences summed over seeds."""
    counts: Counter[str] = Counter(dict.fromkeys(EXPECTED, 0))
    for one in results:
        counts.update(one.counts)
    return counts


def find_zeros(results: Sequence[Result]) -> list[str]:
    """What should have occurred and never did."""
    return sorted(name for name, times in total(results).items() if not times)


def say(results: Sequence[Result]) -> str:
    """The table, and the sums."""
    rows = [f"{name:40} {times:>10}" for name, times in sorted(total(results).items())]
    steps, seconds = sum(one.steps for one in results), sum(one.seconds for one in results)
    rate = round(steps / seconds) if seconds else 0
    rows.append(f"{len(results)} seeds, {steps} steps, {rate} steps/s of one core")
    rows += [f"never seen: {name}" for name in find_zeros(results)]
    return "\n".join(rows) + "\n"
