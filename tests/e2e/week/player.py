"""Plays the stories of a week: devices with the client library, desks over HTTP, guests by link.

One application in this process, one clock that everybody's time comes from, and the worker's rounds
between what people do. Nothing is written but by the doors that people use.
"""

import html
import io
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import groupby
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from flask import Flask

from fieldstamp import Client
from fieldstamp.testing import FixedClock as DeviceClock
from fieldstamp.testing import SeededEntropy, WsgiTransport
from server.clock import to_wire
from server.db import transaction
from server.demo.company import PASSWORD
from server.demo.founding import Founded, found_company
from server.extensions import db
from server.people import users
from server.people.principal import Role
from server.people.tables import User
from server.services import Services
from server.upkeep.imports import take_in
from server.work.rounds import run_pending
from tests.company import ORIGIN, FixedClock
from tests.e2e.week import elsewhere, tables
from tests.e2e.week.people import Handset, OfficeDesk
from tests.e2e.week.story import Story
from tests.links import Guest
from tests.office import Reviewer
from tests.phone import new_id

MONDAY = datetime(2026, 3, 2, tzinfo=ZoneInfo("Asia/Shanghai"))
DAYS = 7
ADDRESS = re.compile(r'value="[^"]*/l/([^"]+)"')
FILM = b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom"
SIGNERS = {"region_manager": "王芳", "sales_manager": "周建国", "affected_dealer": "刘经理"}


@dataclass(frozen=True, slots=True, order=True)
class Event:
    """Somebody does something at a time."""

    at: datetime
    order: int
    story: str = ""
    who: str = ""
    act: str = ""
    given: tuple[str, ...] = ()


