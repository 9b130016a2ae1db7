"""Uploads over tus, on both databases: what is durable, who may, what is refused."""

import hashlib
import os
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from server.domain.evidence.actions import tell_arrivals
from server.extensions import db
from server.media import receiving, uploads
from server.media.engine import Media
from server.media.tables import Upload
from server.services import Services
from server.sync.engine import Sync
from server.sync.queries import find_record
from server.work.rounds import look_into_blobs, run_pending
from tests.company import FixedClock
from tests.pictures import draw
from tests.uploads import (
    BODY,
    TUS,
    UPLOADS,
    Carrier,
    carriers,
    created,
    photo_values,
    receipt_values,
    sha256_of,
)

CONTENT = draw(900, 700)
SHA256 = sha256_of(CONTENT)


@pytest.fixture
def rep(app: Flask) -> Carrier:
    return carriers(app)[0]


@pytest.fixture
def media_folder(app: Flask) -> Path:
    services: Services = app.extensions["fieldstamp"]
    return services.settings.data


def state_of(app: Flask, photo: str) -> Any:
    with app.app_context():
        record = find_record(db.session(), photo)
        return None if record is None else record.data.get("state")


def engines(app: Flask) -> tuple[Sync, Media]:
    services: Services = app.extensions["fieldstamp"]
    return services.sync, services.media


def code(answer: Any) -> str:
    return str(answer.json["code"])


def test_the_server_says_what_it_serves(rep: Carrier) -> None:
    answer = rep.client.options(f"{UPLOADS}/")
    assert answer.status_code == 204
    assert answer.headers["Tus-Version"] == "1.0.0"
    assert answer.headers["Tus-Resumable"] == "1.0.0"
    assert "creation-with-upload" in answer.headers["Tus-Extension"]
    assert int(answer.headers["Tus-Max-Size"]) > 0
    assert "Upload-Offset" in answer.headers["Access-Control-Expose-Headers"]


def test_m4_a_whole_upload_is_verified_and_its_record_says_so(app: Flask, rep: Carrier) -> None:
    photo = rep.declare(CONTENT)
    assert state_of(app, photo) == "declared"
    answer = rep.send(photo, CONTENT)
    assert answer.status_code == 204
    assert answer.headers["Upload-Offset"] == str(len(CONTENT))
    assert answer.headers["Upload-State"] == "verified"
    assert state_of(app, photo) == "verified"


def test_m4_verified_is_not_said_before_the_last_byte(app: Flask, rep: Carrier) -> None:
    photo = rep.declare(CONTENT)
    url = rep.begin(photo, len(CONTENT))
    answer = rep.patch(url, 0, CONTENT[:-1])
    assert answer.headers["Upload-State"] == "open"
    assert state_of(app, photo) == "declared"
    assert rep.have(SHA256) == []
    assert rep.read(photo).status_code == 404


def test_bytes_may_come_with_the_creation(rep: Carrier) -> None:
    photo = rep.declare(CONTENT)
    answer = rep.create(photo, len(CONTENT), body=CONTENT[:5000])
    assert answer.status_code == 201
    assert answer.headers["Upload-Offset"] == "5000"
    done = rep.patch(answer.headers["Location"], 5000, CONTENT[5000:])
    assert done.headers["Upload-State"] == "verified"


def test_m1_a_cut_body_keeps_what_came(rep: Carrier) -> None:
    url = rep.begin(rep.declare(CONTENT), len(CONTENT))
    cut = rep.patch(url, 0, CONTENT[:30_000], announced=len(CONTENT))
    assert cut.status_code == 503
    assert cut.headers["Upload-Offset"] == "30000"
    assert rep.head(url).headers["Upload-Offset"] == "30000"
    assert rep.patch(url, 30_000, CONTENT[30_000:]).headers["Upload-State"] == "verified"


