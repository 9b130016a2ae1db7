"""For tests of programs that use this package: in-process server, bad networks, a clock that waits.

Everything here is a port of :mod:`fieldstamp` made for tests; nothing here is used at run time.
"""

import datetime
import io
import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

from fieldstamp._errors import OfflineError
from fieldstamp._ports import Request, Response, Transport

_ZONE = datetime.timezone(datetime.timedelta(hours=8))


class WsgiTransport:
    """Carries requests to a WSGI application in the same process."""

    def __init__(self, application: Callable[..., Iterable[bytes]]) -> None:
        self._application = application

    def send(self, request: Request) -> Response:
        """The application's whole answer."""
        started: dict[str, Any] = {}

        def start(status: str, headers: list[tuple[str, str]], _failed: Any = None) -> None:
            started.update(status=status, headers=headers)

        chunks = self._application(_environ(request), start)
        try:
            body = b"".join(chunks)
        finally:
            close = getattr(chunks, "close", None)
            if close is not None:
                close()
        return Response(
            status=int(started["status"].split()[0]),
            headers={name.lower(): value for name, value in started["headers"]},
            body=body,
        )


def _environ(request: Request) -> dict[str, Any]:
    parts = urlsplit(request.url)
    environ: dict[str, Any] = {
        "REQUEST_METHOD": request.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote(parts.path).encode().decode("latin-1"),
        "QUERY_STRING": parts.query,
        "SERVER_NAME": parts.hostname or "localhost",
        "SERVER_PORT": str(parts.port or (443 if parts.scheme == "https" else 80)),
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "CONTENT_LENGTH": str(len(request.body)),
        "HTTP_HOST": parts.netloc,
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": parts.scheme,
        "wsgi.input": io.BytesIO(request.body),
        "wsgi.errors": io.StringIO(),
        "wsgi.multithread": False,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    for name, value in request.headers.items():
        key = name.upper().replace("-", "_")
        environ["CONTENT_TYPE" if key == "CONTENT_TYPE" else f"HTTP_{key}"] = value
    return environ


@dataclass(frozen=True, slots=True, kw_only=True)
class Faults:
    """How often, from 0 to 1, each thing goes wrong with a request."""

    drop_request: float = 0
    """The request never arrives."""
    drop_answer: float = 0
    """The request takes effect and its answer never arrives."""
    duplicate: float = 0
    """The request arrives twice; the second answer is the one that is seen."""
    cut: float = 0
    """Half of an upload's piece arrives, then the connection breaks."""
    portal: float = 0
    """Something else answers 200 with a web page."""


class FaultyNet:
    """A transport with faults, the same ones for the same ``seed``."""

    def __init__(self, inner: Transport, faults: Faults, *, seed: int = 0) -> None:
        self._inner = inner
        self._chance = random.Random(seed)  # noqa: S311 - replays must be equal, not secret
        self.faults = faults

    def send(self, request: Request) -> Response:
        """The answer, if the faults let it through."""
        faults = self.faults
        if self._happens(faults.portal):
            return Response(
                status=200, headers={"content-type": "text/html"}, body=b"<html>log in</html>"
            )
        if self._happens(faults.drop_request):
            raise OfflineError("the request was lost")
        if request.method == "PATCH" and self._happens(faults.cut):
            self._inner.send(_cut(request))
            raise OfflineError("the connection broke")
        if self._happens(faults.duplicate):
            self._inner.send(request)
        answer = self._inner.send(request)
        if self._happens(faults.drop_answer):
            raise OfflineError("the answer was lost")
        return answer

    def _happens(self, how_often: float) -> bool:
        return how_often > 0 and self._chance.random() < how_often


def _cut(request: Request) -> Request:
    """What is left of a piece: a server drops it where a checksum covers the whole."""
    headers = {n: v for n, v in request.headers.items() if n.lower() != "upload-checksum"}
    half = request.body[: len(request.body) // 2]
    return Request(method=request.method, url=request.url, headers=headers, body=half)


class FixedClock:
    """A clock that moves only when told to."""

    def __init__(
        self, at: datetime.datetime = datetime.datetime(2026, 11, 22, 10, 2, 11, tzinfo=_ZONE)
    ) -> None:
        self._at = at
        self._monotonic_ms = 1_000_000
        self._boots = 1

    def now(self) -> datetime.datetime:
        """The wall time that was set."""
        return self._at

    def monotonic_ms(self) -> int:
        """Milliseconds since this boot."""
        return self._monotonic_ms

    def boot(self) -> str:
        """The name of this boot."""
        return f"boot-{self._boots}"

    def pass_time(self, seconds: float) -> None:
        """Lets time pass, on both clocks."""
        self._at += datetime.timedelta(seconds=seconds)
        self._monotonic_ms += int(seconds * 1000)

    def set_wall(self, at: datetime.datetime) -> None:
        """Sets the wall clock alone, as a person does."""
        self._at = at

    def restart(self) -> None:
        """Starts the device anew."""
        self._boots += 1
        self._monotonic_ms = 0


class SeededEntropy:
    """Chance that is the same for the same seed. Never for real keys."""

    def __init__(self, seed: int = 0) -> None:
        self._chance = random.Random(seed)  # noqa: S311 - replays must be equal, not secret

    def secret(self, size: int) -> bytes:
        """The next ``size`` bytes."""
        return self._chance.randbytes(size)

    def fraction(self) -> float:
        """The next number from 0 up to, not including, 1."""
        return self._chance.random()
