"""Receivers on loopback: an HTTP server that answers as it is told, and what it was sent."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.until import LIMIT_SECONDS


@dataclass(frozen=True)
class Got:
    """One request."""

    path: str
    headers: dict[str, str]
    body: str

    @property
    def event(self) -> dict[str, Any]:
        """The body, read."""
        event: dict[str, Any] = json.loads(self.body)
        return event


@dataclass
class Receiver:
    """What came, and what the next answers are; without any it says 200."""

    port: int = 0
    got: list[Got] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    gate: threading.Event = field(default_factory=threading.Event)
    """Answers wait for it; open unless a test closes it."""
    arrived: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))

    def __post_init__(self) -> None:
        self.gate.set()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}/events?from=fieldstamp"

    @property
    def types(self) -> list[str]:
        """The types of what came, in the order of arrival."""
        return [one.event["type"] for one in self.got]

    @property
    def ids(self) -> list[str]:
        """The ids under which it came."""
        return [one.headers["webhook-id"] for one in self.got]

    def wait_for_one(self) -> None:
        """Returns once a request has come that was not waited for before."""
        assert self.arrived.acquire(timeout=LIMIT_SECONDS)

    def take(self, got: Got) -> int:
        """Notes a request; the status to answer with."""
        self.got.append(got)
        self.arrived.release()
        assert self.gate.wait(LIMIT_SECONDS)
        return self.answers.pop(0) if self.answers else 200


def _handler(receiver: Receiver) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            headers = {name.lower(): value for name, value in self.headers.items()}
            self.send_response(receiver.take(Got(self.path, headers, body)))
            for name, value in receiver.headers.items():
                self.send_header(name, value)
            self.end_headers()

        def log_message(self, *_given: object) -> None:
            """Nothing."""

    return Handler


class _Server(ThreadingHTTPServer):
    def handle_error(self, *_given: object) -> None:
        """Nothing: a client that hangs up is what some tests are about."""


@contextmanager
def listening(trust: ssl.SSLContext | None = None) -> Iterator[Receiver]:
    """A receiver that listens on a free port, under TLS where there is a ``trust``."""
    receiver = Receiver()
    server = _Server(("127.0.0.1", 0), _handler(receiver))
    if trust is not None:
        server.socket = trust.wrap_socket(server.socket, server_side=True)
    server.daemon_threads = True
    receiver.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield receiver
    finally:
        receiver.gate.set()
        server.shutdown()
        server.server_close()
        thread.join()