def test_m1_the_end_of_a_short_body_is_not_success(rep: Carrier) -> None:
    url = rep.begin(rep.declare(CONTENT), len(CONTENT))
    nothing = rep.patch(url, 0, b"", announced=len(CONTENT))
    assert nothing.status_code == 503
    assert nothing.headers["Upload-Offset"] == "0"


def test_an_offset_that_does_not_match_is_answered_with_the_right_one(rep: Carrier) -> None:
    url = rep.begin(rep.declare(CONTENT), len(CONTENT))
    rep.patch(url, 0, CONTENT[:1000])
    for offset in (0, 999, 1001, len(CONTENT)):
        answer = rep.patch(url, offset, CONTENT[offset : offset + 10])
        assert (answer.status_code, code(answer)) == (409, "offset_mismatch")
        assert answer.headers["Upload-Offset"] == "1000"


def test_m2_wrong_bytes_are_refused_and_kept_in_quarantine(
    app: Flask, rep: Carrier, media_folder: Path
) -> None:
    photo = rep.declare(CONTENT)
    wrong = CONTENT[:-1] + b"\0"
    answer = rep.send(photo, wrong, upload="first")
    assert (answer.status_code, code(answer)) == (460, "checksum_mismatch")
    assert answer.headers["Upload-State"] == "refused"
    assert state_of(app, photo) == "refused"
    [kept] = (media_folder / "uploads" / "quarantine").iterdir()
    assert kept.read_bytes() == wrong
    assert rep.have(SHA256) == rep.have(sha256_of(wrong)) == []
    assert rep.read(photo).status_code == 404


def test_m2_a_refused_upload_stays_refused_and_a_new_key_brings_the_right_bytes(
    app: Flask, rep: Carrier
) -> None:
    photo = rep.declare(CONTENT)
    url = rep.begin(photo, len(CONTENT), upload="first")
    rep.patch(url, 0, b"\0" * len(CONTENT))
    again = rep.patch(url, len(CONTENT), b"")
    assert (again.status_code, again.headers["Upload-State"]) == (460, "refused")
    assert rep.head(url).status_code == 410
    assert rep.send(photo, CONTENT, upload="second").headers["Upload-State"] == "verified"
    assert state_of(app, photo) == "verified"


def test_m4_good_bytes_outweigh_a_later_bad_upload(app: Flask, rep: Carrier) -> None:
    photo = rep.declare(CONTENT)
    rep.send(photo, CONTENT)
    assert rep.send(photo, b"\0" * len(CONTENT)).status_code == 460
    assert state_of(app, photo) == "verified"
    assert rep.read(photo).data == CONTENT


def test_m3_a_finished_upload_answers_its_result_and_takes_no_more_bytes(rep: Carrier) -> None:
    photo = rep.declare(CONTENT)
    url = rep.begin(photo, len(CONTENT))
    rep.patch(url, 0, CONTENT)
    for answer in (rep.head(url), rep.patch(url, len(CONTENT), b"")):
        assert answer.status_code in {200, 204}
        assert answer.headers["Upload-State"] == "verified"
        assert answer.headers["Upload-Offset"] == str(len(CONTENT))
    assert rep.patch(url, len(CONTENT), b"more").status_code == 413
    assert rep.read(photo).data == CONTENT


def test_the_same_upload_key_is_the_same_upload(app: Flask, rep: Carrier) -> None:
    photo = rep.declare(CONTENT)
    url = rep.begin(photo, len(CONTENT), upload="one")
    rep.patch(url, 0, CONTENT[:700])
    again = rep.create(photo, len(CONTENT), upload="one")
    assert (again.status_code, again.headers["Location"]) == (201, url)
    assert again.headers["Upload-Offset"] == "700"
    other = rep.create(photo, len(CONTENT) + 1, upload="one")
    assert (other.status_code, code(other)) == (400, "bad_request")
    with app.app_context():
        assert len(db.session.scalars(select(Upload)).all()) == 1


