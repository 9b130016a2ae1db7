"""Server processes: started on a free port of the loopback, counted, and ended by their pid."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from bench.wire import HOST, wait_until_open

ROOT = Path(__file__).resolve().parents[1]
STOP_SECONDS = 60


def free_port() -> int:
    """A port of the loopback on which nobody listens."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


@contextmanager
def running(
    command: list[str],
    *,
    port: int,
    folder: Path,
    environment: Mapping[str, str] | None = None,
    within: Path = ROOT,
) -> Iterator[int]:
    """The pid of ``command``, run ``within`` a folder, once it listens on ``port``; ended with its
    children afterwards."""
    with (folder / "server.log").open("ab") as log:
        process = subprocess.Popen(
            command,
            cwd=within,
            env={**os.environ, **(environment or {})},
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        wait_until_open(port)
        yield process.pid
    finally:
        family = _family([process.pid])
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(STOP_SECONDS)
        for one in family:
            with suppress(psutil.NoSuchProcess):
                one.kill()
        process.wait()


def gunicorn(target: str, port: int, *, workers: int) -> list[str]:
    """The command that serves a WSGI application as the baselines are served."""
    module = [sys.executable, "-m", "gunicorn", "--no-control-socket"]
    return [*module, "--workers", str(workers), "--bind", f"{HOST}:{port}", target]


def _family(pids: Iterable[int]) -> list[psutil.Process]:
    found: list[psutil.Process] = []
    for pid in pids:
        with suppress(psutil.NoSuchProcess):
            first = psutil.Process(pid)
            found += [first, *first.children(recursive=True)]
    return found


def cpu_seconds(pids: Iterable[int]) -> float:
    """Processor seconds that these processes, their children and those that ended have used."""
    total = 0.0
    for process in _family(pids):
        with suppress(psutil.NoSuchProcess):
            used = process.cpu_times()
            total += used.user + used.system
            total += getattr(used, "children_user", 0.0) + getattr(used, "children_system", 0.0)
    return total
