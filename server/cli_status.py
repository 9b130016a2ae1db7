"""``fieldstamp-server status``: what the worker cannot do by itself. Reads only."""

import sys
from collections.abc import Iterable, Iterator

import click

from server.clock import to_wire
from server.domain.cases.queries import Stuck, stuck_looks
from server.opening import opened

WHAT_TO_DO = """\
What these records say stands as it was, and everything else goes on. Open each of them in the back
office under its number and mend what is wrong or missing there or in the company's tables. Where
nothing is, the log has the whole fault under `case_not_followed`: report it, and install a version
without it. Each record is tried again by itself, at least once an hour."""


@click.command()
def status() -> None:
    """List the cases and reports that cannot be looked at, and why; status 1 if there are any."""
    with opened() as store:
        stuck = stuck_looks(store)
    click.echo("\n".join(_say(stuck)) or "Every case and report can be looked at.")
    sys.exit(1 if stuck else 0)


def _say(stuck: Iterable[Stuck]) -> Iterator[str]:
    for one in stuck:
        yield (
            f"{one.kind} {one.number} ({one.record}): {one.failure}, {one.tries} times since"
            f" {to_wire(one.since)}, again at {to_wire(one.next_at)}"
        )
    if stuck:
        yield WHAT_TO_DO
