"""A small company for tests: regions, people, devices. The same values every time."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from flask import Flask
from sqlalchemy.orm import Session as Store

from server.api.access import issue_token
from server.db import transaction
from server.extensions import db
from server.people import devices, sessions
from server.people.principal import Role
from server.people.tables import Device, Region, RoleGrant, User
from server.services import Services

START = datetime(2026, 3, 2, 1, 30, tzinfo=UTC)
ORIGIN = "http://localhost"

# id, parent, level, zh, en
REGIONS = (
    ("root", None, "company", "全国", "Country"),
    ("east", "root", "sales_centre", "华东", "East"),
    ("shanghai", "east", "market", "上海", "Shanghai"),
    ("hangzhou", "east", "market", "杭州", "Hangzhou"),
    ("south", "root", "sales_centre", "华南", "South"),
    ("guangzhou", "south", "market", "广州", "Guangzhou"),
)


class FixedClock:
    """A clock that moves only when a test moves it."""

    def __init__(self, start: datetime = START) -> None:
        self.moment = start

    def now(self) -> datetime:
        """The moment that the test set."""
        return self.moment

    def monotonic(self) -> float:
        """Seconds since the epoch of the set moment."""
        return self.moment.timestamp()

    def advance(self, **span: float) -> None:
        """Moves forward by a ``timedelta(**span)``."""
        self.moment += timedelta(**span)


@dataclass(frozen=True, slots=True)
class DeviceHandle:
    """An enrolled device with a live access token."""

    id: str
    user: str
    session: str
    key: Ed25519PrivateKey
    token: str

    @property
    def headers(self) -> dict[str, str]:
        """What a request of this device carries."""
        return {"Authorization": f"Bearer {self.token}"}


@dataclass
class Company:
    """Writes people and devices straight into the tables of ``app``; needs its app context."""

    app: Flask
    regions: dict[str, str] = field(default_factory=dict)
    """Name (``east``, ``shanghai`` …) → id."""
    _count: int = 0

    @property
    def services(self) -> Services:
        """The services of the application."""
        services = self.app.extensions["fieldstamp"]
        assert isinstance(services, Services)
        return services

    @property
    def store(self) -> Store:
        """The session of this context."""
        return db.session()

    def plant_regions(self) -> None:
        """Writes the tree of :data:`REGIONS`."""
        paths: dict[str | None, str] = {None: "/"}
        with transaction(self.store):
            for name, parent, level, zh, en in REGIONS:
                region = self.regions[name] = self.services.ids.new()
                paths[name] = f"{paths[parent]}{region}/"
                self.store.add(
                    Region(
                        id=region,
                        parent=self.regions.get(parent or ""),
                        path=paths[name],
                        level=level,
                        name_zh=zh,
                        name_en=en,
                    )
                )
                self.store.flush()

    def user(self, role: Role = Role.REP, region: str | None = "shanghai", **given: Any) -> str:
        """A user with ``role`` in the region of that name (None: in the whole company)."""
        self._count += 1
        user = self.services.ids.new()
        place = None if region is None else self.regions[region]
        values = {
            "id": user,
            "username": f"{role}{self._count}",
            "name": f"{role} {self._count}",
            "home_region": place,
            "zone": "Asia/Shanghai",
            "language": "zh-CN",
            "created_at": self.services.clock.now(),
        }
        with transaction(self.store):
            self.store.add(User(**values | given))
            self.store.flush()
            self.store.add(RoleGrant(user=user, role=role.value, region=place))
        return user

    def device(self, user: str) -> DeviceHandle:
        """A device of ``user``, enrolled, with its key and a live session."""
        self._count += 1
        key = Ed25519PrivateKey.from_private_bytes(self._count.to_bytes(32, "big"))
        now = self.services.clock.now()
        with transaction(self.store):
            device = Device(
                id=self.services.ids.new(),
                user=user,
                name=f"phone {self._count}",
                platform="test",
                app="1.0.0",
                origin=ORIGIN,
                alg="ed25519",
                public_key=key.public_key().public_bytes_raw(),
                enrolled_at=now,
            )
            self.store.add(device)
            self.store.flush()
            session = sessions.open_session(
                self.store, self.services.ids, user=user, device=device.id, now=now
            )
            ids = device.id, session.id
        return DeviceHandle(ids[0], user, ids[1], key, issue_token(ids[1]))

    def revoke(self, device: DeviceHandle) -> None:
        """Revokes a device; it may still hand in its work."""
        with transaction(self.store):
            found = self.store.get_one(Device, device.id)
            devices.revoke(self.store, found, erase="scopes", now=self.services.clock.now())

    def again(self, device: DeviceHandle) -> DeviceHandle:
        """The same device with a new session and token, after a long time."""
        now = self.services.clock.now()
        with transaction(self.store):
            session = sessions.open_session(
                self.store, self.services.ids, user=device.user, device=device.id, now=now
            )
            key = session.id
        return replace(device, session=key, token=issue_token(key))

    def rep(self, region: str = "shanghai") -> DeviceHandle:
        """A rep of that region with a device."""
        return self.device(self.user(Role.REP, region))

    def manager(self, region: str = "east") -> DeviceHandle:
        """A region manager of that region with a device."""
        return self.device(self.user(Role.REGION_MANAGER, region))