def test_bytes_are_taken_whatever_became_of_the_record(app: Flask, rep: Carrier) -> None:
    lost = rep.new_id()
    waiting, rejected = rep.new_id(), rep.new_id()
    rep.push(
        created(rep.new_id, "photo", waiting, photo_values(lost, CONTENT)),
        created(rep.new_id, "photo", rejected, photo_values(lost, CONTENT, source="nowhere")),
    )
    assert rep.outcomes == {waiting: "waiting", rejected: "rejected"}
    for photo in (waiting, rejected):
        assert rep.send(photo, CONTENT).headers["Upload-State"] == "verified"
    assert {ack["photo"] for ack in rep.have(SHA256)} == {waiting, rejected}


def test_m4_a_photo_that_had_to_wait_is_told_later(
    app: Flask, rep: Carrier, clock: FixedClock
) -> None:
    receipt, photo = rep.new_id(), rep.new_id()
    early = created(rep.new_id, "photo", photo, photo_values(receipt, CONTENT))
    rep.push(early)
    rep.send(photo, CONTENT)
    run_pending(app)
    assert state_of(app, photo) is None
    rep.push(created(rep.new_id, "receipt", receipt, receipt_values()), early)
    clock.advance(hours=7)
    run_pending(app)
    assert state_of(app, photo) == "verified"


def test_p8_what_was_found_in_a_photo_is_told_though_the_clock_of_the_server_was_set_back(
    app: Flask, rep: Carrier, clock: FixedClock
) -> None:
    photo = rep.declare(CONTENT)
    rep.send(photo, CONTENT)
    with app.app_context():
        look_into_blobs(db.session(), app.extensions["fieldstamp"])
        clock.advance(hours=-5)
        tell_arrivals(db.session(), *engines(app))
        record = find_record(db.session(), photo)
    assert record is not None
    assert record.data["content"] == "readable"


def test_p8_a_photo_that_had_to_wait_is_told_though_the_clock_of_the_server_was_set_back(
    app: Flask, rep: Carrier, clock: FixedClock
) -> None:
    receipt, photo = rep.new_id(), rep.new_id()
    early = created(rep.new_id, "photo", photo, photo_values(receipt, CONTENT))
    rep.push(early)
    rep.send(photo, CONTENT)
    run_pending(app)
    rep.push(created(rep.new_id, "receipt", receipt, receipt_values()), early)
    clock.advance(days=-1)
    run_pending(app)
    assert state_of(app, photo) == "verified"


def test_p5_foreign_and_unknown_photos_and_uploads_look_alike(app: Flask) -> None:
    own, foreign = carriers(app, 2)
    photo = own.declare(CONTENT)
    url = own.begin(photo, len(CONTENT))
    unknown = own.new_id()
    answers = [
        (foreign.create(photo, len(CONTENT)), foreign.create(unknown, len(CONTENT))),
        (foreign.patch(url, 0, CONTENT), foreign.patch(f"{UPLOADS}/{unknown}", 0, CONTENT)),
        (foreign.read(photo), foreign.read(unknown)),
    ]
    for theirs, nobodys in answers:
        assert theirs.status_code == nobodys.status_code == 404
        assert code(theirs) == code(nobodys) == "not_found"
    assert foreign.head(url).status_code == foreign.head(f"{UPLOADS}/{unknown}").status_code == 404
    own.patch(url, 0, CONTENT)
    assert foreign.read(photo).status_code == 404
    assert foreign.have(SHA256) == []


def test_m4_bytes_brought_under_a_foreign_id_never_reach_the_record(app: Flask) -> None:
    own, *others = carriers(app, 3)
    photo = own.declare(CONTENT)
    for foreign, content in zip(others, (CONTENT, draw(seed=9)), strict=True):
        values = photo_values(foreign.new_id(), content)
        foreign.push(created(foreign.new_id, "photo", photo, values))
        assert foreign.outcomes[photo] == "rejected"
        assert foreign.send(photo, content).headers["Upload-State"] == "verified"
        run_pending(app)
        assert state_of(app, photo) == "declared"
    own.send(photo, CONTENT)
    assert state_of(app, photo) == "verified"


