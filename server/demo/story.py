"""The demonstration from its first minute to the count. Wires the parts; speaks by ``tell``."""

import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import msgspec
from flask import Flask

from server.app import create_app, open_store
from server.clock import SystemClock
from server.demo import desk
from server.demo.company import (
    FIELD_CREW,
    MARKETS,
    PASSWORD,
    PEOPLE,
    PLACES,
    SEED,
    invent_master_data,
)
from server.demo.folder import Crew, CrewDevice, write_crew
from server.demo.founding import Founded, found_company
from server.demo.job import CaseFound, Job, Told
from server.demo.link import CuttingLink
from server.demo.processes import Stopped, is_running, on_devices, serving
from server.extensions import db
from server.services import Services, services
from server.settings import load

PICTURE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".heic"})
CUTS = 5
LEAST_CUT, MOST_CUT = 20_000, 400_000
"""Bytes between two cuts of the bad link."""
PICTURE_LOOKS = 3000
REVIEWERS = ("region_manager", "market_officer")
Tell = Callable[..., None]


class NoPictures(Exception):
    """The caller's folder holds no pictures."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What the caller asked for."""

    folder: Path
    port: int
    photos: list[Path]
    """The caller's own pictures; none: each device draws some."""
    visits: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """A founded company before its server starts."""

    wishes: Wishes
    app: Flask
    founded: Founded
    master: dict[str, Any]
    tell: Tell

    @property
    def url(self) -> str:
        """Where the server listens."""
        return f"http://127.0.0.1:{self.wishes.port}"


def set_stage(wishes: Wishes, tell: Tell) -> Stage:
    """Founds the company in a fresh store."""
    folder, now = wishes.folder, SystemClock().now()
    master = invent_master_data(now.date())
    (folder / "master.json").write_bytes(msgspec.json.encode(master))
    app = create_app(load({}, data=folder / "server", log_level="WARNING"))
    open_store(app)
    with _company(app) as shared:
        founded = found_company(db.session(), shared, now=now)
    tell("found", regions=len(PLACES), people=len(PEOPLE), customers=len(founded.customers))
    tell("fresh", folder=folder)
    return Stage(wishes=wishes, app=app, founded=founded, master=master, tell=tell)


def find_pictures(folder: Path) -> list[Path]:
    """The pictures in a caller's folder. Raises :class:`NoPictures` where there are none."""
    found = [path for path in folder.iterdir() if path.suffix.lower() in PICTURE_SUFFIXES]
    if not found:
        raise NoPictures(str(folder))
    return sorted(path.resolve() for path in found)


@contextmanager
def _company(app: Flask) -> Iterator[Services]:
    """The services of the store that the server process also serves; no connection is kept."""
    with app.app_context():
        yield services()
        db.session.remove()
        db.engine.dispose()


@contextmanager
def played(stage: Stage) -> Iterator["subprocess.Popen[bytes]"]:
    """Plays the whole story; the server runs as long as the block. Raises :class:`Stopped`."""
    chance = Random(SEED)  # noqa: S311 - the same cuts each time, not a secret
    cuts = [chance.randrange(LEAST_CUT, MOST_CUT) for _ in range(CUTS)]
    with CuttingLink(stage.wishes.port, cuts) as link:
        origins = f"{stage.url},http://127.0.0.1:{link.port}"
        log = stage.wishes.folder / "server.log"
        with serving(_settings(stage, origins), port=stage.wishes.port, log=log) as server:
            _play(stage, link, server)
            yield server


def _settings(stage: Stage, origins: str) -> dict[str, str]:
    return {
        "FIELDSTAMP_DATA": str(stage.wishes.folder / "server"),
        "FIELDSTAMP_LISTEN": f"127.0.0.1:{stage.wishes.port}",
        "FIELDSTAMP_ORIGINS": origins,
        "FIELDSTAMP_SECURE_COOKIES": "false",
        "FIELDSTAMP_WORKERS": "1",
        "FIELDSTAMP_THREADS": "24",
    }


def _play(stage: Stage, link: CuttingLink, server: "subprocess.Popen[bytes]") -> None:
    jobs = _jobs(stage, bad_link=f"http://127.0.0.1:{link.port}")
    *early, late = jobs
    on_devices(jobs, "enrol", "sync", "work")
    stage.tell("offline", devices=len(jobs))
    on_devices(early, "sync")
    # The last device syncs when a colleague's edit is there: theirs meets it as a conflict.
    on_devices([late], "sync", "sign", "sync")
    stage.tell("cut", cuts=link.done)
    _wait_for_pictures(stage, server)
    _review(stage)
    heard = on_devices(jobs, "sync")
    for told in heard:
        _report(stage, told)
    stage.tell("verdicts", verdicts=sum(sum(told.verdicts.values()) for told in heard))
    write_crew(stage.wishes.folder, _crew(stage, jobs))


