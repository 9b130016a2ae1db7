"""Asks the server over HTTP as one person, without the client library's own copy of anything."""

from dataclasses import dataclass, field
from typing import Any, Self

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from fieldstamp import HttpTransport, Request, Response
from server.clock import SystemClock
from server.ids import IdMaker
from server.people.keys import to_base64url

PAGE = 500
JSON = {"Content-Type": "application/json"}
OK, NOT_FOUND = 200, 404
LATER = frozenset({429, 503})


@dataclass(frozen=True, slots=True)
class Replica:
    """Everything that one person may see, as the server sent it: record → item."""

    items: dict[str, dict[str, Any]] = field(default_factory=dict)

    def current(self, record: str) -> dict[str, Any] | None:
        """The fields of a record as they stand; None where there is no such record."""
        item = self.items.get(record)
        return None if item is None else item.get("data", {})

    def version(self, record: str) -> int:
        """The record's version."""
        return int(self.items[record]["version"])

    def parked(self, mutation: str) -> dict[str, Any] | None:
        """The values of a refused mutation that was kept."""
        item = self.items.get(mutation)
        return None if item is None or item["kind"] != "parked" else item["data"]["set"]

    def lost_in_conflict(self, mutation: str) -> dict[str, Any]:
        """The values of a mutation that lost and are kept as a conflict."""
        return {
            name: value
            for item in self.items.values()
            if item["kind"] == "conflict" and item["data"]["mutation"] == mutation
            for name, value in item["data"]["lost"].items()
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Asker:
    """One person's session on a device of its own."""

    server: str
    transport: HttpTransport
    token: str = ""

    @classmethod
    def login(cls, server: str, username: str, password: str) -> Self:
        """Logs in afresh, so that nothing of the device under test is relied on."""
        asker = cls(server=server.rstrip("/"), transport=HttpTransport())
        key = Ed25519PrivateKey.generate().public_key().public_bytes_raw()
        device = {"id": IdMaker(SystemClock()).new(), "name": "count", "platform": "python"}
        body = {
            "username": username,
            "password": password,
            "device": device | {"app": "demo"},
            "public_key": {"alg": "ed25519", "key": to_base64url(key)},
        }
        entered = asker.ask("POST", "/v1/auth/login", body)
        if entered is None:
            raise RuntimeError("there is no server of this kind at that address")
        return cls(server=asker.server, transport=asker.transport, token=entered["access_token"])

    def ask(self, method: str, path: str, body: object = None) -> dict[str, Any] | None:
        """The JSON object that answers; None for 404. Raises ``RuntimeError`` otherwise."""
        content = b"" if body is None else msgspec.json.encode(body)
        response = self._send(method, path, content)
        if response.status == NOT_FOUND:
            return None
        if response.status != OK:
            raise RuntimeError(f"{method} {path}: {response.status} {response.body[:500]!r}")
        answer: dict[str, Any] = msgspec.json.decode(response.body)
        return answer

    def fetch(self, path: str) -> bytes | None:
        """The bytes at ``path``; None where the server has none to give."""
        response = self._send("GET", path, b"")
        if response.status in LATER:
            raise RuntimeError(f"the server is too busy to be asked for {path}")
        return response.body if response.status == OK else None

    def pull_all(self) -> Replica:
        """Everything that this person's devices may hold."""
        replica, cursor, more = Replica(), None, True
        while more:
            wanted = {"protocol": 1, "cursor": cursor, "limit": PAGE}
            page = self.ask("POST", "/v1/sync/pull", wanted)
            if page is None or "cursor" not in page:
                raise RuntimeError(f"the server does not send everything: {page}")
            for item in page["items"]:
                if item["item"] == "leave":
                    replica.items.pop(item["record"], None)
                else:
                    replica.items[item["record"]] = item
            cursor, more = page["cursor"], page["more"]
        return replica

    def _send(self, method: str, path: str, body: bytes) -> Response:
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        url = self.server + path
        return self.transport.send(
            Request(method=method, url=url, headers=headers | (JSON if body else {}), body=body)
        )
