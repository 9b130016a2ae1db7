"""Starts and stops the processes of the demonstration, each by its own id."""

import http.client
import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec

from server.demo.job import Job, Order, Step, Told

LOOK_SECONDS = 0.1
START_LOOKS = 3000
STOP_SECONDS = 45.0


class Stopped(RuntimeError):
    """A process of the demonstration ended before its time."""


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def serving(
    settings: Mapping[str, str], *, port: int, log: Path
) -> Iterator["subprocess.Popen[bytes]"]:
    """A real server with its worker, ready; ended when the block ends.

    Raises :class:`Stopped` where it does not come up; ``log`` says why.
    """
    with log.open("ab") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "server.cli", "serve"],
            env={**os.environ, **settings},
            stdout=out,
            stderr=out,
            start_new_session=True,  # Ctrl-C is for the demonstration, which stops its children
        )
    try:
        _wait_until_ready(process, port, log)
        yield process
    finally:
        stop(process)


def _wait_until_ready(process: "subprocess.Popen[bytes]", port: int, log: Path) -> None:
    for _ in range(START_LOOKS):
        if not is_running(process):
            break
        if _is_ready(port):
            return
    raise Stopped(f"the server did not start; see {log}")


def is_running(process: "subprocess.Popen[bytes]") -> bool:
    """Whether ``process`` still runs, asked after a moment."""
    with suppress(subprocess.TimeoutExpired):
        process.wait(LOOK_SECONDS)
    return process.poll() is None


def _is_ready(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == http.HTTPStatus.OK
    except OSError:
        return False
    finally:
        connection.close()


def stop(process: "subprocess.Popen[bytes]") -> None:
    """Asks ``process`` to end, and ends it where it does not."""
    if process.poll() is None:
        process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def on_devices(jobs: Sequence[Job], *steps: Step) -> list[Told]:
    """Does ``steps`` on every device at once. Raises :class:`Stopped` where one fails."""
    running = [_start_phone(Order(job=job, steps=list(steps))) for job in jobs]
    try:
        return [_hear(process, job) for process, job in zip(running, jobs, strict=True)]
    finally:
        for process in running:
            stop(process)


def _start_phone(order: Order) -> "subprocess.Popen[bytes]":
    process = subprocess.Popen(
        [sys.executable, "-m", "server.demo.phone"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    if process.stdin is not None:
        process.stdin.write(msgspec.json.encode(order))
        process.stdin.close()
    return process


def _hear(process: "subprocess.Popen[bytes]", job: Job) -> Told:
    said = process.stdout.read() if process.stdout is not None else b""
    if process.wait() != 0:
        raise Stopped(f"the device of {job.name} failed")
    return msgspec.json.decode(said, type=Told)
