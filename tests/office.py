"""The office for tests: reps who hand in work over the wire, reviewers who look at pages."""

import html
import re
from contextvars import Context
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from server.casework.items import OpenItem, Waits
from server.db import transaction
from server.domain import shapes
from server.domain.declaration import kind_from_schema
from server.people import passwords
from server.people.principal import Role
from server.sync.kinds import Author, Change, Data, Placement
from server.work.rounds import run_pending
from tests.company import Company, DeviceHandle
from tests.phone import Phone
from tests.pictures import draw
from tests.uploads import Carrier, photo_values

PASSWORD = "correct horse battery"
HASHED = passwords.hash_password(PASSWORD)
TOKEN = re.compile(r'name="csrf_token" value="([^"]+)"')
HIDDEN = re.compile(r'name="(base|evidence)" value="([^"]*)"')


class Rack(shapes.Shape):
    """The shape of a kind that no page knows."""

    shelf = shapes.text("货架", "Shelf", limit=20, required=True)
    height_cm = shapes.integer("高度", "Height", least=1, most=400)
    flags = shapes.flags({})


def _place(_rack: Data, by: Author) -> Placement:
    scopes = frozenset({f"user:{by.user}", f"region:{by.home_region}"})
    return Placement(scopes=scopes, region=by.home_region)


def _waits(change: Change) -> Waits:
    wanted = OpenItem(Role.REGION_MANAGER, "measure", timedelta(hours=1))
    return (wanted,) if change.before is None else None


RACK = kind_from_schema(
    Rack,
    "rack",
    zh="货架",
    en="Rack",
    place=_place,
    waits=_waits,
    office_roles=frozenset({Role.REGION_MANAGER}),
    summary=("shelf", "height_cm"),
    label="shelf",
)


@dataclass
class Rep:
    """A rep's phone: creates records and sends photos."""

    app: Flask
    device: DeviceHandle
    phone: Phone = field(init=False)

    def __post_init__(self) -> None:
        self.phone = Phone(self.app.test_client(), self.device)

    def create(self, kind: str, /, **values: Any) -> str:
        """A new record; its id."""
        wall = {"wall": "2026-03-02T09:12:00+08:00", "offset_ms": 800}
        made = self.phone.create(kind, values, captured=wall)
        (result,) = self.phone.push(made)
        assert result["outcome"] == "applied", result
        return str(made["record"])

    def patch(self, record: str, kind: str, base: int, /, **values: Any) -> dict[str, Any]:
        """The result of a patch."""
        about = {"record": record, "kind": kind}
        (result,) = self.phone.push(self.phone.patch(about, base, values))
        return result

    def photo(self, parent: str, kind: str, content: bytes | None = None, **given: Any) -> str:
        """A photo beneath ``parent``, uploaded and looked into."""
        content = content or draw()
        values = photo_values(parent, content, parent_kind=kind, **given)
        record = self.create("photo", **values)
        carrier = Carrier(self.app.test_client(), self.device, lambda: record)
        answer = carrier.send(record, content, upload=record)
        assert answer.status_code == 204, answer.get_data(as_text=True)
        run_pending(self.app)
        return record


@dataclass
class Reviewer:
    """A browser without a screen: pages, forms and their tokens."""

    client: FlaskClient
    user: str
    language: str = "en"

    def send(self, method: str, path: str, **options: Any) -> TestResponse:
        """A request below ``/office`` that shares nothing with the context of the test."""
        headers = {"Accept-Language": self.language}
        address = f"/office{path}"
        return Context().run(
            self.client.open, address, method=method, headers=headers, buffered=True, **options
        )

    def get(self, path: str, **options: Any) -> TestResponse:
        """GET below ``/office``."""
        return self.send("GET", path, **options)

    def page(self, path: str, status: int = 200) -> str:
        """The text of a page, entities resolved."""
        answer = self.get(path)
        assert answer.status_code == status, answer.get_data(as_text=True)
        return html.unescape(answer.get_data(as_text=True))

    def token(self, path: str = "/") -> str:
        """The form token of a page."""
        found = TOKEN.search(self.get(path).get_data(as_text=True))
        assert found is not None
        return found.group(1)

    def post(self, path: str, *, seen: str = "/", **values: Any) -> TestResponse:
        """Sends a form that carries the token of the page ``seen``."""
        form = {"csrf_token": self.token(seen), **values}
        return self.send("POST", path, data=form)

    def form_of(self, record: str) -> dict[str, str]:
        """The hidden fields of the form of a decision, as they stand on the page now."""
        return dict(HIDDEN.findall(self.page(f"/records/{record}")))

    def decide(self, record: str, verdict: str = "accepted", **given: Any) -> TestResponse:
        """Sends a decision on what the page shows, unless ``given`` says otherwise."""
        values = {**self.form_of(record), "verdict": verdict, "note": "seen", **given}
        return self.post(f"/records/{record}/decision", seen=f"/records/{record}", **values)


@dataclass
class Office:
    """A company whose people may sign in."""

    app: Flask
    company: Company

    def rep(self, region: str = "shanghai", **given: Any) -> Rep:
        """A rep of that region with a phone."""
        return Rep(self.app, self.company.device(self.company.user(Role.REP, region, **given)))

    def person(
        self, role: Role = Role.REGION_MANAGER, region: str | None = "east", **given: Any
    ) -> str:
        """The username of somebody with a password."""
        username = f"{role}-{region}-{given.get('name', '')}".lower()
        given = {"username": username, "password": HASHED, **given}
        self.company.user(role, region, **given)
        return str(given["username"])

    def reviewer(
        self, role: Role = Role.REGION_MANAGER, region: str | None = "east", **given: Any
    ) -> Reviewer:
        """Somebody who has signed in."""
        username = self.person(role, region, **given)
        reviewer = Reviewer(self.app.test_client(), username)
        answer = reviewer.post("/login", seen="/login", username=username, password=PASSWORD)
        assert answer.status_code == 302, answer.get_data(as_text=True)
        return reviewer

    def write(self, *rows: Any) -> None:
        """Stores rows as they are."""
        with transaction(self.company.store):
            self.company.store.add_all(rows)
