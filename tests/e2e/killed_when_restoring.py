"""A process that restores, and dies at a step.

A step is a change of names on the disk: a rename, a link, a removal, a copy. The process kills
itself before it; where there are fewer steps, the restore comes to its end.
"""

import os
import signal
import sys
from collections.abc import Mapping

from server.cli import cli

STEPS = frozenset({"os.rename", "os.link", "os.remove", "shutil.copyfile"})


def restore(last: int, folder: str, environment: Mapping[str, str]) -> None:
    """Restores over the store that the settings in ``environment`` name; ends the process."""
    os.environ.update(environment)
    done = 0

    def count(event: str, _given: object) -> None:
        nonlocal done
        done += event in STEPS
        if event in STEPS and done == last:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(count)
    cli.main(["backup", "restore", "--replace", folder])
