"""How much memory a server takes: ``python -m tests.load.memory``.

Unique memory of the processes of ``fieldstamp-server serve``, HTTP and the worker apart: idle,
under slow uploads, under quick ones, and while pictures of 12 megapixels are looked into.
"""

import argparse
import contextlib
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from threading import Event

import psutil

from bench.carriers import CARRIERS, Load, Photo, send_all
from bench.stores import postgresql
from server.db import database_url
from server.settings import Settings
from tests.lines import begin, declare, field_of, patch
from tests.live import LiveServer, live_server
from tests.load.clients import Door
from tests.load.drips import SILENCE_SECONDS, Memory, Stage, drips
from tests.media.cost import draw_large
from tests.until import until
from tests.uploads import UPLOADS

PHOTO_BYTES, PHOTOS = 3 * 1024 * 1024, 96
PICTURES = 8
IDLE_SECONDS = 5
OFTEN_SECONDS = 0.05
"""A picture is looked into within some tenths of a second."""


def loads(server: LiveServer, count: int, *, seed: int = 1) -> list[Load]:
    """What each of eight carriers is to send: ``count`` photos in all, each as one body."""
    found = []
    for first in range(seed, seed + count, -(-count // CARRIERS)):
        photos = []
        for number in range(first, first + -(-count // CARRIERS)):
            content = Photo(number, PHOTO_BYTES, {}).content()
            said = {"photo": declare(server, content)}
            photos.append(Photo(number, PHOTO_BYTES, said))
        found.append(Load(server.port, UPLOADS, server.device.headers, photos, PHOTO_BYTES))
    return found


def look_into(server: LiveServer, picture: bytes) -> None:
    """Sends the picture some times, as other files, and waits until each was looked into."""
    photos = []
    for number in range(PICTURES):
        content = picture + bytes([number])
        photos.append(declare(server, content))
        patch(server, begin(server, photos[-1], len(content)), 0, content)
    until(lambda: all(field_of(server, photo, "content") == "readable" for photo in photos))


@dataclass(frozen=True)
class Watch:
    """The processes of one server."""

    http: int
    work: int

    @contextlib.contextmanager
    def telling(self, phase: str) -> Iterator[None]:
        """Prints a row of the most that they took meanwhile."""
        with (
            Memory([self.http], every=OFTEN_SECONDS) as http,
            Memory([self.work], every=OFTEN_SECONDS) as work,
        ):
            yield
        say(f"| {phase} | {http.peak_mb:.0f} MB | {work.peak_mb:.0f} MB |")


def watch(server: LiveServer) -> Watch:
    """Finds them below ``serve``."""
    [serve] = server.processes
    children = psutil.Process(serve.pid).children()
    found = {child.cmdline()[-1]: child.pid for child in children}
    return Watch(found["http"], found["work"])


def play(server: LiveServer, picture: bytes) -> None:
    """One phase after the other."""
    seen, photo = watch(server), declare(server, b"photo")
    say("| phase | HTTP, two processes and their parent | the worker and its children |")
    say("| --- | --- | --- |")
    with seen.telling("idle"):
        Event().wait(IDLE_SECONDS)
    stage = Stage(server, Door(server.port, server.device.headers), photo, 40)
    with seen.telling("300 dripping uploads beside 40 pulls a second"):
        drips(stage, count=300, per_second=5_000, seconds=20)
    sent = loads(server, PHOTOS)
    with seen.telling(f"{PHOTOS} photos of 3 MB, {CARRIERS} at once"):
        send_all(sent)
    with seen.telling(f"{PICTURES} pictures of 12 megapixels looked into"):
        look_into(server, picture)
    with seen.telling("idle again"):
        Event().wait(IDLE_SECONDS)


def say(line: str) -> None:
    """Prints at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> None:
    """Prints a row for each phase."""
    parser = argparse.ArgumentParser(prog="python -m tests.load.memory", description=__doc__)
    parser.add_argument("--postgresql", action="store_true", help="the store is there")
    asked, picture = parser.parse_args(), draw_large()
    with contextlib.ExitStack() as open_:
        folder = Path(open_.enter_context(tempfile.TemporaryDirectory(prefix="fieldstamp-load-")))
        data = folder / "data"
        data.mkdir()
        url = f"sqlite:///{data}/store.sqlite"
        if asked.postgresql:
            url = database_url(open_.enter_context(postgresql(folder)).create_database())
        usual = {"WORKERS": "2", "THREADS": "400", "UPLOAD_SLOTS": "360"}
        given = {f"FIELDSTAMP_{name}": value for name, value in usual.items()}
        given["FIELDSTAMP_SILENCE_SECONDS"] = str(SILENCE_SECONDS)
        settings = Settings(data=data, database=url, access_minutes=600)
        server = open_.enter_context(live_server(settings, **given))
        server.kill()
        server.start("serve")
        server.wait_until_it_answers()
        play(server, picture)


if __name__ == "__main__":
    main()