def test_p5_knowing_a_hash_gives_nobody_the_bytes(app: Flask) -> None:
    own, other = carriers(app, 2)
    own.send(own.declare(CONTENT), CONTENT)
    photo = other.declare(CONTENT)
    assert other.have(SHA256) == []
    assert other.read(photo).status_code == 404
    assert other.create(photo, len(CONTENT)).headers["Upload-Offset"] == "0"


@pytest.mark.parametrize(
    ("headers", "status", "problem"),
    [
        ({"Tus-Resumable": "0.2.2"}, 412, "tus_version"),
        ({"Tus-Resumable": ""}, 412, "tus_version"),
        ({"Upload-Length": "-1"}, 400, "bad_request"),
        ({"Upload-Length": "1e3"}, 400, "bad_request"),
        ({"Upload-Length": ""}, 400, "bad_request"),
        ({"Upload-Length": "5, 6"}, 400, "bad_request"),
        ({"Upload-Length": str(2**63)}, 400, "bad_request"),
        ({"Upload-Metadata": "photo ???"}, 400, "bad_request"),
        ({"Upload-Metadata": "photo AAAA,photo AAAA"}, 400, "bad_request"),
        ({"Upload-Metadata": "photo /w=="}, 400, "bad_request"),
        ({"Upload-Metadata": "photo AA=="}, 400, "bad_request"),
        ({"Upload-Metadata": "photo a b c"}, 400, "bad_request"),
        ({"Upload-Metadata": "x" * 5000}, 400, "bad_request"),
        ({"Upload-Metadata": ""}, 404, "not_found"),
        ({"Upload-Metadata": "photo Li4vLi4vZXRj"}, 404, "not_found"),
        ({"Authorization": ""}, 401, "unauthenticated"),
    ],
)
def test_a_creation_that_makes_no_sense_is_refused(
    rep: Carrier, headers: dict[str, str], status: int, problem: str
) -> None:
    sent = {**rep.device.headers, **TUS, "Upload-Length": "10", **headers}
    answer = rep.client.post(UPLOADS, headers=sent)
    assert (answer.status_code, code(answer)) == (status, problem)
    assert answer.headers["Tus-Resumable"] == "1.0.0"


def test_an_upload_beyond_the_limit_is_refused_with_the_limit(app: Flask, rep: Carrier) -> None:
    services: Services = app.extensions["fieldstamp"]
    limit = services.settings.upload_bytes
    answer = rep.create(rep.declare(CONTENT), limit + 1)
    assert (answer.status_code, code(answer)) == (413, "too_large")
    assert answer.json is not None
    assert answer.json["limit"] == limit


def test_metadata_must_agree_with_the_record(rep: Carrier) -> None:
    photo = rep.declare(CONTENT)
    assert code(rep.create(photo, 10, sha256="0" * 64)) == "checksum_mismatch"
    assert code(rep.create(photo, 10, part="thumbnail")) == "bad_request"
    assert code(rep.create(photo, 10, part="preview")) == "not_found"


def test_a_patch_needs_its_version_and_type(rep: Carrier) -> None:
    url = rep.begin(rep.declare(CONTENT), len(CONTENT))
    good = {**rep.device.headers, **TUS, **BODY, "Upload-Offset": "0"}
    wrong = rep.client.patch(url, data=b"x", headers={**good, "Content-Type": "image/jpeg"})
    assert (wrong.status_code, code(wrong)) == (415, "unsupported_media")
    old = rep.client.patch(url, data=b"x", headers={**good, "Tus-Resumable": "0.1"})
    assert (old.status_code, old.headers["Tus-Version"]) == (412, "1.0.0")
    assert (
        rep.client.patch(url, data=b"x", headers={**good, "Upload-Offset": "a"}).status_code == 400
    )
    assert rep.client.get(url, headers=good).status_code == 405
    assert rep.head(url).headers["Upload-Offset"] == "0"


