"""What the back office and other devices may see of a photo, and what the worker makes of it."""

import hashlib
import io
from pathlib import Path
from typing import Any

import orjson
import pytest
from flask import Flask
from PIL import Image
from sqlalchemy import select

from server.extensions import db
from server.media.pictures import list_unexamined
from server.people.keys import from_base64url
from server.people.principal import Role
from server.people.tables import Region
from server.proof.encoding import canonical
from server.services import Services
from server.sync.queries import find_record, history
from server.work.rounds import run_pending
from tests.company import Company
from tests.pictures import camera_contents, camera_files, draw, draw_tagged, png_bomb, png_header
from tests.uploads import Carrier, carriers, created, receipt_values, sha256_of

CONTENT = draw(2000, 1500)
SHA256 = sha256_of(CONTENT)


@pytest.fixture
def rep(app: Flask) -> Carrier:
    return carriers(app)[0]


def data_of(app: Flask, photo: str) -> dict[str, Any]:
    with app.app_context():
        record = find_record(db.session(), photo)
        assert record is not None
        return record.data


def delivered(app: Flask, rep: Carrier, content: bytes, **given: Any) -> str:
    """A photo of ``content``, uploaded, and looked into."""
    photo = rep.declare(content, **given)
    assert rep.send(photo, content).status_code == 204
    run_pending(app)
    return photo


def test_the_record_learns_what_the_picture_shows_of_itself(app: Flask, rep: Carrier) -> None:
    data = data_of(app, delivered(app, rep, draw_tagged()))
    assert data["state"] == "verified"
    assert data["content"] == "readable"
    assert (data["width"], data["height"]) == (64, 48)
    assert data["exif"] == {
        "make": "Maker",
        "model": "Model 1",
        "taken": "2026-03-02T09:30:00+08:00",
        "position": {"lat": "-31.500000", "lon": "121.260000"},
    }


def test_the_device_learns_it_with_its_next_pull(app: Flask, rep: Carrier) -> None:
    photo = delivered(app, rep, CONTENT)
    answer = rep.client.post(
        "/v1/sync/pull",
        json={"protocol": 1, "schema": 1, "cursor": None, "limit": 100},
        headers=rep.device.headers,
    )
    assert answer.json is not None
    [item] = [item for item in answer.json["items"] if item["record"] == photo]
    assert item["data"]["state"] == "verified"
    assert item["data"]["content"] == "readable"


@pytest.mark.parametrize(("form", "longest"), [("preview", 1600), ("thumbnail", 320)])
def test_previews_are_made_anew_and_shown_in_place(
    app: Flask, rep: Carrier, form: str, longest: int
) -> None:
    answer = rep.read(delivered(app, rep, CONTENT), form)
    assert answer.status_code == 200
    assert answer.mimetype == "image/jpeg"
    assert "Content-Disposition" not in answer.headers
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    with Image.open(io.BytesIO(answer.data)) as picture:
        assert max(picture.size) == longest


def test_the_original_is_handed_out_whole_as_an_attachment(app: Flask, rep: Carrier) -> None:
    answer = rep.read(delivered(app, rep, CONTENT))
    assert answer.data == CONTENT
    assert answer.headers["Content-Disposition"].startswith("attachment")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in answer.headers["Content-Security-Policy"]
    assert answer.headers["Cache-Control"] == "private, no-cache"


def test_a_range_of_the_original_is_handed_out(app: Flask, rep: Carrier) -> None:
    photo = delivered(app, rep, CONTENT)
    part = rep.read(photo, Range="bytes=100-299")
    assert part.status_code == 206
    assert part.data == CONTENT[100:300]
    assert part.headers["Content-Range"] == f"bytes 100-299/{len(CONTENT)}"
    beyond = rep.read(photo, Range=f"bytes={len(CONTENT)}-")
    assert beyond.status_code == 416
    again = rep.read(photo, **{"If-None-Match": f'"{SHA256}"'})
    assert again.status_code == 304


def test_a_file_that_is_a_page_is_never_served_as_one(app: Flask, rep: Carrier) -> None:
    page = b"<html><script>alert(1)</script></html>"
    photo = delivered(app, rep, page, type="text/html")
    answer = rep.read(photo)
    assert answer.headers["Content-Disposition"].startswith("attachment")
    assert "sandbox" in answer.headers["Content-Security-Policy"]
    assert rep.read(photo, "preview").status_code == 404


@pytest.mark.parametrize(
    ("content", "verdict"),
    [
        (b"\x00\x01 no picture at all", "unsupported"),
        (b"%PDF-1.7\n%%EOF", "damaged"),
        (draw(800, 600)[:9000], "damaged"),
        (png_header(60_000, 60_000), "unsupported"),
        (png_bomb(80), "damaged"),
    ],
    ids=["noise", "PDF", "cut JPEG", "gigapixels", "text bomb"],
)
def test_m2_what_is_no_picture_is_kept_as_evidence_all_the_same(
    app: Flask, rep: Carrier, content: bytes, verdict: str
) -> None:
    photo = delivered(app, rep, content)
    data = data_of(app, photo)
    assert (data["state"], data["content"]) == ("verified", verdict)
    assert rep.read(photo).data == content
    assert rep.read(photo, "thumbnail").status_code == 404


