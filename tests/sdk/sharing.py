"""``python -m tests.sdk.sharing sync|read|save STORE``: processes that share one store.

Each says what it saw as lines of JSON and ends once its standard input is closed.
"""

import json
import sys
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from fieldstamp import Client, Record

ROUND = 40
"""How many visits arrive together, all or none, with the same topics."""
PAUSE_SECONDS, SLOW_SECONDS = 0.02, 0.003
READS = 20
"""How often a store is read before it is opened anew."""


def say(**told: object) -> None:
    sys.stdout.write(json.dumps(told) + "\n")
    sys.stdout.flush()


def input_closed() -> threading.Event:
    closed = threading.Event()

    def wait() -> None:
        sys.stdin.read()
        closed.set()

    threading.Thread(target=wait, daemon=True).start()
    return closed


def slowly(statement: str) -> None:
    """Takes its time over each record of a page, so that others look in the midst of it."""
    if statement.startswith("INSERT INTO record"):
        threading.Event().wait(SLOW_SECONDS)


def keep_syncing(store: Path) -> None:
    """Stays within its first sync until it gets a line; then syncs again and again."""
    with Client(store) as client:
        client._store._connection.set_trace_callback(slowly)
        first = client.sync()
        next(iter(first))
        say(syncing=True)
        sys.stdin.readline()
        first.run()
        closed = input_closed()
        while not closed.wait(PAUSE_SECONDS):
            client.sync().run()


def keep_reading(store: Path) -> None:
    """Opens the store again and again; says what it has whenever there is more."""
    seen: set[str] = set()
    closed = input_closed()
    while not closed.is_set():
        with Client(store) as client:
            for _ in range(READS):
                here, rounds = read_once(client)
                assert seen <= here, "what was here is gone"
                if seen != here:
                    seen = here
                    say(visits=len(here), rounds=rounds)


def read_once(client: Client) -> tuple[set[str], int]:
    """The visits of one moment, and how many rounds. Raises AssertionError for half a page."""
    with client._store.read():
        status, outbox = client.status(), client.outbox()
        visits, customers = client.records("visit"), client.records("customer")
    assert status.pending_mutations == len(outbox)
    assert not (status.synced and outbox), "said to be synced"
    assert {visit["customer"] for visit in visits} <= {customer.id for customer in customers}
    return {visit.id for visit in visits}, whole_rounds(visits)


def whole_rounds(visits: list[Record]) -> int:
    """How many rounds are here. Raises AssertionError where a part of one is."""
    sizes = Counter(visit["topics"] for visit in visits if visit.get("topics"))
    assert set(sizes.values()) <= {ROUND}, f"half a page: {sizes}"
    return len(sizes)


def save_and_try(store: Path) -> None:
    """For each line, the id of a customer: saves a visit and tries to sync."""
    for line in sys.stdin:
        with Client(store) as client:
            visit = client.create("visit", {"customer": line.strip(), "purpose": "sale"})
            report = client.sync().run()
        say(visit=visit.id, reason=report.reason, message=report.message, synced=report.synced)


PARTS: dict[str, Callable[[Path], None]] = {
    "sync": keep_syncing,
    "read": keep_reading,
    "save": save_and_try,
}

if __name__ == "__main__":
    PARTS[sys.argv[1]](Path(sys.argv[2]))