def test_more_bytes_than_announced_are_refused_and_none_is_kept(rep: Carrier) -> None:
    url = rep.begin(rep.declare(CONTENT), 100)
    answer = rep.patch(url, 0, b"x" * 101)
    assert (answer.status_code, code(answer)) == (413, "too_large")
    assert rep.head(url).headers["Upload-Offset"] == "0"


def test_the_method_may_be_overridden_and_the_slash_is_free(rep: Carrier) -> None:
    photo = rep.declare(CONTENT)
    headers = {**rep.device.headers, **TUS, **BODY, "Upload-Offset": "0"}
    url = rep.begin(photo, len(CONTENT))
    override = {**headers, "X-HTTP-Method-Override": "PATCH"}
    answer = rep.client.post(f"{url}/", data=CONTENT, headers=override)
    assert (answer.status_code, answer.headers["Upload-State"]) == (204, "verified")
    assert rep.client.post(url, data=b"", headers=headers).status_code == 405


def test_answers_about_uploads_are_never_cached_and_say_when_they_expire(rep: Carrier) -> None:
    url = rep.begin(rep.declare(CONTENT), len(CONTENT))
    answer = rep.head(url)
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Upload-Expires"] == "Mon, 09 Mar 2026 01:30:00 GMT"
    assert answer.headers["Upload-Length"] == str(len(CONTENT))


def test_an_upload_expires_seven_days_after_its_last_byte(
    app: Flask, rep: Carrier, clock: FixedClock, media_folder: Path
) -> None:
    url = rep.begin(rep.declare(CONTENT), len(CONTENT))
    clock.advance(minutes=5)
    rep.patch(url, 0, CONTENT[:1000])
    services: Services = app.extensions["fieldstamp"]
    with app.app_context():
        expires_at = db.session.scalars(select(Upload.expires_at)).one()
    assert expires_at == clock.now() + services.media.limits.lifetime
    clock.advance(days=7, seconds=1)
    run_pending(app)
    assert list((media_folder / "uploads").glob("*.part")) == []
    with app.app_context():
        assert db.session.scalars(select(Upload.state)).one() == "gone"


def test_open_uploads_of_one_person_are_limited(app: Flask, rep: Carrier) -> None:
    services: Services = app.extensions["fieldstamp"]
    photo = rep.declare(CONTENT)
    most = services.media.limits.open_bytes // services.media.limits.upload_bytes
    for _ in range(most):
        rep.begin(photo, services.media.limits.upload_bytes)
    answer = rep.create(photo, services.media.limits.upload_bytes)
    assert (answer.status_code, code(answer)) == (429, "too_many")
    assert int(answer.headers["Retry-After"]) > 0


def test_m2_what_one_process_has_seen_from_its_beginning_is_not_read_back_to_be_hashed(
    app: Flask, rep: Carrier, monkeypatch: pytest.MonkeyPatch
) -> None:
    read_back: list[Path] = []
    monkeypatch.setattr("server.media.disk.hash_file", read_back.append)
    photo = rep.declare(CONTENT)
    url = rep.begin(photo, len(CONTENT))
    rep.patch(url, 0, CONTENT[:1000])
    assert rep.patch(url, 1000, CONTENT[1000:]).headers["Upload-State"] == "verified"
    assert read_back == []


def test_m2_nobody_is_refused_for_a_hash_that_is_not_that_of_the_bytes_on_the_disk(
    app: Flask, rep: Carrier
) -> None:
    photo = rep.declare(CONTENT)
    url, media = rep.begin(photo, len(CONTENT)), app.extensions["fieldstamp"].media
    rep.patch(url, 0, CONTENT[:1000])
    media.hashes.keep(url.rsplit("/", 1)[1], hashlib.sha256(b"of other bytes"), place=1000)
    assert rep.patch(url, 1000, CONTENT[1000:]).headers["Upload-State"] == "verified"
    assert state_of(app, photo) == "verified"


