"""Lines and disks that fail as those of the incidents did. Ports of the client, nothing else."""

import errno
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from fieldstamp import Disk, OfflineError, Request, Response, Transport

Send = Callable[[Request], Response]
Trouble = Callable[[Request, Send], Response]
"""What a broken line does with a request that it could also have carried."""

PROBLEM = {"content-type": "application/problem+json"}
PORTAL = Response(status=200, headers={"content-type": "text/html"}, body=b"<html>log in</html>")


def refusal(status: int, code: str, **headers: str) -> Response:
    """An answer of the server that says no."""
    body = json.dumps({"code": code, "title": code, "retryable": True}).encode()
    return Response(status=status, headers=PROBLEM | headers, body=body)


def unreachable(_request: Request, _send: Send) -> Response:
    """Nothing gets through."""
    raise OfflineError("nobody there")


def lost_on_the_way_back(request: Request, send: Send) -> Response:
    """It takes effect, and nobody hears of it."""
    send(request)
    raise OfflineError("the answer was lost")


def answered(answer: Response, *, after: bool) -> Trouble:
    """``answer`` comes in place of the server's; ``after`` the request has taken effect."""

    def trouble(request: Request, send: Send) -> Response:
        if after:
            send(request)
        return answer

    return trouble


@dataclass
class Line:
    """A transport that carries, unless it was given a ``trouble``."""

    inner: Transport
    trouble: Trouble | None = None
    on: str = "/"
    """Only requests whose address holds this meet the trouble."""
    sent: list[Request] = field(default_factory=list)

    def send(self, request: Request) -> Response:
        """The answer of the other side, or what the trouble makes of it."""
        self.sent.append(request)
        if self.trouble is None or self.on not in request.url:
            return self.inner.send(request)
        return self.trouble(request, self.inner.send)


@dataclass
class FailingDisk:
    """The disk of a device. What it is told about comes back empty or not at all."""

    inner: Disk
    empty: set[str] = field(default_factory=set)
    """Names of files that read as if they had no bytes."""
    unreadable: set[str] = field(default_factory=set)
    """Names of files that cannot be read."""
    full: bool = False

    def write_new(self, path: Path, content: bytes) -> None:
        """Writes half of a file where there is no space for more."""
        if self.full:
            self.inner.write_new(path, content[: len(content) // 2])
            raise OSError(errno.ENOSPC, "no space left")
        self.inner.write_new(path, content)

    def publish(self, part: Path, final: Path) -> None:
        """As it should be."""
        self.inner.publish(part, final)

    def replace(self, part: Path, final: Path) -> None:
        """As it should be."""
        self.inner.replace(part, final)

    def read(self, path: Path, *, offset: int = 0, size: int = -1) -> bytes:
        """The bytes, none of them, or an error."""
        if path.name in self.unreadable:
            raise OSError(errno.EIO, "input/output error")
        return b"" if path.name in self.empty else self.inner.read(path, offset=offset, size=size)

    def remove(self, path: Path) -> None:
        """As it should be."""
        self.inner.remove(path)

    def exists(self, path: Path) -> bool:
        """As it should be."""
        return self.inner.exists(path)

    def make_folder(self, path: Path) -> None:
        """As it should be."""
        self.inner.make_folder(path)
