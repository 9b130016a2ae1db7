"""A case, a link to it, and who holds the link: for tests of what people without an account do."""

import hashlib
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from server.db import transaction
from server.domain.links import actions, queries
from server.domain.links.actions import Declared, Given, Received, Wish
from server.domain.links.queries import Link
from server.people import rights
from server.people.principal import Principal, Role
from tests.company import Company
from tests.office import Office, Rep
from tests.phone import new_id
from tests.pictures import draw
from tests.uploads import BODY, TUS, metadata

SECRETS = {
    "finder": "王五发现人",
    "accused": "广州丰源贸易",
    "vehicle_plate": "沪A12345",
    "place": "曹杨路 510 号旁",
    "storage_place": "后院仓库三号",
    "price_found": "71.35",
    "reason": "邻居打电话说的",
}
"""What the form says beside the goods; nobody who holds a link may see any of it."""
LINES = [
    {"product": "红牛 250ml", "batch": "B20260214", "quantity": 23, "unit": "piece"},
    {"product": "绿茶 500ml", "batch": "G777", "quantity": 4, "unit": "box"},
]


def case_values(region: str, **given: Any) -> dict[str, Any]:
    """A filled form."""
    return {
        "affected_market": region,
        "found_at": "2026-03-02T08:55:00+08:00",
        "position": {"lat": "31.2407", "lon": "121.3912", "accuracy_m": "9", "age_s": 3},
        "currency": "CNY",
        "lines": LINES,
        **SECRETS,
        **given,
    }


@dataclass
class Dispute:
    """A case in the affected market, an officer who makes links, and the rep who found it."""

    office: Office
    rep: Rep = field(init=False)
    case: str = field(init=False)
    officer: Principal = field(init=False)

    def __post_init__(self) -> None:
        """Sends the case in and lets the officer sign in."""
        company = self.office.company
        self.rep = self.office.rep(name="赵举报人")
        self.case = self.rep.create("cross_region_case", **case_values(company.regions["shanghai"]))
        user = company.user(Role.MARKET_OFFICER, None)
        self.officer = rights.load_principal(company.store, user, device=None)

    @property
    def company(self) -> Company:
        """The company around it."""
        return self.office.company

    def make(self, hours: float = 24, **given: Any) -> actions.Made:
        """A new link."""
        company = self.company
        term = company.services.clock.now() + timedelta(hours=hours)
        wanted = {"purpose": "rebuttal", "record": self.case, "by": self.officer, **given}
        wish = Wish(**{"expires_at": term, **wanted})
        with transaction(company.store):
            return actions.make_link(company.store, company.services.sync, wish)

    def link(self, made: actions.Made) -> Link:
        """The link as it stands."""
        found = queries.find_link(self.company.store, made.token)
        assert found is not None
        return found

    def revoke(self, made: actions.Made) -> None:
        """Ends a link early."""
        company = self.company
        with transaction(company.store):
            actions.revoke_link(company.store, company.services.sync, made.link, self.officer)

    def hand_in(self, made: actions.Made, given: Given) -> Received:
        """What the server says to ``given``."""
        services = self.company.services
        link = self.link(made)
        return actions.hand_in(self.company.store, services.sync, services.policy, link, given)


def declared(content: bytes, **given: Any) -> Declared:
    """A photo of ``content`` as a phone declares it."""
    values = {"id": new_id(), "type": "image/jpeg", "source": "system_camera", **given}
    sha256 = hashlib.sha256(content).hexdigest()
    return Declared(**{"sha256": sha256, "bytes": len(content), **values})


def given(text: str = "货是 3 月 1 日卖给本市客户的", *photos: Declared, **more: Any) -> Given:
    """Words and photos under a fresh id."""
    return Given(**{"id": new_id(), "text": text, "photos": photos, **more})


def is_number(said: str) -> bool:
    """Whether ``said`` is a number of the office's: Luhn's sum over Crockford's 32 letters."""
    letters = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
    values = [letters.index(letter) for letter in said.replace(" ", "")]
    doubled = [2 * value - 31 * (value > 15) for value in values[-2::-2]]
    return len(values) == 9 and (sum(doubled) + sum(values[::-2])) % 32 == 0


@dataclass
class Guest:
    """Somebody who holds a link, at a phone without a screen."""

    client: FlaskClient
    token: str
    language: str = "en"

    def ask(self, method: str, path: str = "", **options: Any) -> TestResponse:
        """A request below the link."""
        headers = {"Accept-Language": self.language, **options.pop("headers", {})}
        return self.client.open(
            f"/l/{self.token}{path}", method=method, headers=headers, buffered=True, **options
        )

    def page(self, path: str = "") -> TestResponse:
        """A page as a browser asks for it."""
        return self.ask("GET", path, headers={"Accept": "text/html,*/*;q=0.8"})

    def hand_in(self, text: str, *contents: bytes, id_: str | None = None) -> TestResponse:
        """Hands in as the page's script does; the photos' bytes follow."""
        photos = [
            {
                "id": new_id(),
                "sha256": hashlib.sha256(content).hexdigest(),
                "bytes": len(content),
                "type": "image/jpeg",
                "source": "system_camera",
            }
            for content in contents
        ]
        return self.ask(
            "POST", "/hand-in", json={"id": id_ or new_id(), "text": text, "photos": photos}
        )


PHOTO = draw()


def upload(guest: Guest, photo: str, content: bytes, *pieces: int) -> list[int]:
    """Sends a photo in pieces that end at ``pieces``; the status of each answer."""
    made = guest.ask(
        "POST",
        "/uploads",
        headers={
            **TUS,
            "Upload-Length": str(len(content)),
            "Upload-Metadata": metadata({"photo": photo, "upload": photo}),
        },
    )
    assert made.status_code == 201, made.text
    place = made.headers["Location"].removeprefix(f"/l/{guest.token}")
    start, told = int(made.headers["Upload-Offset"]), []
    for end in (*pieces, len(content)):
        headers = {**TUS, **BODY, "Upload-Offset": str(start)}
        answer = guest.ask("PATCH", place, headers=headers, data=content[start:end])
        told.append(answer.status_code)
        start = end
    return told
