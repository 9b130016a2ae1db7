"""The client processes of uploads: each makes its photos, waits for the others, and sends them."""

import base64
import hashlib
import http.client
import multiprocessing
import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection

from bench.wire import HOST, PATIENCE

CARRIERS = 8
BODY = "application/offset+octet-stream"


@dataclass(frozen=True, slots=True)
class Photo:
    """One photo to send; its bytes follow from its seed."""

    seed: int
    size: int
    said: Mapping[str, str]
    """``Upload-Metadata``."""

    def content(self) -> bytes:
        """Bytes that nothing compresses, like those of a JPEG."""
        return random.Random(self.seed).randbytes(self.size)

    def sha256(self) -> str:
        """Lower-case hex."""
        return hashlib.sha256(self.content()).hexdigest()


@dataclass(frozen=True, slots=True)
class Load:
    """What one carrier sends, where, and in pieces of how many bytes."""

    port: int
    path: str
    headers: Mapping[str, str]
    photos: Sequence[Photo]
    piece: int


@dataclass(slots=True)
class Trip:
    """What one carrier saw; times are of one monotonic clock."""

    began: float = 0.0
    ended: float = 0.0
    spans: list[float] = field(default_factory=list)
    """Seconds that each photo took."""


def send_all(loads: Sequence[Load]) -> list[Trip]:
    """Sends all ``loads`` at once, each from a process of its own."""
    context = multiprocessing.get_context("spawn")
    pipes: list[Connection] = []
    for load in loads:
        here, there = context.Pipe()
        context.Process(target=_carry, args=(there, load), daemon=True).start()
        pipes.append(here)
    for pipe in pipes:
        pipe.recv()
    for pipe in pipes:
        pipe.send("go")
    return [pipe.recv() for pipe in pipes]


def _carry(pipe: Connection, load: Load) -> None:
    contents = [photo.content() for photo in load.photos]
    pipe.send("ready")
    pipe.recv()
    # Not before: a server hangs up on who says nothing, and the slowest may take long to get ready.
    line = http.client.HTTPConnection(HOST, load.port, timeout=PATIENCE)
    line.connect()
    trip = Trip(began=time.perf_counter())
    for photo, content in zip(load.photos, contents, strict=True):
        sent = time.perf_counter()
        _send(line, load, photo, content)
        trip.spans.append(time.perf_counter() - sent)
    trip.ended = time.perf_counter()
    pipe.send(trip)


def _send(line: http.client.HTTPConnection, load: Load, photo: Photo, content: bytes) -> None:
    said = ",".join(f"{k} {base64.b64encode(v.encode()).decode()}" for k, v in photo.said.items())
    common = {"Tus-Resumable": "1.0.0", **load.headers}
    told = {"Upload-Length": str(photo.size), "Upload-Metadata": said}
    where = _ask(line, "POST", load.path, {**common, **told}, b"")["Location"]
    view = memoryview(content)
    for offset in range(0, photo.size, load.piece):
        piece = view[offset : offset + load.piece]
        told = {"Content-Type": BODY, "Upload-Offset": str(offset)}
        told["Content-Length"] = str(len(piece))
        _ask(line, "PATCH", where, {**common, **told}, piece)


def _ask(
    line: http.client.HTTPConnection,
    method: str,
    url: str,
    headers: Mapping[str, str],
    body: bytes | memoryview,
) -> http.client.HTTPMessage:
    line.request(method, url, body=body, headers=dict(headers))
    answer = line.getresponse()
    told = answer.read()
    if answer.status >= 400:
        raise RuntimeError(f"{method} {url}: {answer.status} {told[:500]!r}")
    return answer.headers
