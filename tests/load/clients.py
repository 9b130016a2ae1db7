"""Clients that make trouble, and one that asks what everybody asks; all of them bounded in time."""

import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import orjson

from tests.until import LIMIT_SECONDS
from tests.uploads import BODY, TUS

DRIPS_PER_SECOND = 5


@dataclass(frozen=True)
class Door:
    """Where the server listens, and what a device says to it."""

    port: int
    headers: Mapping[str, str]
    tls: ssl.SSLContext | None = None

    @asynccontextmanager
    async def open(self) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        """A new connection, closed at the end whatever came of it."""
        name = "localhost" if self.tls else None
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", self.port, ssl=self.tls, server_hostname=name
        )
        try:
            yield reader, writer
        finally:
            writer.transport.abort()
            with suppress(OSError):
                await writer.wait_closed()

    def request(self, method: str, path: str, headers: Mapping[str, str], length: int) -> bytes:
        """The head of a request whose body has ``length`` bytes."""
        said = {"Host": "localhost", **self.headers, **headers, "Content-Length": str(length)}
        lines = "".join(f"{name}: {value}\r\n" for name, value in said.items())
        return f"{method} {path} HTTP/1.1\r\n{lines}\r\n".encode()


@dataclass
class Answers:
    """What became of the JSON requests."""

    seconds: list[float] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    beside: int | None = None
    """How many answers had come when the first of the trouble was over."""

    def note_end(self) -> None:
        """Some of the trouble is over."""
        if self.beside is None:
            self.beside = len(self.seconds)

    def at(self, share: float) -> float:
        """The time in ms that ``share`` of the answers came within."""
        ordered = sorted(self.seconds)
        return 1000 * ordered[min(int(share * len(ordered)), len(ordered) - 1)] if ordered else 0.0


@dataclass
class Uploads:
    """What became of the uploads."""

    served: int = 0
    refused: int = 0


async def ask(door: Door, answers: Answers) -> None:
    """One pull on a connection of its own."""
    body = orjson.dumps({"protocol": 1, "schema": 1, "cursor": None, "limit": 50})
    said = {"Content-Type": "application/json", "Connection": "close"}
    begun = time.perf_counter()
    try:
        async with asyncio.timeout(LIMIT_SECONDS), door.open() as (reader, writer):
            writer.write(door.request("POST", "/v1/sync/pull", said, len(body)) + body)
            answer = await reader.read()
    except (TimeoutError, OSError) as error:
        answers.failed.append(type(error).__name__)
        return
    if answer.startswith(b"HTTP/1.1 200"):
        answers.seconds.append(time.perf_counter() - begun)
    else:
        answers.failed.append(answer[:12].decode("latin-1"))


async def keep_asking(door: Door, answers: Answers, *, per_second: int, seconds: float) -> None:
    """Pulls at a steady rate, whether or not the earlier ones were answered."""
    begun = time.perf_counter()
    asked: list[asyncio.Task[None]] = []
    for number in range(int(per_second * seconds)):
        await asyncio.sleep(max(0.0, begun + number / per_second - time.perf_counter()))
        asked.append(asyncio.create_task(ask(door, answers)))
    await asyncio.gather(*asked)


async def drip(
    door: Door, path: str, uploads: Uploads, *, content: bytes, per_second: int, after: float
) -> None:
    """A whole PATCH, a little at a time; it begins ``after`` so many seconds."""
    await asyncio.sleep(after)
    piece = per_second // DRIPS_PER_SECOND
    said = {**TUS, **BODY, "Upload-Offset": "0"}
    answer = b""
    with suppress(OSError):
        async with door.open() as (reader, writer):
            writer.write(door.request("PATCH", path, said, len(content)))
            for at in range(0, len(content), piece):
                writer.write(content[at : at + piece])
                await writer.drain()
                await asyncio.sleep(1 / DRIPS_PER_SECOND)
            answer = await reader.read(100)
    if answer.startswith(b"HTTP/1.1 204"):
        uploads.served += 1
    else:
        uploads.refused += 1


async def stall(door: Door, path: str, uploads: Uploads, *, content: bytes, seconds: float) -> None:
    """The beginning of a PATCH, and then nothing; served is whoever the server lets go in time."""
    said = {**TUS, **BODY, "Upload-Offset": "0"}
    try:
        async with asyncio.timeout(seconds), door.open() as (reader, writer):
            writer.write(door.request("PATCH", path, said, 12 * len(content)) + content)
            await reader.read(100)
    except TimeoutError:
        uploads.refused += 1
        return
    except OSError:
        pass
    uploads.served += 1


async def crawl(door: Door, over: asyncio.Event) -> None:
    """A request whose head never ends, one byte a second; begun again when it is cut off."""
    while not over.is_set():
        with suppress(OSError):
            async with door.open() as (_reader, writer):
                await _spell(writer, over)


async def _spell(writer: asyncio.StreamWriter, over: asyncio.Event) -> None:
    for letter in b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Slow: " + b"x" * 1000:
        if over.is_set():
            return
        writer.write(bytes([letter]))
        await writer.drain()
        await asyncio.sleep(1)
