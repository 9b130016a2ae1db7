"""Incidents 8 to 12: photos lost, refused, replaced or written twice between device and server."""

import json
import socket
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
import pytest
import requests
from flask import Flask

from fieldstamp import Client, HttpTransport, OfflineError, Request, Response, Transport
from fieldstamp.testing import Faults, FaultyNet, FixedClock, WsgiTransport
from server.extensions import db
from server.settings import Settings
from tests.company import Company
from tests.fleet import Fleet, acknowledged, jpeg, shop, synced, visit
from tests.incidents.faults import Line
from tests.incidents.otherside import OtherSide
from tests.live import LiveServer, live_server
from tests.phones import issue_code
from tests.until import LIMIT_SECONDS, synced_at_last, until
from tests.uploads import Carrier, created, photo_values

BAD = Faults(drop_request=0.25, drop_answer=0.35, duplicate=0.1, cut=0.2, portal=0.05)


class TestManyPushes:
    """A server that takes a few mutations at a time, so that one visit needs many pushes."""

    @pytest.fixture
    def settings(self, settings: Settings) -> Settings:
        """Settings with room for about five mutations in a push."""
        return msgspec.structs.replace(settings, push_bytes=6000)

    @pytest.mark.parametrize("seed", range(2))
    def test_incident_8_photos_whose_records_go_in_several_pushes_all_arrive_once(
        self, fleet: Fleet, app: Flask, rep: str, other_side: OtherSide, seed: int
    ) -> None:
        clock = FixedClock()
        fleet.enrol(rep, clock=clock).close()
        line = Line(WsgiTransport(app))
        device = fleet.open("device0", FaultyNet(line, BAD, seed=seed), clock=clock)
        seen = visit(device, shop(device))
        photos = {
            device.attach(seen, content).id: content for content in (jpeg() for _ in "x" * 24)
        }
        synced_at_last(device, clock=clock)
        pushes = [one for one in line.sent if one.url.endswith("/sync/push")]
        assert len(pushes) >= 3
        assert set(acknowledged(device).values()) == {"applied"}
        assert other_side.live("photo") == sorted(photos)
        assert max(Counter(other_side.received()).values()) == 1
        assert {photo: other_side.original(photo) for photo in photos} == photos
        assert {device.get(photo)["parent"] for photo in photos} == {seen}


def test_incident_9_two_photos_of_the_same_bytes_are_two_photos(
    fleet: Fleet, rep: str, company: Company, other_side: OtherSide
) -> None:
    content = jpeg()
    device, stranger = fleet.enrol(rep), fleet.enrol(company.user())
    seen = visit(device, shop(device))
    photos = [device.attach(seen, content, tag=tag).id for tag in ("store_front", "display")]
    synced(device)
    photos.append(device.attach(visit(device, shop(device)), content).id)
    synced(device)
    photos.append(stranger.attach(visit(stranger, shop(stranger)), content).id)
    synced(stranger)
    assert other_side.live("photo") == sorted(photos)
    assert [other_side.original(photo) for photo in photos] == [content] * 4
    assert {device.get(photo)["state"] for photo in photos[:3]} == {"verified"}
    assert stranger.get(photos[3])["state"] == "verified"


def test_incident_10_no_later_request_replaces_a_photo_that_was_received(
    fleet: Fleet, rep: str, app: Flask, company: Company, other_side: OtherSide
) -> None:
    content, forged = jpeg(), jpeg()
    device = fleet.enrol(rep)
    seen = visit(device, shop(device))
    photo = device.attach(seen, content).id
    synced(device)
    again = Carrier(app.test_client(), company.device(rep), company.services.ids.new)
    values = photo_values(seen, forged, parent_kind="visit")
    new = created(again.new_id, "photo", photo, values)
    patch = {**new, "id": again.new_id(), "action": "patch", "base": device.get(photo).version}
    patch["set"] = {name: values[name] for name in ("sha256", "bytes")}
    assert [result["outcome"] for result in again.push(new, patch)] == ["conflict", "conflict"]
    assert again.send(photo, forged).status_code == 460
    assert again.create(photo, len(forged), sha256=values["sha256"]).status_code == 460
    url = again.begin(photo, len(content), upload="another")
    assert again.patch(url, 0, forged[: len(content)].ljust(len(content))).status_code == 460
    assert other_side.original(photo) == content
    synced(device)
    assert device.get(photo)["state"] == "verified"
    sealed = json.loads(device.mutations(photo)[0].body)["set"]
    assert device.get(photo)["sha256"] == sealed["sha256"]
    assert device.get(photo)["bytes"] == len(content)


@pytest.fixture
def server(settings: Settings) -> Iterator[LiveServer]:
    """A server process, reached through a real network."""
    with live_server(settings) as running:
        yield running


@pytest.fixture
def transport() -> Iterator[HttpTransport]:
    """A device's own way to the server."""
    with closing(HttpTransport()) as own:
        yield own


def enrol(server: LiveServer, folder: Path, transport: Transport) -> Client:
    """A device of the server's rep."""
    with server.app.app_context():
        code = issue_code(Company(server.app), server.device.user)
        db.session.remove()
    device = Client(folder / "device.db", server=server.url, transport=transport)
    device.enrol(code, name="phone")
    return device