def _jobs(stage: Stage, *, bad_link: str) -> list[Job]:
    """One job per device; the second has the bad link, the first two and last their surprises."""
    people = {person.username: person for person in PEOPLE}
    contested = _contested(stage.founded)
    surprises: Mapping[str, dict[str, Any]] = {
        FIELD_CREW[0]: {
            "contested": contested,
            "contested_phone": "021-55550123",
            "cases": [_case(stage, first) for first in (0, 3)],
        },
        FIELD_CREW[1]: {"server": bad_link, "out_of_reach": stage.founded.places["beijing"]},
        FIELD_CREW[2]: {"contested": contested, "contested_phone": "021-55550199"},
    }
    return [
        Job(
            name=people[username].name,
            username=username,
            password=PASSWORD,
            store=_store(stage, username),
            seed=SEED + number,
            visits=stage.wishes.visits,
            photos=_photos(stage, number),
            **{"server": stage.url, **surprises[username]},
        )
        for number, username in enumerate(FIELD_CREW)
    ]


def _store(stage: Stage, username: str) -> str:
    folder = stage.wishes.folder / "devices" / username
    folder.mkdir(parents=True)
    return str(folder / "field.db")


def _photos(stage: Stage, number: int) -> list[str]:
    """The caller's pictures, each device beginning with another one."""
    given = [str(path) for path in stage.wishes.photos]
    start = number % max(len(given), 1)
    return given[start:] + given[:start]


def _contested(founded: Founded) -> str:
    """A customer whom the first rep owns and the last, who stands in as manager, also holds."""
    return next(
        record for record, customer in founded.customers.items() if customer.owner == FIELD_CREW[0]
    )


def _case(stage: Stage, first: int) -> CaseFound:
    """Three batches that were shipped to another market than the one where they are found."""
    foreign = [s for s in stage.master["shipments"] if s["market"] != "shanghai"]
    foreign = foreign[first : first + 3]
    market = next(place for place in MARKETS if place.key == foreign[0]["market"])
    names = {product["code"]: product["zh"] for product in stage.master["products"]}
    return CaseFound(
        affected_market=stage.founded.places["shanghai"],
        accused=f"{market.zh}第一经销商",
        source_market=market.zh,
        lines=[
            {
                "product": names[shipment["batch"].rpartition("-")[0]],
                "batch": shipment["batch"],
                "quantity": 24 + 6 * number,
                "unit": "piece",
            }
            for number, shipment in enumerate(foreign)
        ],
    )


def _wait_for_pictures(stage: Stage, server: "subprocess.Popen[bytes]") -> None:
    """Until the worker has looked into everything that arrived."""
    for _ in range(PICTURE_LOOKS):
        with _company(stage.app) as shared:
            if not desk.is_unseen(db.session(), shared):
                return
        if not is_running(server):
            break
    raise Stopped("the worker did not look into all pictures")


def _review(stage: Stage) -> None:
    given: Counter[str] = Counter()
    with _company(stage.app) as shared:
        for username in REVIEWERS:
            user = stage.founded.people[username]
            given += desk.review_queue(db.session(), shared, user)
    stage.tell("reviewed", **{name: given[name] for name in ("accepted", "returned", "rejected")})


def _report(stage: Stage, told: Told) -> None:
    stage.tell(
        "synced" if told.synced else "not_synced",
        name=told.name,
        saved=told.saved,
        reason=told.reason,
        conflicts=told.conflicts,
        rejected=told.rejected,
    )


def _crew(stage: Stage, jobs: list[Job]) -> Crew:
    devices = [
        CrewDevice(name=j.name, username=j.username, password=j.password, store=j.store)
        for j in jobs
    ]
    return Crew(server=stage.url, devices=devices)


def count_apart(folder: Path, server: str | None = None) -> tuple[int, str]:
    """What the separate count says of the demonstration in ``folder``: status and JSON text."""
    command = [sys.executable, "-m", "server.demo.count", str(folder)]
    done = subprocess.run(
        [*command, *([server] if server else [])], stdout=subprocess.PIPE, check=False
    )
    return done.returncode, done.stdout.decode().strip()