def test_m4_an_upload_left_between_its_last_byte_and_its_check_is_finished_later(
    app: Flask, rep: Carrier
) -> None:
    photo = rep.declare(CONTENT)
    url, media = rep.begin(photo, len(CONTENT)), app.extensions["fieldstamp"].media
    rep.patch(url, 0, CONTENT[:1000])
    with app.app_context():
        session = db.session()
        seen = uploads.find_upload(session, rep.device.user, url.rsplit("/", 1)[1])
        assert receiving.receive(session, media, seen, [CONTENT[1000:]]).state == "stored"
    assert state_of(app, photo) == "declared"
    run_pending(app)
    assert state_of(app, photo) == "verified"


def test_m3_a_file_that_a_kill_left_as_a_blob_without_a_row_is_not_written_again(
    app: Flask, rep: Carrier, media_folder: Path
) -> None:
    url = rep.begin(rep.declare(CONTENT), len(CONTENT))
    part = media_folder / "uploads" / f"{url.rsplit('/', 1)[1]}.part"
    blob = media_folder / "blobs" / SHA256[:2] / SHA256[2:4] / SHA256
    blob.parent.mkdir(parents=True)
    blob.write_bytes(CONTENT)
    part.hardlink_to(blob)
    assert rep.patch(url, 0, CONTENT[:1000][::-1]).headers["Upload-Offset"] == "1000"
    assert blob.read_bytes() == CONTENT


def test_m4_a_store_out_of_order_says_so_and_the_sweep_finishes_later(
    app: Flask, rep: Carrier, media_folder: Path
) -> None:
    photo = rep.declare(CONTENT)
    url = rep.begin(photo, len(CONTENT))
    folder = media_folder / "blobs" / SHA256[:2]
    folder.write_bytes(b"in the way")
    answer = rep.patch(url, 0, CONTENT)
    assert (answer.status_code, code(answer)) == (503, "unavailable")
    assert (answer.headers["Upload-State"], state_of(app, photo)) == ("stored", "declared")
    run_pending(app)
    folder.unlink()
    run_pending(app)
    assert state_of(app, photo) == "verified"


def test_m1_an_upload_whose_part_file_is_lost_says_so(rep: Carrier, media_folder: Path) -> None:
    photo = rep.declare(CONTENT)
    url = rep.begin(photo, len(CONTENT))
    rep.patch(url, 0, CONTENT[:1000])
    for part in (media_folder / "uploads").glob("*.part"):
        part.unlink()
    answer = rep.patch(url, 1000, CONTENT[1000:])
    assert (answer.status_code, code(answer)) == (410, "upload_gone")
    assert rep.send(photo, CONTENT).headers["Upload-State"] == "verified"


def test_m4_nothing_is_acknowledged_whose_bytes_are_lost(app: Flask, rep: Carrier) -> None:
    photo = rep.declare(CONTENT)
    rep.send(photo, CONTENT)
    services: Services = app.extensions["fieldstamp"]
    with services.media.originals.open_range(SHA256) as file:
        path = Path(str(file.name))
    path.unlink()
    assert rep.have(SHA256) == []


def test_m3_bytes_of_an_upload_that_nobody_knows_are_set_aside_when_they_are_old(
    app: Flask, clock: FixedClock
) -> None:
    parts, name = app.extensions["fieldstamp"].media.parts, "01930000-0000-7000-8000-000000000abc"
    parts.create(name)
    os.utime(parts.path(name), (clock.now().timestamp(),) * 2)
    run_pending(app)
    assert parts.list() == [name]
    clock.advance(seconds=app.extensions["fieldstamp"].media.limits.lifetime.total_seconds())
    run_pending(app)
    assert parts.list() == []
    assert parts.quarantined(name) is not None
