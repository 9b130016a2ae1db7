"""A device that hands in photos: pushes their records and speaks tus, one request at a time."""

import base64
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.company import Company, DeviceHandle

UPLOADS = "/v1/media/uploads"
TUS = {"Tus-Resumable": "1.0.0"}
BODY = {"Content-Type": "application/offset+octet-stream"}


def sha256_of(content: bytes) -> str:
    """Lower-case hex."""
    return hashlib.sha256(content).hexdigest()


def metadata(values: Mapping[str, str]) -> str:
    """``Upload-Metadata`` of ``values``."""
    return ",".join(
        f"{key} {base64.b64encode(text.encode()).decode()}" for key, text in values.items()
    )


def checksum(content: bytes, algorithm: str = "sha256") -> dict[str, str]:
    """``Upload-Checksum`` of ``content``."""
    mark = base64.b64encode(hashlib.new(algorithm, content).digest()).decode()
    return {"Upload-Checksum": f"{algorithm} {mark}"}


def created(
    new_id: Callable[[], str], kind: str, record: str, values: dict[str, Any]
) -> dict[str, Any]:
    """A create without a seal."""
    return {
        "id": new_id(),
        "action": "create",
        "kind": kind,
        "record": record,
        "base": 0,
        "schema": 1,
        "app": "1.0.0",
        "set": values,
    }


def receipt_values() -> dict[str, Any]:
    """A small receipt."""
    return {"kind": "meal", "amount": "12.50", "currency": "CNY", "date": "2026-03-01"}


def photo_values(parent: str, content: bytes, **given: Any) -> dict[str, Any]:
    """What a photo of ``content`` under a receipt declares."""
    return {
        "parent_kind": "receipt",
        "parent": parent,
        "sha256": sha256_of(content),
        "bytes": max(len(content), 1),
        "type": "image/jpeg",
        "source": "app_camera",
        "captured": "2026-03-02T09:00:00+08:00",
        "tag": "receipt",
        **given,
    }


@dataclass
class Carrier:
    """One device and its requests."""

    client: FlaskClient
    device: DeviceHandle
    new_id: Callable[[], str]
    outcomes: dict[str, str] = field(default_factory=dict)
    """Record → what became of its create."""

    def push(self, *mutations: dict[str, Any]) -> list[dict[str, Any]]:
        """Pushes, and remembers the outcomes."""
        body = {"protocol": 1, "acked_through": 0, "mutations": list(mutations)}
        body["sent_at"] = "2026-03-02T09:30:00+08:00"
        answer = self.client.post("/v1/sync/push", json=body, headers=self.device.headers)
        assert answer.json is not None
        assert answer.status_code == 200, answer.json
        results: list[dict[str, Any]] = answer.json["results"]
        self.outcomes |= {
            mutation["record"]: result["outcome"]
            for mutation, result in zip(mutations, results, strict=True)
        }
        return results

    def declare(self, content: bytes, **given: Any) -> str:
        """Pushes a receipt and a photo of ``content`` beneath it; the photo's id."""
        receipt, photo = self.new_id(), self.new_id()
        self.push(
            created(self.new_id, "receipt", receipt, receipt_values()),
            created(self.new_id, "photo", photo, photo_values(receipt, content, **given)),
        )
        return photo

    def create(
        self, photo: str, length: int | str, *, body: bytes = b"", **said: str
    ) -> TestResponse:
        """POST of an upload for ``photo``; ``said`` adds to its metadata."""
        headers = {
            **self.device.headers,
            **TUS,
            "Upload-Length": str(length),
            "Upload-Metadata": metadata({"photo": photo, **said}),
        }
        headers |= BODY if body else {}
        return self.client.post(UPLOADS, data=body, headers=headers)

    def ask(
        self, method: str, url: str, headers: Mapping[str, str] | None = None, body: bytes = b""
    ) -> TestResponse:
        """Any tus request; ``headers`` outweigh those that each has."""
        sent = {**self.device.headers, **TUS, **(BODY if body else {}), **(headers or {})}
        return self.client.open(url, method=method, headers=sent, data=body)

    def begin(self, photo: str, length: int, **said: str) -> str:
        """The address of a new upload."""
        answer = self.create(photo, length, **said)
        assert answer.status_code == 201, answer.json
        return str(answer.headers["Location"])

    def head(self, url: str) -> TestResponse:
        """HEAD of an upload."""
        return self.client.head(url, headers={**self.device.headers, **TUS})

    def patch(
        self, url: str, offset: int | str, body: bytes, *, announced: int | None = None
    ) -> TestResponse:
        """PATCH with ``body``; ``announced`` is a Content-Length that the body falls short of."""
        headers = {**self.device.headers, **TUS, **BODY, "Upload-Offset": str(offset)}
        length = len(body) if announced is None else announced
        said = {"CONTENT_LENGTH": str(length)}
        return self.client.patch(url, data=body, headers=headers, environ_overrides=said)

    def send(self, photo: str, content: bytes, **said: str) -> TestResponse:
        """A whole upload in two requests; the answer to the last one."""
        return self.patch(self.begin(photo, len(content), **said), 0, content)

    def have(self, *hashes: str) -> list[dict[str, Any]]:
        """The photo acknowledgements for ``hashes``."""
        answer = self.client.post(
            "/v1/media/have", json={"sha256": list(hashes)}, headers=self.device.headers
        )
        assert answer.json is not None
        found: list[dict[str, Any]] = answer.json["acknowledgements"]
        return found

    def read(self, photo: str, form: str = "original", **headers: str) -> TestResponse:
        """GET of the bytes of ``photo``."""
        url = f"/v1/media/{photo}/{form}"
        return self.client.get(url, headers={**self.device.headers, **headers}, buffered=True)


def carriers(app: Flask, count: int = 1, region: str = "shanghai") -> list[Carrier]:
    """Devices of ``count`` reps in one region."""
    with app.app_context():
        company = Company(app)
        company.plant_regions()
        devices = [company.rep(region) for _ in range(count)]
        new_id = company.services.ids.new
    return [Carrier(app.test_client(), device, new_id) for device in devices]
