"""HTTP as the clients speak it: requests as whole bytes, answers read by their length.

A client library would cost more than the quicker servers do, and would be measured with them.
"""

import socket
import time
from collections.abc import Mapping
from typing import Any

import orjson

HOST = "127.0.0.1"
PATIENCE = 300.0
RETRIES = 40


def request(
    method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None
) -> bytes:
    """A whole request with a JSON body."""
    content = b"" if body is None else orjson.dumps(body)
    told = {"Host": HOST, "Content-Type": "application/json", **(headers or {})}
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in told.items())]
    head = "\r\n".join([*lines, f"Content-Length: {len(content)}", "", ""])
    return head.encode() + content


class Line:
    """A connection to a server on ``port``, opened again where the server closed it."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._socket: socket.socket | None = None

    def close(self) -> None:
        """Hangs up."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def ask(self, whole: bytes) -> tuple[int, bytes]:
        """(status, body) of the answer to a request that is made once more after a failure."""
        for attempt in range(RETRIES):
            try:
                status, body = self._ask(whole)
            except ConnectionError:
                self.close()
                continue
            if status < 500 or attempt == RETRIES - 1:
                return status, body
        raise ConnectionError("the server does not answer")

    def _ask(self, whole: bytes) -> tuple[int, bytes]:
        if self._socket is None:
            self._socket = socket.create_connection((HOST, self._port), timeout=PATIENCE)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.sendall(whole)
        head, body = self._read_head(self._socket)
        status, told = _parse(head)
        if told.get(b"transfer-encoding") == b"chunked":
            content = self._read_chunks(self._socket, body)
        else:
            content = self._read_rest(self._socket, body, int(told[b"content-length"]))
        if told.get(b"connection") == b"close":
            self.close()
        return status, content

    def _read_head(self, line: socket.socket) -> tuple[bytes, bytes]:
        got = b""
        while b"\r\n\r\n" not in got:
            got += _receive(line)
        head, _, body = got.partition(b"\r\n\r\n")
        return head, body

    def _read_rest(self, line: socket.socket, got: bytes, length: int) -> bytes:
        parts, size = [got], len(got)
        while size < length:
            parts.append(_receive(line))
            size += len(parts[-1])
        return b"".join(parts)

    def _read_chunks(self, line: socket.socket, got: bytes) -> bytes:
        content = b""
        while True:
            while b"\r\n" not in got:
                got += _receive(line)
            size, _, got = got.partition(b"\r\n")
            end = int(size, 16) + 2
            got = self._read_rest(line, got, end)
            if end == 2:
                return content
            content, got = content + got[: end - 2], got[end:]


def _receive(line: socket.socket) -> bytes:
    part = line.recv(262_144)
    if not part:
        raise ConnectionResetError("closed in the middle of an answer")
    return part


def _parse(head: bytes) -> tuple[int, dict[bytes, bytes]]:
    first, *lines = head.split(b"\r\n")
    pairs = (line.partition(b":") for line in lines)
    return int(first.split()[1]), {name.lower(): value.strip().lower() for name, _, value in pairs}


def ask(port: int, whole: bytes) -> Any:
    """The JSON answer to one request, outside any measurement."""
    line = Line(port)
    try:
        status, body = line.ask(whole)
    finally:
        line.close()
    if status >= 400:
        raise RuntimeError(f"{status}: {body[:500].decode(errors='replace')}")
    return orjson.loads(body)


def wait_until_open(port: int, *, seconds: float = 180.0) -> None:
    """Returns once somebody listens on ``port``. Raises ``TimeoutError``."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            socket.create_connection((HOST, port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise TimeoutError(f"nobody listens on port {port}")