def test_p8_one_blob_that_cannot_be_opened_stops_no_other(app: Flask, rep: Carrier) -> None:
    lost, good = rep.declare(CONTENT), rep.declare(draw(seed=2))
    rep.send(lost, CONTENT)
    services: Services = app.extensions["fieldstamp"]
    with services.media.originals.open_range(SHA256) as file:
        Path(str(file.name)).unlink()
    rep.send(good, draw(seed=2))
    run_pending(app)
    assert data_of(app, good)["content"] == "readable"
    with app.app_context():
        assert list_unexamined(db.session()) == [SHA256]


def test_m3_the_same_bytes_from_two_reps_are_kept_once_and_shown_to_each(app: Flask) -> None:
    first, second = carriers(app, 2)
    photos = [delivered(app, rep, CONTENT) for rep in (first, second)]
    services: Services = app.extensions["fieldstamp"]
    stored = [path for path in (services.settings.data / "blobs").rglob("*") if path.is_file()]
    assert [path.name for path in stored] == [SHA256]
    for rep, photo in zip((first, second), photos, strict=True):
        assert rep.read(photo).data == CONTENT
        assert data_of(app, photo)["content"] == "readable"
    assert first.read(photos[1]).status_code == second.read(photos[0]).status_code == 404


def test_p5_a_manager_of_the_region_sees_the_photo_and_one_of_another_does_not(
    app: Flask, rep: Carrier
) -> None:
    photo = delivered(app, rep, CONTENT)
    with app.app_context():
        company = Company(app)
        found = db.session.scalars(select(Region))
        company.regions = {region.name_en.lower(): region.id for region in found}
        inside = company.device(company.user(Role.REGION_MANAGER, "east"))
        outside = company.device(company.user(Role.REGION_MANAGER, "south"))
    for device, status in ((inside, 200), (outside, 404)):
        reader = Carrier(app.test_client(), device, rep.new_id)
        assert reader.read(photo).status_code == status
        assert reader.read(photo, "preview").status_code == status


def test_a_devices_own_preview_serves_until_the_server_has_made_its_own(
    app: Flask, rep: Carrier
) -> None:
    small = draw(320, 240)
    photo = rep.declare(CONTENT, preview_sha256=sha256_of(small))
    url = rep.begin(photo, len(small), part="preview")
    assert rep.patch(url, 0, small).headers["Upload-State"] == "verified"
    assert data_of(app, photo)["state"] == "declared"
    assert rep.read(photo, "preview").data == small
    assert rep.read(photo).status_code == 404
    rep.send(photo, CONTENT)
    run_pending(app)
    with Image.open(io.BytesIO(rep.read(photo, "preview").data)) as picture:
        assert max(picture.size) == 1600


def test_a_signature_brings_its_bytes_like_a_photo(app: Flask, rep: Carrier) -> None:
    strokes = b'{"strokes": [[1, 2, 3]]}'
    receipt, signature = rep.new_id(), rep.new_id()
    values = {
        "parent_kind": "receipt",
        "parent": receipt,
        "sha256": sha256_of(strokes),
        "bytes": len(strokes),
        "type": "application/json",
        "captured": "2026-03-02T09:00:00+08:00",
        "part": "rep",
        "signer": "王伟",
    }
    rep.push(
        created(rep.new_id, "receipt", receipt, receipt_values()),
        created(rep.new_id, "signature", signature, values),
    )
    assert rep.send(signature, strokes).headers["Upload-State"] == "verified"
    run_pending(app)
    data = data_of(app, signature)
    assert (data["state"], data["content"]) == ("verified", "unsupported")
    assert rep.read(signature).data == strokes


def test_m4_a_photo_acknowledgement_is_signed_by_the_server_key(app: Flask, rep: Carrier) -> None:
    photo = rep.declare(CONTENT)
    rep.send(photo, CONTENT)
    [ack] = rep.have(SHA256, "0" * 64)
    assert (ack["photo"], ack["sha256"], ack["bytes"]) == (photo, SHA256, len(CONTENT))
    assert ack["server_time"] == "2026-03-02T01:30:00.000Z"
    statement = {name: value for name, value in ack.items() if name != "sig"}
    signed = b"fieldstamp-photo-1\n" + hashlib.sha256(canonical(statement)).digest()
    services: Services = app.extensions["fieldstamp"]
    services.key.public_key().verify(from_base64url(ack["sig"]), signed)


@pytest.mark.parametrize(
    "body",
    [{"sha256": "x"}, {"sha256": [1]}, {}, [], {"sha256": ["0" * 64] * 501}],
    ids=["text", "number", "nothing", "list", "too many"],
)
def test_a_question_that_makes_no_sense_is_refused(rep: Carrier, body: object) -> None:
    answer = rep.client.post(
        "/v1/media/have",
        data=orjson.dumps(body),
        content_type="application/json",
        headers=rep.device.headers,
    )
    assert answer.status_code == 422


def test_the_record_gets_two_versions_from_the_server_and_no_more(app: Flask, rep: Carrier) -> None:
    photo = delivered(app, rep, CONTENT)
    run_pending(app)
    with app.app_context():
        versions = history(db.session(), photo)
    assert [(version.version, version.writer) for version in versions] == [
        (1, "device"),
        (2, "server"),
        (3, "server"),
    ]


def test_camera_files_are_kept_byte_for_byte_and_shown(app: Flask, rep: Carrier) -> None:
    for content in camera_contents().values():
        photo = delivered(app, rep, content)
        assert rep.read(photo).data == content
        assert data_of(app, photo)["content"] == "readable"


def test_real_camera_files_were_there() -> None:
    if not camera_files():
        pytest.skip("FIELDSTAMP_TEST_PHOTOS names no folder: drawn files stood in for camera files")
    assert not any(name.startswith("drawn") for name in camera_contents())
