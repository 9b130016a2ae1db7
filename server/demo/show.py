"""What ``fieldstamp-server demo`` shows to the person who called it."""

import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import click
import msgspec

from server.clock import SystemClock
from server.demo import story
from server.demo.company import PASSWORD, PEOPLE
from server.demo.folder import InUse, NotADemo, claimed, read_crew
from server.demo.processes import Stopped, free_port, is_running
from server.demo.words import say

FAILED = 1


def show_demo(
    folder: Path,
    *,
    photos: Path | None,
    port: int | None,
    visits: int,
    leave: bool,
    pause: bool,
    language: str,
) -> int:
    """Plays the demonstration in ``folder``; its status.

    ``leave``: count, then end by itself. ``pause``: wait for Enter before the count, so that
    somebody may take something away first and see that it is missed.
    """
    started = SystemClock().monotonic()
    for number in (signal.SIGTERM, signal.SIGINT):  # a shell's background job ignores SIGINT
        signal.signal(number, _interrupt)

    def tell(key: str, **values: object) -> None:
        click.echo(say(key, language, **values))

    def play() -> int:
        pictures = [] if photos is None else story.find_pictures(photos)
        with claimed(folder):
            wishes = story.Wishes(
                folder=folder.resolve(), port=port or free_port(), photos=pictures, visits=visits
            )
            stage = story.set_stage(wishes, tell)
            with story.played(stage) as server:
                if pause:
                    tell("pause")
                    sys.stdin.readline()
                status, count = count_demo(folder, None, language)
                if leave:
                    seconds = round(SystemClock().monotonic() - started, 1)
                    click.echo(msgspec.json.encode(count | {"seconds": seconds}).decode())
                else:
                    _stay(stage, server, tell)
        return status

    return _told(play, language)


def count_demo(folder: Path, server: str | None, language: str) -> tuple[int, dict[str, Any]]:
    """Counts apart and tells the result; the status is 1 where something is lost."""
    crew = read_crew(folder)
    status, text = story.count_apart(folder, server or crew.server)
    if not text:
        raise Stopped("the count failed")
    count: dict[str, Any] = msgspec.json.decode(text)
    click.echo(say("counted", language, **count))
    for name in count["names_of_lost"]:
        click.echo(say("lost", language, name=name))
    return status, count


def show_count(folder: Path, *, server: str | None, language: str) -> int:
    """Counts a demonstration that runs, or ran, in ``folder``; its status."""

    def play() -> int:
        status, count = count_demo(folder, server, language)
        click.echo(msgspec.json.encode(count).decode())
        return status

    return _told(play, language)


def _told(play: Callable[[], int], language: str) -> int:
    """The status of ``play``; what keeps it from its end is told in plain words."""
    try:
        return play()
    except NotADemo as error:
        said = say("not_a_demo", language, folder=error)
    except InUse as error:
        said = say("in_use", language, folder=error)
    except story.NoPictures as error:
        said = say("no_photos", language, folder=error)
    except Stopped as error:
        said = say("failed", language, reason=error)
    except KeyboardInterrupt:
        return 0
    click.echo(said, err=True)
    return FAILED


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _stay(stage: story.Stage, server: "subprocess.Popen[bytes]", tell: Callable[..., None]) -> None:
    tell("address", url=f"{stage.url}/office/")
    tell("logins", password=PASSWORD)
    for person in PEOPLE:
        roles = ", ".join(f"{role}{f'@{place}' if place else ''}" for role, place in person.grants)
        click.echo(f"  {person.username:<18}{person.name}  {roles}")
    tell("stay")
    while is_running(server):
        continue
    raise Stopped("the server ended by itself")
