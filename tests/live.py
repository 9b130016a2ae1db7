"""A real server process: gunicorn on a free port, with the store and folder of a test."""

import fcntl
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import SystemRandom

import requests
from flask import Flask

from server.app import create_app, open_store
from server.extensions import db
from server.settings import Settings
from tests.company import Company, DeviceHandle
from tests.until import until

PORTS = range(20_000, 32_000)
"""Below those that the system itself gives to whoever asks for any."""


def free_port() -> int:
    """A port that nobody listens on; no other test is given it as long as this process runs."""
    folder = Path(tempfile.gettempdir(), "fieldstamp-ports")
    folder.mkdir(exist_ok=True)
    while True:
        port = SystemRandom().choice(PORTS)
        held = os.open(folder / str(port), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", port))
        except OSError:
            os.close(held)
        else:
            return port  # its file stays open, and locked


@dataclass
class LiveServer:
    """The process of one command of ``fieldstamp-server`` and the device that talks to it."""

    app: Flask
    device: DeviceHandle
    environment: dict[str, str]
    port: int
    log: Path
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    def start(self, command: str = "http", **given: str) -> subprocess.Popen[bytes]:
        """Starts a process in a group of its own; ``given`` are settings of it alone."""
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "server.cli", command],
                env={**self.environment, **given},
                start_new_session=True,
                stdout=log,
                stderr=log,
            )
        self.processes.append(process)
        return process

    def start_beside(self, **given: str) -> int:
        """Starts another pool on the same store; its port, once it answers."""
        port = free_port()
        self.start("http", FIELDSTAMP_LISTEN=f"127.0.0.1:{port}", **given)
        self.wait_until_it_answers(port)
        return port

    def wait_until_it_answers(self, port: int | None = None) -> None:
        """Returns once the server answers."""
        url = f"http://127.0.0.1:{port or self.port}/healthz"

        def answers() -> bool:
            with suppress(requests.ConnectionError, requests.Timeout):
                return requests.get(url, timeout=20).ok
            return False

        until(answers, say=lambda: f"the server did not start:\n{self.log.read_text()[-4000:]}")

    def kill(self) -> None:
        """SIGKILL to every process that this object started, and to their children."""
        for process in self.processes:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        self.processes.clear()


@contextmanager
def live_server(settings: Settings, **given: str) -> Iterator[LiveServer]:
    """A running server on the store of ``settings``; ``given`` are settings of the process."""
    app = create_app(settings)
    open_store(app)
    with app.app_context():
        company = Company(app)
        company.plant_regions()
        device = company.rep()
        db.session.remove()
        db.engine.dispose()
    port = free_port()
    environment = {
        **os.environ,
        "FIELDSTAMP_DATA": str(settings.data),
        "FIELDSTAMP_DATABASE": settings.database,
        "FIELDSTAMP_LISTEN": f"127.0.0.1:{port}",
        "FIELDSTAMP_WORKERS": "1",
        "FIELDSTAMP_THREADS": "16",
        "FIELDSTAMP_SILENCE_SECONDS": "600",
        **given,
    }
    log = settings.data / "server.log"
    server = LiveServer(app=app, device=device, environment=environment, port=port, log=log)
    server.start()
    try:
        server.wait_until_it_answers()
        yield server
    finally:
        server.kill()
        with app.app_context():
            db.session.remove()
            db.engine.dispose()
