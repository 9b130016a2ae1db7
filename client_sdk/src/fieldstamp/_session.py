"""Who this device is to its server: logging in, tokens, and calls that carry them.

Every call here is safe to repeat, because the protocol makes each request idempotent. Nothing in
this module ever drops anything that was saved.
"""

import gzip
import json
import threading
from collections.abc import Callable, Generator, Mapping
from typing import Any
from urllib.parse import urlsplit

from fieldstamp import _answers, _seal, _wire
from fieldstamp._errors import (
    FieldstampError,
    LoginNeededError,
    NotEnrolledError,
    OfflineError,
    PortalError,
    RefusedError,
    TooLargeError,
)
from fieldstamp._ports import Clock, Entropy, KeyStore, Request, Response, Transport
from fieldstamp._store import Store, Transaction
from fieldstamp._system import uuid7

Exchange = Generator[Request, Response, Response]
"""Yields requests, is sent their answers, and returns the one that counts."""

_TRIES = 3
_WORTH_ZIPPING = 1024
_WIRE_BYTES = 1024 * 1024


class Session:
    """The account of one store and the calls made in its name."""

    def __init__(
        self,
        store: Store,
        *,
        server: str | None,
        transport: Transport,
        keys: KeyStore,
        clock: Clock,
        entropy: Entropy,
        app: str,
        language: str,
    ) -> None:
        self._store = store
        self._transport = transport
        self._keys = keys
        self._clock = clock
        self._entropy = entropy
        self._common = {
            "Accept-Language": language,
            "User-Agent": f"fieldstamp {app}",
            "Fieldstamp-App": app,
        }
        self._app = app
        self.server = (server or self._account().get("server") or "").rstrip("/")
        self.bytes_up = 0
        self.bytes_down = 0
        self._counting = threading.Lock()

    def enrol(self, code: str, *, name: str) -> None:
        """Binds this store to the user of a one-time code."""
        tidy = code.replace("-", "").replace(" ", "").upper()
        self._open("/v1/auth/enrol", {"code": tidy}, name=name)

    def login(self, username: str, password: str, *, name: str) -> None:
        """Binds this store to a user with a password, or logs that user in again."""
        self._open("/v1/auth/login", {"username": username, "password": password}, name=name)

    def succeed(self, then: Callable[[Transaction], None]) -> None:
        """Goes on under a new device, enrolled by the present one's proof: the store was copied.

        ``then`` runs in the transaction that changes the device. Raises RefusedError where there
        is no fork to go on from.
        """
        account, device = self._account(), self._id_for("successor")
        message = _seal.fork_message(
            origin=account["origin"],
            device=device,
            public_key=self._keys.device_key(device).public,
        )
        proof = self._keys.device_key(account["device"]).sign(message)
        fork_of = {"device": account["device"], "proof": _wire.to_base64(proof)}
        name = account.get("device_name", "device")
        self._open("/v1/auth/enrol", {"fork_of": fork_of}, name=name, device=device, then=then)

    def logout(self) -> None:
        """Ends the session; what waits to be sent stays and is sent after the next login."""
        try:
            self.call("POST", "/v1/auth/logout", {})
        finally:
            with self._store.write() as transaction:
                transaction.keep("tokens", None)

    def call(self, method: str, path: str, body: _wire.JsonObject | bytes | None = None) -> Any:
        """The JSON object that answers a call. Raises the error that the answer stands for."""
        raw = body if isinstance(body, bytes) else _raw(body)
        headers = {"Content-Type": "application/json"} if raw else {}
        response = self.send(method, path, headers=headers, body=raw)
        if response.status == 204:
            return {}
        if response.status != 200:
            raise _answers.refusal(response)
        return _answers.body_of(response)

    def send(
        self, method: str, path: str, *, headers: Mapping[str, str], body: bytes = b""
    ) -> Response:
        """The answer to a call with this device's token; a spent token is renewed once."""
        steps = self.exchange(method, path, headers=headers, body=body)
        request = next(steps)
        while True:
            try:
                request = steps.send(self.carry(request))
            except StopIteration as end:
                answer: Response = end.value
                return answer

    def exchange(
        self, method: str, path: str, *, headers: Mapping[str, str], body: bytes = b""
    ) -> Exchange:
        """What ``send`` does, for whoever carries the requests himself."""
        spent = self._access_token()
        response = yield self._request(method, path, {**headers, **_bearer(spent)}, body)
        if response.status != 401:
            return response
        self._renew(spent)
        fresh = self._access_token()
        response = yield self._request(method, path, {**headers, **_bearer(fresh)}, body)
        if response.status == 401:
            raise _answers.refusal(response)
        return response

    def carry(self, request: Request) -> Response:
        """The answer to one request, which is repeated where that costs little.

        Touches no store, so that any thread may call it where the transport allows that. Raises
        OfflineError.
        """
        for left in reversed(range(1 if request.method == "PATCH" else _TRIES)):
            self._count(up=len(request.body))
            try:
                response = self._transport.send(request)
            except OfflineError as error:
                if left == 0 or error.code == "timeout":
                    raise
                continue
            self._count(down=len(response.body))
            return response
        raise AssertionError("unreachable")

    @property
    def lanes(self) -> int:
        """How many requests the transport carries at once."""
        return max(int(getattr(self._transport, "lanes", 1)), 1)

    def _count(self, *, up: int = 0, down: int = 0) -> None:
        with self._counting:
            self.bytes_up += up
            self.bytes_down += down

    def hear_time(self, server_ms: int) -> None:
        """Remembers what time it is at the server, to estimate this device's offset (P9)."""
        with self._store.write() as transaction:
            transaction.keep(
                "server_time",
                {
                    "server_ms": server_ms,
                    "wall_ms": int(self._clock.now().timestamp() * 1000),
                    "monotonic_ms": self._clock.monotonic_ms(),
                    "boot": self._clock.boot(),
                },
            )

    def _open(
        self,
        path: str,
        credentials: _wire.JsonObject,
        *,
        name: str,
        device: str | None = None,
        then: Callable[[Transaction], None] | None = None,
    ) -> None:
        """Id and key are durable before they are sent, so that a lost answer costs nothing."""
        if not self.server:
            raise NotEnrolledError("name the server once: Client(path, server='https://…')")
        device = device or self._id_for("device")
        answer = self._public_call(path, {**credentials, **self._about(device, name)})
        account = _answers.read_account(answer)
        tokens = account.pop("tokens")
        account |= {"device": device, "device_name": name}
        account |= {"server": self.server, "origin": origin_of(self.server)}
        with self._store.write() as transaction:
            known = transaction.value("account")
            if known and known["user"] != account["user"]:
                raise RefusedError("this store belongs to another user", code="device_taken")
            transaction.keep("account", account)
            transaction.keep("device", device)
            transaction.keep("successor", None)
            transaction.keep("tokens", {**tokens, "rotation": None})
            transaction.keep("paused", None)
            if then is not None:
                then(transaction)

    def _about(self, device: str, name: str) -> _wire.JsonObject:
        key = self._keys.device_key(device)
        return {
            "device": {"id": device, "name": name, "platform": "python", "app": self._app},
            "public_key": {"alg": key.alg, "key": _wire.to_base64(key.public)},
        }

    def _id_for(self, name: str) -> str:
        """The device id kept under ``name``, made durably the first time."""
        with self._store.write() as transaction:
            device = transaction.value(name)
            if device is None:
                device = uuid7(self._clock.now(), self._entropy.secret(10))
                transaction.keep(name, device)
        return str(device)

    def _account(self) -> _wire.JsonObject:
        with self._store.read() as transaction:
            return transaction.value("account") or {}

    def _access_token(self) -> str:
        with self._store.read() as transaction:
            tokens = transaction.value("tokens")
            if transaction.value("account") is None:
                raise NotEnrolledError("log in first")
        if tokens is None:
            raise LoginNeededError("nobody is logged in on this device")
        return str(tokens["access"])

    def _renew(self, spent: str) -> None:
        with self._store.write() as transaction:
            tokens, account = transaction.value("tokens"), transaction.value("account")
            if tokens is None or tokens["access"] != spent:
                return
            if tokens["rotation"] is None:
                tokens["rotation"] = _wire.to_base64(self._entropy.secret(16))
                # Stored before sending: the same rotation brings the same successor again.
                transaction.keep("tokens", tokens)
        answer = self._public_call("/v1/auth/refresh", self._proof(tokens, account))
        fresh = _answers.read_tokens(answer)
        with self._store.write() as transaction:
            # Another program on this store may have logged out or in meanwhile.
            if transaction.value("tokens") == tokens:
                transaction.keep("tokens", {**fresh, "rotation": None})

    def _proof(self, tokens: _wire.JsonObject, account: _wire.JsonObject) -> _wire.JsonObject:
        message = _seal.refresh_message(
            origin=account["origin"],
            refresh_token=tokens["refresh"],
            rotation=tokens["rotation"],
        )
        return {
            "device": account["device"],
            "refresh_token": tokens["refresh"],
            "rotation": tokens["rotation"],
            "proof": _wire.to_base64(self._keys.device_key(account["device"]).sign(message)),
        }

    def _public_call(self, path: str, body: _wire.JsonObject) -> _wire.JsonObject:
        headers = {"Content-Type": "application/json"}
        response = self.carry(self._request("POST", path, headers, _raw(body)))
        if response.status != 200:
            raise _answers.refusal(response)
        return _answers.body_of(response)

    def _request(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Request:
        headers = {**self._common, **headers}
        if headers.get("Content-Type") == "application/json" and len(body) > _WORTH_ZIPPING:
            body = gzip.compress(body, mtime=0)
            headers["Content-Encoding"] = "gzip"
            if len(body) > self._wire_bytes():
                raise TooLargeError("more than one request may carry", limit="push_wire_bytes")
        return Request(method=method, url=self.server + path, headers=headers, body=body)

    def _wire_bytes(self) -> int:
        with self._store.read() as transaction:
            hello = transaction.value("hello") or {}
        return int(hello.get("limits", {}).get("push_wire_bytes", _WIRE_BYTES))


def origin_of(server: str) -> str:
    """Scheme, host and port of an address, as a refresh proof names them."""
    parts = urlsplit(server)
    if not parts.scheme or not parts.netloc:
        raise FieldstampError(f"{server!r} is not a web address", code="bad_server")
    return f"{parts.scheme}://{parts.netloc}".lower()


def pauses(error: FieldstampError) -> bool:
    """Whether nothing can be sent before a person logs in again."""
    return isinstance(error, LoginNeededError) and not isinstance(error, PortalError)


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def _raw(body: _wire.JsonObject | None) -> bytes:
    return b"" if body is None else json.dumps(body, ensure_ascii=False).encode()


def server_key(transaction: Transaction) -> _seal.PublicKey:
    """The key that the server showed when this device was enrolled."""
    return _seal.PublicKey(**transaction.value("account")["server_key"])
