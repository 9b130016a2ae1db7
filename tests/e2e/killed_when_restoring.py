"""``python -m tests.e2e.killed_when_restoring STEP FOLDER``: restores, and dies at a step.

A step is a change of names on the disk: a rename, a link, a removal, a copy. The process kills
itself before it; where there are fewer steps, the restore comes to its end.
"""

import os
import signal
import sys

from server.cli import cli

STEPS = frozenset({"os.rename", "os.link", "os.remove", "shutil.copyfile"})


def main(last: int, folder: str) -> None:
    """Restores over the store that the settings name."""
    done = 0

    def count(event: str, _given: object) -> None:
        nonlocal done
        done += event in STEPS
        if event in STEPS and done == last:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(count)
    cli.main(["backup", "restore", "--replace", folder])


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
