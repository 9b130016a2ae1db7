"""Uploads that lie, that are hostile, or that meet a full disk. Both databases."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
from flask import Flask

from server.api.access import issue_token
from server.services import Services
from server.settings import Settings
from server.work.rounds import run_pending
from tests.company import FixedClock
from tests.pictures import draw
from tests.uploads import BODY, TUS, UPLOADS, Carrier, carriers

CONTENT = draw(900, 700)
MEGABYTE = 1024 * 1024
LARGE = CONTENT + bytes(3 * MEGABYTE)
ODD_NAMES = [
    "../../../etc/passwd",
    "/etc/passwd",
    "C:boot.ini",
    "..\\..\\boot.ini",
    "CON",
    "a\u202egpj.exe",
    "line\nbreak",
    "x" * 2000,
    "",
]


@pytest.fixture
def rep(app: Flask) -> Carrier:
    return carriers(app)[0]


@pytest.fixture
def data(app: Flask) -> Path:
    services: Services = app.extensions["fieldstamp"]
    return services.settings.data


def code(answer: Any) -> str:
    return str(answer.json["code"])


def parts(data: Path) -> list[int]:
    """Sizes of the part files."""
    return [path.stat().st_size for path in (data / "uploads").glob("*.part")]


def files(data: Path) -> set[str]:
    """Every file below the folder of the installation."""
    return {str(path.relative_to(data)) for path in data.rglob("*") if path.is_file()}


@pytest.mark.parametrize("length", ["-1", "+5", "5.0", "1e3", "٣", "", "5,5", str(2**63), "0x10"])
def test_bad_input_13_a_length_that_is_none_is_refused(
    rep: Carrier, data: Path, length: str
) -> None:
    answer = rep.create(rep.declare(CONTENT), length)
    assert (answer.status_code, code(answer)) == (400, "bad_request")
    assert parts(data) == []


@pytest.mark.parametrize("offset", ["-1", "+0", "0.0", "", "0,0", "x", str(2**64)])
def test_bad_input_13_an_offset_that_is_none_is_refused(
    rep: Carrier, data: Path, offset: str
) -> None:
    url = rep.begin(rep.declare(CONTENT), len(CONTENT))
    answer = rep.patch(url, offset, CONTENT)
    assert (answer.status_code, code(answer)) == (400, "bad_request")
    assert (rep.head(url).headers["Upload-Offset"], parts(data)) == ("0", [])


@pytest.mark.parametrize("offset", [1, len(CONTENT), len(CONTENT) + 1, 2**53, 10**17])
def test_bad_input_13_attack_16_an_offset_elsewhere_is_told_the_right_one(
    rep: Carrier, data: Path, offset: int
) -> None:
    url = rep.begin(rep.declare(CONTENT), len(CONTENT))
    answer = rep.patch(url, offset, b"x")
    assert (answer.status_code, answer.headers["Upload-Offset"]) == (409, "0")
    assert parts(data) == []


def test_bad_input_13_attack_16_a_length_that_lies_ends_in_a_refusal(
    app: Flask, rep: Carrier
) -> None:
    photo = rep.declare(CONTENT)
    for length in (0, 1, len(CONTENT) - 1, len(CONTENT) + 1):
        content = (CONTENT + b"x")[:length]
        answer = rep.create(photo, length)
        if length:
            answer = rep.patch(answer.headers["Location"], 0, content)
        assert answer.headers["Upload-State"] == "refused", length
    assert rep.read(photo).status_code == 404


def test_bad_input_13_more_bytes_than_promised_are_refused_and_none_is_kept(
    rep: Carrier, data: Path
) -> None:
    photo = rep.declare(CONTENT)
    url = rep.begin(photo, 100)
    rep.patch(url, 0, b"x" * 60)
    answer = rep.patch(url, 60, b"x" * 41)
    assert (answer.status_code, code(answer), answer.json["limit"]) == (413, "too_large", 40)
    assert (rep.head(url).headers["Upload-Offset"], parts(data)) == ("60", [60])
    at_once = rep.create(photo, 100, body=b"x" * 101)
    assert (at_once.status_code, at_once.headers["Upload-Offset"]) == (413, "0")


@pytest.mark.parametrize("missing", ["Tus-Resumable", "Upload-Offset", "Content-Type"])
def test_bad_input_13_a_body_without_its_headers_is_refused(
    rep: Carrier, data: Path, missing: str
) -> None:
    url = rep.begin(rep.declare(CONTENT), len(CONTENT))
    said = {**rep.device.headers, **TUS, **BODY, "Upload-Offset": "0"}
    del said[missing]
    answer = rep.client.patch(url, data=CONTENT, headers=said)
    assert 400 <= answer.status_code < 500
    assert parts(data) == []


def test_bad_input_13_headers_that_stand_twice_are_refused(rep: Carrier, data: Path) -> None:
    url = rep.begin(rep.declare(CONTENT), len(CONTENT))
    said = [*rep.device.headers.items(), *TUS.items(), *BODY.items()]
    twice = [("Upload-Offset", "0"), ("Upload-Offset", "0")]
    assert rep.client.patch(url, data=CONTENT, headers=[*said, *twice]).status_code == 400
    assert parts(data) == []


@pytest.mark.parametrize("name", ODD_NAMES)
def test_bad_input_13_attack_15_a_name_is_never_a_path(rep: Carrier, data: Path, name: str) -> None:
    before = files(data)
    photo = rep.declare(CONTENT)
    answer = rep.send(photo, CONTENT, filename=name, upload=f"key {name[:40]}")
    assert answer.headers["Upload-State"] == "verified"
    made = {path for path in files(data) - before if path.startswith(("uploads", "blobs"))}
    assert len(made) == 1
    assert all(set(Path(path).name) <= set("0123456789abcdef") for path in made)


def test_bad_input_13_attack_15_ids_that_are_paths_lead_nowhere(rep: Carrier, data: Path) -> None:
    before = files(data)
    for bad in ("../../secret.key", "..%2f..%2fsecret.key", "%00", "CON", "x" * 4000):
        answer = rep.patch(f"{UPLOADS}/{bad}", 0, CONTENT)
        assert answer.status_code in {404, 405}, bad
    assert rep.create("../../secret.key", 10).status_code == 404
    assert files(data) == before


@pytest.mark.parametrize(
    "said", ["photo", "photo \0", "photo AA=A", "p\xe9 AAAA", ",,, ,", "photo  "]
)
def test_bad_input_13_metadata_that_cannot_be_read_are_refused(rep: Carrier, said: str) -> None:
    answer = rep.ask("POST", UPLOADS, {"Upload-Length": "5", "Upload-Metadata": said})
    assert answer.status_code in {400, 404}


def test_bad_input_14_nothing_is_added_after_the_end(
    app: Flask, rep: Carrier, clock: FixedClock, data: Path
) -> None:
    photo = rep.declare(CONTENT)
    ended, done, late = (rep.begin(photo, len(CONTENT)) for _ in range(3))
    rep.patch(ended, 0, CONTENT[:100])
    assert rep.ask("DELETE", ended).status_code == 204
    assert rep.patch(ended, 100, CONTENT[100:]).status_code == 410
    rep.patch(done, 0, CONTENT)
    assert rep.patch(done, 0, CONTENT).status_code == 409
    assert rep.patch(done, len(CONTENT), b"x").status_code == 413
    clock.advance(days=7, seconds=1)
    with app.app_context():
        rep.device = replace(rep.device, token=issue_token(rep.device.session))
    assert rep.patch(late, 0, CONTENT).status_code == 410
    run_pending(app)
    assert parts(data) == []
    assert rep.read(photo).data == CONTENT


class TestFewUploads:
    """A server that lets everybody hold a few."""

    @pytest.fixture
    def settings(self, settings: Settings) -> Settings:
        return msgspec.structs.replace(settings, open_uploads=5)

    def test_attack_16_nobody_holds_more_uploads_than_the_limit(self, app: Flask) -> None:
        rep, other = carriers(app, 2)
        photo = rep.declare(CONTENT)
        for _ in range(5):
            rep.begin(photo, 1)
        refused = rep.create(photo, 1)
        assert (refused.status_code, code(refused)) == (429, "too_many")
        assert other.create(other.declare(CONTENT), 1).status_code == 201


@contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[None]:
    """A disk of its own at ``folder``, of so many megabytes; skips where none can be mounted."""
    mount = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("no small disk can be mounted here")
    try:
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def enlarge(folder: Path, megabytes: int) -> None:
    """Makes room on the small disk."""
    option = f"remount,size={megabytes}m"
    subprocess.run(["mount", "-o", option, str(folder)], check=True)


def test_m1_a_full_disk_takes_no_more_and_loses_nothing(
    app: Flask, rep: Carrier, data: Path
) -> None:
    photo = rep.declare(LARGE)
    with small_disk(data / "uploads", 1):
        (data / "uploads" / "quarantine").mkdir()
        url = rep.begin(photo, len(LARGE))
        assert rep.patch(url, 0, LARGE[: MEGABYTE // 2]).status_code == 204
        full = rep.patch(url, MEGABYTE // 2, LARGE[MEGABYTE // 2 :])
        assert (full.status_code, code(full)) == (507, "disk_full")
        assert int(full.headers["Retry-After"]) > 0
        offset = int(full.headers["Upload-Offset"])
        assert MEGABYTE // 2 <= offset <= MEGABYTE
        assert rep.have(photo) == []
        enlarge(data / "uploads", 16)
        done = rep.patch(url, offset, LARGE[offset:])
        assert done.headers["Upload-State"] == "verified"
    assert rep.read(photo).data == LARGE


def test_m4_nothing_is_verified_for_which_the_store_has_no_room(
    app: Flask, rep: Carrier, data: Path
) -> None:
    photo = rep.declare(LARGE)
    with small_disk(data / "blobs", 1):
        (data / "blobs" / "incoming").mkdir()
        url = rep.begin(photo, len(LARGE))
        full = rep.patch(url, 0, LARGE)
        assert (full.status_code, code(full)) == (507, "disk_full")
        assert (full.headers["Upload-State"], full.headers["Upload-Offset"]) == (
            "stored",
            str(len(LARGE)),
        )
        assert rep.read(photo).status_code == 404
        enlarge(data / "blobs", 16)
        assert rep.head(url).headers["Upload-State"] == "verified"
        assert rep.read(photo).data == LARGE
