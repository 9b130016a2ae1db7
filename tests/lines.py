"""Uploads over a real line: records and tus requests for a running server, one function each."""

import fcntl
import socket
import struct
import termios

import requests

from server.clock import SystemClock
from server.extensions import db
from server.ids import IdMaker
from server.media.uploads import find_upload
from server.sync.queries import find_record
from tests.live import LiveServer
from tests.until import LIMIT_SECONDS, until
from tests.uploads import (
    BODY,
    TUS,
    UPLOADS,
    created,
    metadata,
    photo_values,
    receipt_values,
)


def declare(server: LiveServer, content: bytes) -> str:
    """Pushes a photo of ``content``; its id."""
    new_id = IdMaker(SystemClock()).new
    receipt, photo = new_id(), new_id()
    mutations = [
        created(new_id, "receipt", receipt, receipt_values()),
        created(new_id, "photo", photo, photo_values(receipt, content)),
    ]
    body = {"protocol": 1, "acked_through": 0, "mutations": mutations}
    body["sent_at"] = "2026-03-02T09:30:00+08:00"
    url = f"{server.url}/v1/sync/push"
    answer = requests.post(url, json=body, headers=server.device.headers, timeout=LIMIT_SECONDS)
    assert [result["outcome"] for result in answer.json()["results"]] == ["applied", "applied"]
    return photo


def begin(server: LiveServer, photo: str, length: int) -> str:
    """The path of a new upload."""
    headers = {**server.device.headers, **TUS, "Upload-Length": str(length)}
    headers["Upload-Metadata"] = metadata({"photo": photo})
    answer = requests.post(server.url + UPLOADS, headers=headers, timeout=LIMIT_SECONDS)
    assert answer.status_code == 201
    return str(answer.headers["Location"])


def head(server: LiveServer, path: str) -> requests.Response:
    """HEAD of an upload."""
    headers = {**server.device.headers, **TUS}
    return requests.head(server.url + path, headers=headers, timeout=LIMIT_SECONDS)


def patch(server: LiveServer, path: str, offset: int, body: bytes) -> requests.Response:
    """A whole PATCH."""
    headers = {**server.device.headers, **TUS, **BODY, "Upload-Offset": str(offset)}
    return requests.patch(server.url + path, data=body, headers=headers, timeout=LIMIT_SECONDS)


def open_patch(
    server: LiveServer, path: str, sent: bytes, *, announced: int | None = None
) -> socket.socket:
    """A PATCH from offset 0 of which only ``sent`` goes out; chunked if nothing is announced."""
    line = socket.create_connection(("127.0.0.1", server.port), timeout=LIMIT_SECONDS)
    headers = {
        "Host": "localhost",
        **server.device.headers,
        **TUS,
        **BODY,
        "Upload-Offset": "0",
    }
    headers |= {"Content-Length": str(announced)} if announced else {"Transfer-Encoding": "chunked"}
    text = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    line.sendall(f"PATCH {path} HTTP/1.1\r\n{text}\r\n".encode() + sent)
    return line


def all_has_come(line: socket.socket) -> None:
    """Returns once all that was sent lies with the server's machine, read or not."""

    def left() -> int:
        [count] = struct.unpack("i", fcntl.ioctl(line, termios.TIOCOUTQ, bytes(4)))
        return int(count)

    until(lambda: left() == 0, say=lambda: f"{left()} bytes were never taken")


def stored(server: LiveServer, path: str) -> int:
    """The offset as it is kept, read beside the server."""
    with server.app.app_context():
        seen = find_upload(db.session(), server.device.user, path.rsplit("/", 1)[1])
        db.session.remove()
    return int(seen.received)


def field_of(server: LiveServer, photo: str, name: str) -> object:
    """A field of a record, read beside the server."""
    with server.app.app_context():
        record = find_record(db.session(), photo)
        db.session.remove()
        return record and record.data.get(name)