@dataclass
class Week:
    """The company in its week."""

    app: Flask
    clock: FixedClock
    folder: Path
    records: dict[str, str] = field(default_factory=dict)
    """Story → its record."""
    customers: dict[str, str] = field(default_factory=dict)
    """Number of a customer → its record."""
    devices: dict[str, Handset] = field(default_factory=dict)
    desks: dict[str, OfficeDesk] = field(default_factory=dict)
    penalties: dict[str, str] = field(default_factory=dict)
    """Story → the penalty that was proposed."""
    licence: str = ""
    notes: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    """Story → what was written beside each decision, in order."""
    links: dict[str, Guest] = field(default_factory=dict)
    visits: dict[str, str] = field(default_factory=dict)
    signed: set[tuple[str, str]] = field(default_factory=set)
    """(part, record)."""
    films: int = 0

    @property
    def services(self) -> Services:
        """The services of the application."""
        found: Services = self.app.extensions["fieldstamp"]
        return found

    def begin(self) -> None:
        """Founds the company, brings its tables, and hands out devices."""
        with self.app.app_context():
            self.founded = found_company(db.session(), self.services, now=self.clock.now())
            self._bring_tables(self.founded)
            self._appoint(Role.SALES_MANAGER, "east")
            db.session.remove()
        for number, name in enumerate(("rep", "rep_guangzhou", "rep_beijing", *_managers())):
            self.devices[name] = self._hand_out(name, number)
        manager = self.devices["region_manager"].client
        known = {one.get("number"): one.id for one in manager.records("customer")}
        self.customers = {number: known[number] for number in known if number}
        self._agree(manager)

    def play(self, stories: Iterable[Story]) -> None:
        """Everything that happens, in the order of time."""
        self.stories = {story.name: story for story in stories}
        events = sorted([*self._routine(), *self._script()])
        for at, together in groupby(events, key=lambda event: event.at):
            self._wait_until(at)
            for event in together:
                self._do(event)
            self._work()

    def desk(self, who: str) -> OfficeDesk:
        """The desk of somebody in the office."""
        if who not in self.desks:
            self.desks[who] = OfficeDesk(Reviewer(self.app.test_client(), who))
        return self.desks[who]

    def device_of(self, story: Story) -> Client:
        """The device on which a story began."""
        return self.devices[story.by].client

    def _bring_tables(self, founded: Founded) -> None:
        clerk = founded.people["sales_clerk"]
        for what in ("products", "batches", "customers", "shipments"):
            path = self.folder / f"{what}.csv"
            path.write_text(getattr(tables, what.upper()), "utf-8")
            report = take_in(db.session(), self.services, what, path, by=clerk, dry_run=False)
            assert report.written, report

    def _appoint(self, role: Role, place: str) -> None:
        """Lets a device hold what lies in ``place``; a role in the whole company does not."""
        session, region = db.session(), self.founded.places[place]
        with transaction(session):
            person = session.get_one(User, self.founded.people[role.value])
            users.grant_role(session, person, role, region=region, now=self.clock.now())

    def _hand_out(self, name: str, number: int) -> Handset:
        clock = DeviceClock(self.clock.now())
        client = Client(
            self.folder / f"{name}.db",
            server=ORIGIN,
            transport=WsgiTransport(self.app),
            clock=clock,
            entropy=SeededEntropy(number),
        )
        client.login(name, PASSWORD)
        handset = Handset(client, clock, range(*tables.AWAY.get(name, (0, 0))))
        client.sync().run()
        return handset

    def _agree(self, manager: Client) -> None:
        shanghai = self.founded.places["shanghai"]
        for number, end in tables.PERMITS.items():
            values = {**tables.PERMIT, "dealer": self.customers[number], "market": shanghai}
            manager.create("permit", {**values, "end": end})
        values = {"dealer": self.customers["D-LI"], "regions": [shanghai], "products": ["LH"]}
        self.licence = manager.create("licence", {**values, "start": "2026-01-01"}).id
        manager.sync().run()

    def _routine(self) -> Iterator[Event]:
        """What every day brings."""
        for day in range(DAYS):
            for hour, minute, act in ((9, 20, "sign"), (15, 50, "trace"), (18, 0, "sync")):
                yield Event(_at(day, f"{hour}:{minute}"), 9, act=act)

    def _script(self) -> Iterator[Event]:
        for story in self.stories.values():
            yield Event(_at(story.day, "9:00"), 0, story=story.name, act="finds")
            for order, line in enumerate(story.then, start=1):
                later, time, who, act, *given = line.split()
                at = _at(story.day + int(later), time)
                yield Event(at, order, story.name, who, act, tuple(given))

    def _wait_until(self, at: datetime) -> None:
        span = (at - self.clock.now()).total_seconds()
        assert span >= 0, at
        self.clock.advance(seconds=span)
        for handset in self.devices.values():
            handset.clock.pass_time(span)
        self._work()

    def _work(self) -> None:
        run_pending(self.app)
        with self.app.app_context():
            db.session.remove()

    @property
    def _day(self) -> int:
        return (self.clock.now().astimezone(MONDAY.tzinfo) - MONDAY).days

    def _do(self, event: Event) -> None:
        story = self.stories.get(event.story)
        if story is None:
            getattr(self, f"_{event.act}")()
            return
        act = getattr(self, f"_{event.act}", None)
        if event.who == "penalty":
            self._answers(story, event.act, *event.given)
        elif act is None:
            self._move(story, event.who, event.act, dict(one.split("=") for one in event.given))
        else:
            act(story, *event.given)

    def _sign(self) -> None:
        """In the morning devices sync, and managers sign what waits for their signature."""
        self._sync()
        for who in _managers():
            client = self.devices[who].client
            seen = {one.id for one in client.records("cross_region_case")}
            for name, record in self.records.items():
                story = self.stories[name]
                if who in story.signed and record in seen and (who, record) not in self.signed:
                    self._sign_as(client, record, who)
            client.sync().run()

    def _sign_as(self, client: Client, record: str, part: str) -> None:
        strokes = [[1, 2], [30, 40], [50, len(self.records)]]
        client.sign(record, part=part, signer=SIGNERS[part], strokes=strokes)
        self.signed.add((part, record))

    def _sync(self) -> None:
        for handset in self.devices.values():
            handset.sync(self._day)

    def _trace(self) -> None:
        """X5: logistics confirms what the shipments say, or that there were none."""
        desk = self.desk("logistics_officer")
        while waiting := desk.queue():
            for record, batch in waiting.items():
                is_known = batch in tables.SHIPMENTS
                self._decide(desk, record, "as_proposed" if is_known else "not_shipped", "")

    def _finds(self, story: Story) -> None:
        client = self.device_of(story)
        record = client.create(story.kind, self._fields(story))
        self.records[story.name] = record.id
        if story.goods and story.kind in {"cross_region_case", elsewhere.COUNTERFEIT}:
            for tag in story.shows:
                self._film(story, tag)
        if story.kind == "cross_region_case" and "affected_dealer" in story.signed:
            self._sign_as(client, record.id, "affected_dealer")

    def _fields(self, story: Story) -> dict[str, Any]:
        now = self.clock.now()
        given = {name: self._named(value) for name, value in story.fields.items()}
        ago = timedelta(minutes=given.pop("minutes_ago", 10))
        match story.kind:
            case elsewhere.FAULT:
                found: dict[str, Any] = {"product": "LH", "found_at": to_wire(now)}
            case elsewhere.INCIDENT:
                found = {"happened_at": to_wire(now - ago)}
            case elsewhere.RETURN:
                found = {}
            case "survey":
                found = {"asked_at": to_wire(now)}
            case _:
                market = self.founded.places[story.market]
                lines = [_line(one) for one in story.goods]
                found = {"affected_market": market, "found_at": to_wire(now), "lines": lines}
        return {**found, **given}

    def _named(self, value: Any) -> Any:
        if isinstance(value, str) and value.startswith("@"):
            return self.records[value[1:]]
        if isinstance(value, str) and value.startswith("#"):
            return self.customers[value[1:]]
        return value

    def _films(self, story: Story, tag: str) -> None:
        self._film(story, tag)
        self.devices[story.by].sync(self._day)

    def _film(self, story: Story, tag: str) -> None:
        self.films += 1
        content = FILM + self.films.to_bytes(4, "big")
        self.device_of(story).attach(
            self.records[story.name], content, tag=tag, source="app_camera", type="video/mp4"
        )

    def _takes_back(self, story: Story) -> None:
        client = self.device_of(story)
        client.patch(self.records[story.name], {"withdrawal_reason": "双方和解"})
        client.sync().run()

    def _adds(self, story: Story) -> None:
        client = self.device_of(story)
        client.create("case_supplement", {"case": self.records[story.name], "text": "批号见照片"})
        client.sync().run()

    def _visits(self, story: Story, customer: str) -> None:
        client = self.device_of(story)
        visit = client.create("visit", {"customer": self._named(customer), "purpose": "follow_up"})
        client.patch(self.records[story.name], {"revisit": visit})
        client.sync().run()
        self.visits[story.name] = visit.id

    def _reviews(self, story: Story) -> None:
        self._decide(self.desk("region_manager"), self.visits[story.name], "accepted", "")

    def _move(self, story: Story, who: str, verdict: str, values: Mapping[str, str]) -> None:
        note = f"{story.name}: {verdict}"
        self.notes[story.name].append(note)
        self._decide(self.desk(who), self.records[story.name], verdict, note, **values)

    def _decide(
        self, desk: OfficeDesk, record: str, verdict: str, note: str, **values: str
    ) -> None:
        form = {f"{verdict}_{name}": value for name, value in values.items()}
        path = f"/records/{record}"
        told = {"verdict": verdict, "note": note or "核对无误", "step": "stay", **form}
        self.clock.advance(seconds=1)
        answer = desk.send(path, f"{path}/decision", **told)
        assert answer.status_code == 302, (note, html.unescape(answer.get_data(as_text=True)))

    def _proposes(self, story: Story, sort: str, amount: str) -> None:
        """X14: whoever decided proposes a penalty."""
        path = f"/records/{self.records[story.name]}/penalties"
        values = {"sort": sort, "amount": amount, "currency": "CNY", "party": "广州丰源贸易"}
        answer = self.desk("market_officer").send(path, path, **values, reason="窜货成立")
        assert answer.status_code == 302, html.unescape(answer.get_data(as_text=True))
        self.penalties[story.name] = answer.location.rpartition("/")[2]

    def _answers(self, story: Story, who: str, verdict: str, *given: str) -> None:
        """X14: the general manager, or finance, takes the penalty further."""
        values = dict(one.split("=") for one in given)
        note = f"{story.name}: {verdict}"
        self._decide(self.desk(who), self.penalties[story.name], verdict, note, **values)

    def _pauses(self, story: Story, reason: str) -> None:
        self._handle(story, reason)

    def _goes_on(self, story: Story) -> None:
        self._handle(story, "")

    def _handle(self, story: Story, pause: str) -> None:
        path = f"/records/{self.records[story.name]}"
        answer = self.desk("market_officer").send(path, f"{path}/handling", pause=pause)
        assert answer.status_code == 302, answer.get_data(as_text=True)

    def _opens(self, story: Story) -> None:
        """X6: the office makes a link, and the accused opens it."""
        path = f"/records/{self.records[story.name]}/links"
        page = self.desk("market_officer").send(path, path).get_data(as_text=True)
        found = ADDRESS.search(page)
        assert found is not None, page
        guest = self.links[story.name] = Guest(self.app.test_client(), found.group(1))
        assert guest.page().status_code == 200

    def _shows(self, story: Story) -> None:
        self._opens(story)
        self.films += 1
        film = (io.BytesIO(FILM + self.films.to_bytes(4, "big")), "proof.mp4", "video/mp4")
        self._hand_in(story, {"photo_ids": new_id(), "photos": film}, status=303)

    def _writes(self, story: Story) -> None:
        self._opens(story)
        self._hand_in(story, {}, status=303)

    def _is_late(self, story: Story) -> None:
        self._hand_in(story, {}, status=410)

    def _hand_in(self, story: Story, values: dict[str, Any], *, status: int) -> None:
        form = {"id": new_id(), "text": "不是我们的货", **values}
        answer = self.links[story.name].ask("POST", data=form)
        assert answer.status_code == status, answer.get_data(as_text=True)


def _managers() -> tuple[str, ...]:
    return ("region_manager", "sales_manager")


def _at(day: int, time: str) -> datetime:
    hour, minute = map(int, time.split(":"))
    return MONDAY + timedelta(days=day, hours=hour, minutes=minute)


def _line(said: str) -> dict[str, Any]:
    quantity, unit, batch = said.split()
    named = {} if batch == "-" else {"batch": batch}
    return {"product": "LH", "quantity": int(quantity), "unit": unit, **named}
