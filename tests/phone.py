"""A device for tests of the wire: seals by hand and says what it likes, unlike the SDK."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass, field
from typing import Any

from flask.testing import FlaskClient

from server.ids import IdMaker
from tests.company import DeviceHandle, FixedClock

IDS = IdMaker(FixedClock())


def new_id() -> str:
    """A fresh UUIDv7."""
    return IDS.new()


def canonical(value: Any) -> bytes:
    """Canonical JSON, written without the server's code."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.encode()


@dataclass
class Phone:
    """Keeps the chain of a device and sends whatever it is told to."""

    client: FlaskClient
    device: DeviceHandle
    n: int = 0
    prev: str = "0" * 64
    made: list[dict[str, Any]] = field(default_factory=list)

    def seal(self, mutation: dict[str, Any]) -> dict[str, Any]:
        """``mutation`` with the next number and its seal."""
        self.n += 1
        whole = {
            "id": new_id(),
            "device": self.device.id,
            "user": self.device.user,
            "n": self.n,
            "schema": 1,
            "app": "1.0.0",
            **mutation,
        }
        content = hashlib.sha256(canonical(whole)).digest()
        digest = hashlib.sha256(b"fieldstamp-seal-1\n" + bytes.fromhex(self.prev) + content)
        sig = base64.urlsafe_b64encode(self.device.key.sign(digest.digest())).rstrip(b"=")
        sealed = {**whole, "seal": {"prev": self.prev, "sig": sig.decode()}}
        self.prev = digest.hexdigest()
        self.made.append(sealed)
        return sealed

    def create(self, kind: str, values: dict[str, Any], **more: Any) -> dict[str, Any]:
        """A sealed create of a new record."""
        return self.seal(
            {"action": "create", "kind": kind, "record": new_id(), "base": 0, "set": values, **more}
        )

    def patch(
        self, made: dict[str, Any], base: int, values: dict[str, Any], **more: Any
    ) -> dict[str, Any]:
        """A sealed patch of the record that ``made`` is about."""
        about = {"kind": made["kind"], "record": made["record"]}
        return self.seal({"action": "patch", **about, "base": base, "set": values, **more})

    def withdraw(self, made: dict[str, Any], base: int) -> dict[str, Any]:
        """A sealed withdrawal."""
        about = {"kind": made["kind"], "record": made["record"]}
        return self.seal({"action": "withdraw", **about, "base": base})

    def send(self, *mutations: dict[str, Any], language: str = "en") -> Any:
        """The response to a push."""
        return self.client.post(
            "/v1/sync/push",
            json={"protocol": 1, "mutations": list(mutations)},
            headers=self.device.headers | {"Accept-Language": language},
        )

    def push(self, *mutations: dict[str, Any]) -> list[dict[str, Any]]:
        """The results of a push that is answered with 200."""
        response = self.send(*mutations)
        assert response.status_code == 200, response.get_data(as_text=True)
        results: list[dict[str, Any]] = response.get_json()["results"]
        return results

    def pull(self, cursor: str | None = None, limit: int = 500) -> dict[str, Any]:
        """One page."""
        response = self.client.post(
            "/v1/sync/pull",
            json={"protocol": 1, "cursor": cursor, "limit": limit},
            headers=self.device.headers,
        )
        assert response.status_code == 200, response.get_data(as_text=True)
        page: dict[str, Any] = response.get_json()
        return page

    def pull_all(self, limit: int = 500) -> list[dict[str, Any]]:
        """Every item from the beginning."""
        cursor, items = None, []
        while True:
            page = self.pull(cursor, limit)
            items += page["items"]
            cursor = page["cursor"]
            if not page["more"]:
                return items


def customer(**given: Any) -> dict[str, Any]:
    """Values of a customer."""
    return {"name": "红星商店", "customer_type": "store", **given}