def served(server: LiveServer, photo: str) -> bytes:
    """The original as the server gives it out."""
    url = f"{server.url}/v1/media/{photo}/original"
    return requests.get(url, headers=server.device.headers, timeout=LIMIT_SECONDS).content


@dataclass
class Ghost:
    """The first piece of an upload goes on over a line that its sender believes dead."""

    server: LiveServer
    inner: Transport
    line: socket.socket | None = None
    left: bytes = b""
    url: str = ""

    def send(self, request: Request) -> Response:
        """Leaves the first PATCH half sent; some of its rest goes out beside each later one."""
        if request.method != "PATCH":
            return self.inner.send(request)
        if self.line is None:
            self._begin(request)
            raise OfflineError("the phone has moved to another network")
        self.go_on(20_000)
        return self.inner.send(request)

    def go_on(self, size: int) -> None:
        """Sends a little of what is left on the old line."""
        assert self.line is not None
        with suppress(OSError):  # the server may have closed it, which is right
            self.line.sendall(self.left[:size])
        self.left = self.left[size:]

    def close(self) -> None:
        """Lets the old line go."""
        if self.line is not None:
            self.line.close()

    def _begin(self, request: Request) -> None:
        parts = urlsplit(request.url)
        self.url = request.url
        self.line = socket.create_connection(
            (parts.hostname or "", parts.port or 0), timeout=LIMIT_SECONDS
        )
        headers = {"Host": parts.netloc, **request.headers}
        headers["Content-Length"] = str(len(request.body))
        head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        half, before = len(request.body) // 2, self._writer()
        self.line.sendall(f"PATCH {parts.path} HTTP/1.1\r\n{head}\r\n".encode())
        self.line.sendall(request.body[:half])
        self.left = request.body[half:]
        until(lambda: self._writer() > before, say=lambda: "the first request was never taken")

    def _writer(self) -> int:
        """Since when the upload has had its newest writer."""
        folder = Path(self.server.environment["FIELDSTAMP_DATA"], "uploads")
        with suppress(FileNotFoundError):
            return (folder / f"{self.url.rsplit('/', 1)[1]}.writer").stat().st_ctime_ns
        return 0


def test_incident_11_a_request_that_is_sent_again_while_the_first_still_writes_is_one_upload(
    server: LiveServer, transport: HttpTransport, tmp_path: Path
) -> None:
    ghost, content = Ghost(server, transport), jpeg(900)
    with closing(ghost), closing(enrol(server, tmp_path, ghost)) as device:
        photo = device.attach(visit(device, shop(device)), content).id
        synced_at_last(device)
        ghost.go_on(len(content))
        assert device.get(photo)["state"] == "verified"
    assert served(server, photo) == content
    about = requests.head(
        ghost.url,
        headers={**server.device.headers, "Tus-Resumable": "1.0.0"},
        timeout=LIMIT_SECONDS,
    )
    assert about.headers["Upload-State"] == "verified"
    assert about.headers["Upload-Offset"] == about.headers["Upload-Length"]


@dataclass
class Crowd:
    """Each piece of an upload goes out several times at once, longer and shorter."""

    inner: Transport
    moved: list[list[str]] = field(default_factory=list)
    """By piece, the offsets to which an answer says that its own bytes have moved it."""

    def send(self, request: Request) -> Response:
        """One of the answers."""
        if request.method != "PATCH":
            return self.inner.send(request)
        parts = [
            request.body[: len(request.body) * tenths // 10] for tenths in (10, 7, 3, 10, 5, 9)
        ]
        with ThreadPoolExecutor(len(parts)) as pool:
            answers = list(pool.map(lambda body: self._carry(request, body), parts))
        # A finished upload tells its result to whoever comes, and who brings no byte moves nothing.
        brought = [one for one, body in zip(answers, parts, strict=True) if body]
        taken = [one.headers for one in brought if one.status == 204]
        self.moved.append([h["upload-offset"] for h in taken if h["upload-state"] == "open"])
        return answers[0]

    @staticmethod
    def _carry(request: Request, body: bytes) -> Response:
        headers = {n: v for n, v in request.headers.items() if n != "Upload-Checksum"}
        with closing(HttpTransport()) as own:
            return own.send(Request(method="PATCH", url=request.url, headers=headers, body=body))


def test_incident_12_of_many_writers_at_one_offset_one_moves_it(
    server: LiveServer, transport: HttpTransport, tmp_path: Path
) -> None:
    crowd = Crowd(transport)
    with closing(enrol(server, tmp_path, crowd)) as device:
        seen, photos = visit(device, shop(device)), {}

        def one_has_moved_it() -> bool:
            for content in (jpeg(900), jpeg(700)):
                photos[device.attach(seen, content).id] = content
            synced_at_last(device)
            return any(crowd.moved)  # not so where each was made to end by the next

        until(one_has_moved_it)
    assert {photo: served(server, photo) for photo in photos} == photos
    assert [moved for moved in crowd.moved if len(moved) > 1] == []
