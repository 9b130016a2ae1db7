"""Run as a process of its own: syncs a copy of a store and dies at each statement, one by one.

Arguments: a store, a file with the answers of its server, an empty folder. For each statement that
a whole sync makes there is a copy in the folder of which the process was killed right before it.
The number of copies is written out.
"""

import base64
import json
import os
import shutil
import signal
import sys
from pathlib import Path

from fieldstamp import Client, Request, Response
from fieldstamp.testing import FixedClock, SeededEntropy


class Replay:
    """Gives the answers that were given before, in order."""

    def __init__(self, file: Path) -> None:
        self._answers = iter(json.loads(file.read_text()))

    def send(self, request: Request) -> Response:
        """The next answer."""
        told = next(self._answers)
        return Response(
            status=told["status"], headers=told["headers"], body=base64.b64decode(told["body"])
        )


def sync_until(store: Path, answers: Path, deadly: int) -> None:
    """Syncs; the process dies before the statement of number ``deadly``."""
    client = Client(
        store, transport=Replay(answers), clock=FixedClock(), entropy=SeededEntropy(deadly)
    )
    left = [deadly]

    def count(_statement: str) -> None:
        left[0] -= 1
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    client._store._connection.set_trace_callback(count)
    report = client.sync().run()
    os._exit(0 if report.synced else 1)


def main(store: Path, answers: Path, folder: Path) -> None:
    """Dies once for each statement."""
    number, status = 0, -1
    while status != 0:
        number += 1
        copy = folder / f"{number}.db"
        shutil.copy(store, copy)
        child = os.fork()
        if child == 0:
            sync_until(copy, answers, number)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if status not in {0, -signal.SIGKILL}:
            raise SystemExit(f"the sync ended with {status} at statement {number}")
    sys.stdout.write(f"{number}\n")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
