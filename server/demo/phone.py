"""``python -m server.demo.phone``: one device, in a process of its own, on real HTTP.

Reads an :class:`Order` as JSON from standard input and writes what it has to tell as JSON.
"""

import sys
import threading
from collections import Counter

import msgspec

from fieldstamp import Client, OfflineError, Request, Response, SyncReport
from server.clock import SystemClock
from server.demo.fieldwork import sign_cases, start_day, work
from server.demo.job import Job, Order, Step, Told

MOST_SYNCS = 40
LONGEST_WAIT_S = 2.0
DECIDED = ("visit", "visit_report", "receipt", "cross_region_case")


class NoNetwork:
    """The transport of a device out of reach: proof that the day's work needs no other."""

    def send(self, request: Request) -> Response:
        """Raises OfflineError, always."""
        raise OfflineError(f"no network for {request.url}")


def do_order(order: Order) -> Told:
    """Does the steps of ``order`` one after the other."""
    tries, report = 0, None
    for step in order.steps:
        if step == "sync":
            tries, report = _sync(order.job)
        else:
            _do(order.job, step)
    return _tell(order.job, tries, report)


def _do(job: Job, step: Step) -> None:
    if step == "enrol":
        with Client(job.store, server=job.server, language="zh-CN") as client:
            client.login(job.username, job.password, name=job.name)
        return
    with Client(job.store, transport=NoNetwork()) as client:
        if step == "sign":
            sign_cases(job, client)
        else:
            work(start_day(job, client, now=SystemClock().now()))


def _sync(job: Job) -> tuple[int, SyncReport]:
    """Syncs as often as the link asks for."""
    pause, tries = threading.Event(), 0
    while True:
        tries += 1
        with Client(job.store) as client:
            report = client.sync().run()
        if report.synced or tries == MOST_SYNCS:
            return tries, report
        pause.wait(min(report.retry_in_s, LONGEST_WAIT_S))


def _tell(job: Job, tries: int, report: SyncReport | None) -> Told:
    with Client(job.store) as client:
        outcomes = Counter(mutation.outcome for mutation in client.mutations())
        shown = [record for kind in DECIDED for record in client.records(kind)]
        return Told(
            name=job.name,
            saved=outcomes.total(),
            synced=client.status().synced,
            tries=tries,
            reason=report.reason if report else None,
            conflicts=outcomes["conflict"],
            rejected=outcomes["rejected"],
            verdicts=dict(Counter(r["verdict"] for r in shown if r.get("verdict"))),
        )


def main() -> None:
    """The device's one run."""
    order = msgspec.json.decode(sys.stdin.buffer.read(), type=Order)
    sys.stdout.buffer.write(msgspec.json.encode(do_order(order)))


if __name__ == "__main__":
    main()
