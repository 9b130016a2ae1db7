"""Medians over the runs, ratios within each run, goals, and the report for people and machines."""

import os
import platform
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from bench.workloads import Measured

Round = dict[str, dict[str, Measured]]
"""System → workload → what was measured, all within one run."""
SLACK = 0.9
"""What a noisy machine is given: a goal counts as met from this part of it."""


@dataclass(frozen=True, slots=True)
class Goal:
    """A ratio within a run that must hold, and one that the design aims at."""

    workload: str
    system: str
    reference: str
    must: float
    aim: float | None = None
    of: str = "rate"
    """``rate`` (at least), ``cpu`` (at most)."""
    against: str | None = None
    """The workload of the reference; empty: the same."""


GOALS = (
    Goal("push_100", "fieldstamp", "bare", 0.28, 0.40),
    Goal("push_100", "fieldstamp", "naive", 6, 9),
    Goal("push_100", "fieldstamp", "pouch", 2, 3.5),
    Goal("push_500", "fieldstamp", "bare", 0.33, 0.45),
    Goal("push_500", "fieldstamp", "naive", 8, 11),
    Goal("push_500", "fieldstamp", "pouch", 3, 5),
    Goal("push_100", "fieldstamp_pg", "bare_pg", 0.45, 0.80),
    Goal("push_100", "fieldstamp_pg", "naive_pg", 5, 8),
    Goal("push_100", "fieldstamp_pg", "pouch", 1.5, 3),
    Goal("update_100", "fieldstamp", "bare", 0.30, 0.45),
    Goal("update_100", "fieldstamp", "pouch", 2, 3),
    Goal("pull", "fieldstamp", "bare", 0.45, 0.75),
    Goal("pull", "fieldstamp", "pouch", 10, 20),
    Goal("poll", "fieldstamp", "flask", 0.60, 0.80),
    Goal("poll", "fieldstamp", "pouch", 3, 4),
    Goal("poll", "fieldstamp_pg", "pouch", 1.3),
    Goal("push_100", "fieldstamp", "flask", 3.5, 2, of="cpu"),
    Goal("again_100", "fieldstamp", "fieldstamp", 1, against="push_100"),
    Goal("grown_push_100", "fieldstamp", "fieldstamp", 0.65, 0.9, against="push_100"),
    Goal("grown_push_100", "fieldstamp_pg", "fieldstamp_pg", 0.70, 0.9, against="push_100"),
    Goal("grown_poll", "fieldstamp", "fieldstamp", 0.85, 0.95, against="poll"),
    Goal("grown_poll", "fieldstamp_pg", "fieldstamp_pg", 0.85, 0.95, against="poll"),
)
LONGEST_POLL = {"fieldstamp": 10.0, "fieldstamp_pg": 15.0}
"""Milliseconds that 95 of 100 idle polls may take."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """A goal and the ratios that were measured for it, one a run."""

    goal: Goal
    ratios: tuple[float, ...]

    @property
    def median(self) -> float:
        """The ratio that counts."""
        return statistics.median(self.ratios)

    def reaches(self, wanted: float) -> bool:
        """Whether the median is as good as ``wanted``, with the slack of a noisy machine."""
        if self.goal.of == "cpu":
            return self.median <= wanted / SLACK
        return self.median >= wanted * SLACK


@dataclass(slots=True)
class Report:
    """All runs of one benchmark on one machine."""

    began: datetime
    records: int
    rounds: list[Round] = field(default_factory=list)
    absent: dict[str, str] = field(default_factory=dict)
    """Systems that could not run, and why."""

    def verdicts(self) -> list[Verdict]:
        """Every goal for which something was measured."""
        judged = (Verdict(goal, tuple(_ratios(self.rounds, goal))) for goal in GOALS)
        return [verdict for verdict in judged if verdict.ratios]

    def medians(self) -> dict[str, dict[str, Measured]]:
        """System → workload → medians over the runs."""
        found: dict[str, dict[str, list[Measured]]] = {}
        for one in self.rounds:
            for system, workloads in one.items():
                for name, measured in workloads.items():
                    found.setdefault(system, {}).setdefault(name, []).append(measured)
        return {
            system: {name: _median(several) for name, several in workloads.items()}
            for system, workloads in found.items()
        }

    def as_json(self) -> dict[str, Any]:
        """Everything that was measured."""
        return {
            "began": self.began.isoformat(),
            "machine": describe_machine(),
            "records": self.records,
            "absent": self.absent,
            "medians": _plain(self.medians()),
            "rounds": [_plain(one) for one in self.rounds],
            "goals": [
                {**asdict(one.goal), "ratios": one.ratios, "median": one.median}
                for one in self.verdicts()
            ],
        }

    def as_text(self) -> str:
        """The report in Markdown."""
        lines = [describe_machine(), "", *_table(self.medians()), "", *_goals(self.verdicts())]
        lines += [f"not measured: {name} ({why})" for name, why in self.absent.items()]
        return "\n".join(lines)


def describe_machine() -> str:
    """Processors and versions."""
    return f"{os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}"


def _median(several: Sequence[Measured]) -> Measured:
    return Measured(
        rate=statistics.median(one.rate for one in several),
        cpu=statistics.median(one.cpu for one in several),
        p95=statistics.median(one.p95 for one in several),
        counts=several[-1].counts,
    )


def _ratios(rounds: Iterable[Round], goal: Goal) -> list[float]:
    found: list[float] = []
    for one in rounds:
        ours = one.get(goal.system, {}).get(goal.workload)
        theirs = one.get(goal.reference, {}).get(goal.against or goal.workload)
        if ours is not None and theirs is not None:
            found.append(getattr(ours, goal.of) / getattr(theirs, goal.of))
    return found


def _plain(round_: Round) -> dict[str, Any]:
    return {
        system: {name: asdict(measured) for name, measured in workloads.items()}
        for system, workloads in round_.items()
    }


def _table(medians: Round) -> list[str]:
    lines = ["| system | workload | per second | CPU ms per 1,000 | p95 ms | outcomes |"]
    lines.append("|---|---|---:|---:|---:|---|")
    for system, workloads in medians.items():
        for name, one in workloads.items():
            told = ", ".join(f"{what} {count:,}" for what, count in sorted(one.counts.items()))
            figures = f"{one.rate:,.0f} | {one.cpu:,.1f} | {one.p95:,.1f}"
            lines.append(f"| {system} | {name} | {figures} | {told} |")
    return lines


def _goals(verdicts: Sequence[Verdict]) -> list[str]:
    lines = ["| goal | must | aim | median (least to most) | |", "|---|---:|---:|---|---|"]
    for one in verdicts:
        goal, spread = one.goal, f"{min(one.ratios):.2f} to {max(one.ratios):.2f}"
        name = f"{goal.workload} {goal.of}: {goal.system} / {goal.reference}"
        told = "aim" if goal.aim and one.reaches(goal.aim) else "must"
        verdict = told if one.reaches(goal.must) else "missed"
        aim = "" if goal.aim is None else f"{goal.aim:g}"
        lines.append(
            f"| {name} | {goal.must:g} | {aim} | {one.median:.2f} ({spread}) | {verdict} |"
        )
    return lines
