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
CODES = (
    "depends_on_rejected", "device_revoked", "forbidden", "group", "moved", "unknown_reference",
    "validation",
)  # fmt: skip
RESYNCS = ("cursor_unknown", "epoch_changed", "cursor_too_old", "cursor_ahead", "digest_mismatch")
FAULTS = (
    "server_crash", "device_crash", "device_clock_jumps", "device_clock_drifts",
    "server_clock_back", "server_clock_ahead", "server_clock_years", "device_cloned",
    "device_put_back", "power_lost", "process_killed", "server_backed_up", "server_put_back",
    "replica_rotted", "server_snapshot", "store_put_back", "epoch_begun",
)  # fmt: skip
OFFICE = (
    "accepted", "returned", "rejected", "undo", "hand_over", "edit", "restore", "dismiss",
    "role_given", "role_taken", "revoke",
)  # fmt: skip
POINTS = {
    "device.blob": "create link mkdir sync sync_folder unlink write",
    "device.rollback": "sync sync_folder truncate write",
    "device.store": "sync write",
    "server.blob": "link mkdir sync_folder unlink",
    "server.folder": "rename sync sync_folder unlink",
    "server.journal": "sync truncate write",
    "server.part": "create sync sync_folder unlink write",
    "server.picture": "create link sync sync_folder unlink",
    "server.store": "write",
    "server.wal": "create sync sync_folder write",
}
"""Calls at which a machine must have died, by machine and file."""
EXPECTED = {
    f"{group}/{name}"
    for group, names in {
        "answer": ("first", "replay"),
        "code": CODES,
        "crash": [f"{file}.{one}" for file, all_ in POINTS.items() for one in all_.split()],
        "failed": ("full", "broken", "crash"),
        "fate": FATES_TOLD,
        "fault": FAULTS,
        "hook": ("arrived", "failed", "lost_answer", "silent"),
        "office": OFFICE,
        "op": sorted(OPS),
        "outcome": OUTCOMES,
        "page": ("goes_on", "last"),
        "resync": RESYNCS,
        "rule": RULES,
    }.items()
    for name in names
}
RARE = {
    "fate/delivered_late", "fault/device_cloned", "fault/server_clock_back",
    "fault/server_clock_years", "hook/failed", "hook/lost_answer", "hook/silent",
    "office/dismiss", "office/revoke", "op/revoke", "resync/cursor_too_old",
    "resync/digest_mismatch", "resync/epoch_changed", "rule/union",
    *(name for name in EXPECTED if name.startswith("crash/")),
}  # fmt: skip
"""What a long run must have seen, and a short one may miss."""
SHORT_RUN, LONG_RUN = 20_000, 1_000_000
"""Steps from which a run must have seen what is common, and everything."""


def total(results: Sequence[Result]) -> Counter[str]:
    """Occurrences summed over seeds."""
    counts: Counter[str] = Counter(dict.fromkeys(EXPECTED, 0))
    for one in results:
        counts.update(one.counts)
    return counts


def find_zeros(results: Sequence[Result]) -> list[str]:
    """What should have occurred in so many steps and never did."""
    steps = sum(one.steps for one in results)
    if steps < SHORT_RUN:
        return []
    due = EXPECTED if steps >= LONG_RUN else EXPECTED - RARE
    counts = total(results)
    return sorted(name for name in due if not counts[name])


def say(results: Sequence[Result]) -> str:
    """The table, and the sums."""
    rows = [f"{name:40} {times:>10}" for name, times in sorted(total(results).items())]
    steps, seconds = sum(one.steps for one in results), sum(one.seconds for one in results)
    rate = round(steps / seconds) if seconds else 0
    rows.append(f"{len(results)} seeds, {steps} steps, {rate} steps/s of one core")
    rows += [f"never seen, and should be: {name}" for name in find_zeros(results)]
    return "\n".join(rows) + "\n"
