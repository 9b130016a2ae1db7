"""A scripted other side for faults of the way: answers by the protocol, remembers what arrived.

It takes every mutation as ``applied`` unless a test scripts another result. What a real server
decides is tested against the real server elsewhere.
"""

import base64
import gzip
import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from fieldstamp import Request, Response

USER = "01930000-0000-7000-8000-000000000001"
SERVER_KEY = Ed25519PrivateKey.from_private_bytes(b"\x07" * 32)
TIME = "2026-11-22T02:02:11+00:00"
VISIT = {
    "name": "visit",
    "schema": {
        "type": "object",
        "required": ["purpose"],
        "properties": {
            "purpose": {"type": "string", "enum": ["routine", "sale"]},
            "note": {"type": "string", "maxLength": 2000},
            "state": {"type": "string"},
        },
    },
    "fields": {
        "purpose": {"writers": ["device"]},
        "note": {"writers": ["device", "office"]},
        "state": {"writers": []},
    },
    "parent": "customer",
    "lane": "normal",
}
KINDS = {"kinds": [VISIT, {"name": "incident", "lane": "urgent"}, {"name": "photo"}]}


def canonical(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def to_base64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def from_base64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def signed_ack(mutation: Mapping[str, Any], digest: str, *, epoch: str, **said: Any) -> Any:
    ack = {"id": mutation["id"], "digest": digest, "epoch": epoch, "received_at": TIME, **said}
    mark = hashlib.sha256(canonical(ack)).digest()
    return {**ack, "sig": to_base64(SERVER_KEY.sign(b"fieldstamp-ack-1\n" + mark))}


@dataclass
class Bytes:
    """One upload."""

    meta: dict[str, str]
    length: int
    content: bytes = b""


@dataclass
class Office:
    """The other side."""

    epoch: str = "e-1"
    mutations: dict[str, dict[str, Any]] = field(default_factory=dict)
    order: list[int] = field(default_factory=list)
    digests: dict[str, str] = field(default_factory=dict)
    script: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = field(default_factory=dict)
    """Record id → what is said of its mutations instead of ``applied``."""
    pages: list[dict[str, Any]] = field(default_factory=list)
    cursors: list[Any] = field(default_factory=list)
    snapshots: list[dict[str, Any]] = field(default_factory=list)
    asked: list[Any] = field(default_factory=list)
    """The page of each snapshot request."""
    buckets: list[dict[str, Any]] = field(default_factory=list)
    repairs: list[dict[str, Any]] = field(default_factory=list)
    uploads: dict[str, Bytes] = field(default_factory=dict)
    largest_push: int = 500
    access: str = "access-0"
    refresh: str = "refresh-0"
    rotations: list[str] = field(default_factory=list)
    device_key: bytes = b""
    requests: list[str] = field(default_factory=list)
    codes_used: dict[str, Any] = field(default_factory=dict)
    before: list[Callable[[Request], Response | None]] = field(default_factory=list)
    """Asked first; what one answers stands instead of what follows."""
    verified: bool = True
    kinds: Any = field(default_factory=lambda: KINDS)

    def send(self, request: Request) -> Response:
        path = urlsplit(request.url).path
        self.requests.append(f"{request.method} {path}")
        for answer_first in self.before:
            answered = answer_first(request)
            if answered is not None:
                return answered
        public = {"/v1/auth/enrol": self._enrol, "/v1/auth/refresh": self._refresh}
        if path in public:
            return public[path](_body(request))
        if request.headers.get("Authorization") != f"Bearer {self.access}":
            return problem(401, "unauthenticated")
        if path.startswith("/v1/media/uploads"):
            return self._tus(request, path)
        return {
            "/v1/sync/hello": self._hello,
            "/v1/sync/kinds": lambda _body: self._kinds(),
            "/v1/sync/push": self._push,
            "/v1/sync/pull": self._pull,
            "/v1/sync/snapshot": self._snapshot,
            "/v1/sync/digest": self._digest,
            "/v1/media/have": self._have,
        }[path](_body(request))

    def send_quietly(self, request: Request) -> Response:
        """What ``send`` does, without what is asked first."""
        kept, self.before = self.before, []
        try:
            return self.send(request)
        finally:
            self.before = kept

    def _enrol(self, body: Any) -> Response:
        claim = {"device": body["device"]["id"], "key": body["public_key"]["key"]}
        if self.codes_used.setdefault(body["code"], claim) != claim:
            return problem(403, "code_unusable")
        self.device_key = from_base64(body["public_key"]["key"])
        key = to_base64(SERVER_KEY.public_key().public_bytes_raw())
        return answer(
            {
                "device": body["device"]["id"],
                "user": {"id": USER, "name": "李雷"},
                "access_token": self.access,
                "refresh_token": self.refresh,
                "server_key": {"alg": "ed25519", "key": key},
                "roles": ["rep"],
                "scopes": [f"user:{USER}", "company"],
            }
        )

    def _refresh(self, body: Any) -> Response:
        spent = hashlib.sha256(body["refresh_token"].encode()).hexdigest()
        message = f"fieldstamp-refresh-1\nhttp://office.test\n{spent}\n{body['rotation']}"
        Ed25519PublicKey.from_public_bytes(self.device_key).verify(
            from_base64(body["proof"]), message.encode()
        )
        self.rotations.append(body["rotation"])
        number = len(set(self.rotations))
        self.access, self.refresh = f"access-{number}", f"refresh-{number}"
        return answer({"access_token": self.access, "refresh_token": self.refresh})

    def _hello(self, _body: Any) -> Response:
        return answer(
            {
                "protocol": {"min": 1, "max": 1},
                "epoch": self.epoch,
                "server_time": TIME,
                "limits": {"push_bytes": 4194304, "mutation_bytes": 262144},
                "schema": 1,
                "backoff": 0,
            }
        )

    def _kinds(self) -> Response:
        return answer(self.kinds, etag='"k1"')

    def _push(self, body: Any) -> Response:
        if len(body["mutations"]) > self.largest_push:
            return problem(413, "too_large")
        results = [self._take(mutation) for mutation in body["mutations"]]
        return answer({"protocol": 1, "epoch": self.epoch, "server_time": TIME, "results": results})

    def _take(self, mutation: dict[str, Any]) -> dict[str, Any]:
        seal = mutation.pop("seal")
        content = hashlib.sha256(canonical(mutation)).digest()
        digest = hashlib.sha256(
            b"fieldstamp-seal-1\n" + bytes.fromhex(seal["prev"]) + content
        ).digest()
        Ed25519PublicKey.from_public_bytes(self.device_key).verify(from_base64(seal["sig"]), digest)
        self.digests[mutation["id"]] = digest.hex()
        if mutation["id"] not in self.mutations:
            self.order.append(mutation["n"])
        self.mutations[mutation["id"]] = mutation
        said = self.script.get(mutation["record"], lambda _m: {"outcome": "applied", "version": 1})
        result = {"id": mutation["id"], **said(mutation)}
        if "data" in result:
            result.setdefault("hash", hashlib.sha256(canonical(result["data"])).hexdigest()[:16])
        if result.get("outcome") in {"applied", "merged", "conflict", "rejected"}:
            result.setdefault("ack", self.ack(mutation, result["outcome"], result.get("version")))
        return result

    def ack(self, mutation: dict[str, Any], outcome: str, version: int | None) -> Any:
        digest = self.digests[mutation["id"]]
        return signed_ack(mutation, digest, epoch=self.epoch, outcome=outcome, version=version)

    def _pull(self, body: Any) -> Response:
        self.cursors.append(body["cursor"])
        empty = {"epoch": self.epoch, "cursor": f"c{len(self.cursors)}", "more": False, "items": []}
        page = self.pages.pop(0) if self.pages else {}
        return answer({**empty, "server_time": TIME, "epoch": self.epoch, **page})

    def _snapshot(self, body: Any) -> Response:
        self.asked.append(body["page"])
        empty = {"epoch": self.epoch, "cursor": "tail", "more": False, "page": None, "items": []}
        return answer({**empty, **(self.snapshots.pop(0) if self.snapshots else {})})

    def _digest(self, body: Any) -> Response:
        told = {"epoch": self.epoch, "scope": body["scope"]}
        if "repair" in body:
            return answer({**told, "repaired": body["repair"], **self.repairs.pop(0)})
        return answer({**told, "buckets": self.buckets})

    def _tus(self, request: Request, path: str) -> Response:
        if request.method == "POST":
            return self._create(request)
        upload = self.uploads.get(path.rsplit("/", 1)[1])
        if upload is None:
            return problem(404, "not_found")
        if request.method == "PATCH":
            if int(request.headers["Upload-Offset"]) != len(upload.content):
                return problem(409, "offset_mismatch")
            upload.content += request.body
        headers = {"tus-resumable": "1.0.0", "upload-offset": str(len(upload.content))}
        return Response(status=204 if request.method == "PATCH" else 200, headers=headers)

    def _create(self, request: Request) -> Response:
        pairs = [pair.split(" ") for pair in request.headers["Upload-Metadata"].split(",")]
        meta = {name: base64.b64decode(text).decode() for name, text in pairs}
        length = int(request.headers["Upload-Length"])
        self.uploads.setdefault(meta["upload"], Bytes(meta=meta, length=length))
        location = f"https://inner.example/v1/media/uploads/{meta['upload']}"
        return Response(status=201, headers={"tus-resumable": "1.0.0", "location": location})

    def _have(self, body: Any) -> Response:
        return answer(
            {
                "acknowledgements": [
                    self._photo_ack(u) for u in self.uploads.values() if self.verified
                ]
            }
        )

    def _photo_ack(self, upload: Bytes) -> dict[str, Any]:
        sha256 = hashlib.sha256(upload.content).hexdigest()
        photo = upload.meta["photo"]
        ack = {"photo": photo, "sha256": sha256, "bytes": upload.length, "epoch": self.epoch}
        mark = hashlib.sha256(canonical(ack)).digest()
        return {**ack, "sig": to_base64(SERVER_KEY.sign(b"fieldstamp-photo-1\n" + mark))}


def put(record: str, data: dict[str, Any], *, version: int = 1, kind: str = "visit") -> Any:
    """An item that a page can hold."""
    mark = hashlib.sha256(canonical(data)).hexdigest()[:16]
    return {
        "item": "put",
        "kind": kind,
        "record": record,
        "version": version,
        "scopes": [f"user:{USER}"],
        "hash": mark,
        "data": data,
    }


def answer(body: object, **headers: str) -> Response:
    named = {"content-type": "application/json", **headers}
    return Response(status=200, headers=named, body=json.dumps(body).encode())


def problem(status: int, code: str, **headers: str) -> Response:
    body = {"code": code, "title": code, "status": status, "retryable": False}
    named = {"content-type": "application/problem+json", **headers}
    return Response(status=status, headers=named, body=json.dumps(body).encode())


def _body(request: Request) -> Any:
    raw = request.body
    if request.headers.get("Content-Encoding") == "gzip":
        raw = gzip.decompress(raw)
    return json.loads(raw) if raw else None
