"""What tus adds to its core: checksums, partial uploads, lengths that come later, termination."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from server.api.access import issue_token
from server.errors import Problem
from server.extensions import db
from server.media import receiving, uploads
from server.media.joining import MOST_JOINED
from server.media.tables import Upload
from server.services import Services
from server.work.rounds import run_pending
from tests.company import FixedClock
from tests.pictures import draw
from tests.uploads import UPLOADS, Carrier, carriers, checksum, metadata, sha256_of

CONTENT = draw(900, 700)
SHA256 = sha256_of(CONTENT)
HALF = len(CONTENT) // 2
PARTIAL = {"Upload-Concat": "partial"}
DEFERRED = {"Upload-Defer-Length": "1"}


@pytest.fixture
def rep(app: Flask) -> Carrier:
    return carriers(app)[0]


@pytest.fixture
def folder(app: Flask) -> Path:
    services: Services = app.extensions["fieldstamp"]
    return services.settings.data / "uploads"


def code(answer: Any) -> str:
    return str(answer.json["code"])


def patch(rep: Carrier, url: str, offset: int, body: bytes, **headers: str) -> Any:
    said = {"Upload-Offset": str(offset), "Content-Type": "application/offset+octet-stream"}
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return rep.ask("PATCH", url, {**said, **named}, body)


def partial(rep: Carrier, content: bytes) -> str:
    """A complete partial upload; its address."""
    made = rep.ask("POST", UPLOADS, {**PARTIAL, "Upload-Length": str(len(content))})
    assert made.status_code == 201, made.json
    url = str(made.headers["Location"])
    assert patch(rep, url, 0, content).headers["Upload-State"] == "stored"
    return url


def final(rep: Carrier, photo: str, *urls: str, **said: str) -> Any:
    concat = {"Upload-Concat": f"final;{' '.join(urls)}"}
    return rep.ask(
        "POST", UPLOADS, {**concat, "Upload-Metadata": metadata({"photo": photo, **said})}
    )


def test_the_server_advertises_what_it_serves(rep: Carrier) -> None:
    answer = rep.ask("OPTIONS", UPLOADS)
    assert answer.headers["Tus-Extension"].split(",") == [
        "creation",
        "creation-with-upload",
        "creation-defer-length",
        "checksum",
        "expiration",
        "termination",
        "concatenation",
    ]
    assert answer.headers["Tus-Checksum-Algorithm"] == "sha1,sha256"
    assert "DELETE" in answer.headers["Access-Control-Allow-Methods"]
    for name in ("Upload-Checksum", "Upload-Concat", "Upload-Defer-Length"):
        assert name in answer.headers["Access-Control-Allow-Headers"]


@pytest.mark.parametrize("algorithm", ["sha1", "sha256"])
def test_a_body_with_its_checksum_counts(rep: Carrier, algorithm: str) -> None:
    url = rep.begin(rep.declare(CONTENT), len(CONTENT))
    said = {"Upload_Checksum": checksum(CONTENT[:HALF], algorithm)["Upload-Checksum"]}
    assert patch(rep, url, 0, CONTENT[:HALF], **said).headers["Upload-Offset"] == str(HALF)
    assert patch(rep, url, HALF, CONTENT[HALF:]).headers["Upload-State"] == "verified"


@pytest.mark.parametrize("size", [100, HALF])
def test_m1_a_body_that_is_not_what_its_checksum_says_counts_nothing(
    rep: Carrier, size: int
) -> None:
    url = rep.begin(rep.declare(CONTENT), len(CONTENT))
    said = {"Upload_Checksum": checksum(CONTENT[:size])["Upload-Checksum"]}
    answer = patch(rep, url, 0, b"\0" + CONTENT[1:size], **said)
    assert (answer.status_code, code(answer)) == (460, "checksum_mismatch")
    assert (answer.headers["Upload-State"], answer.headers["Upload-Offset"]) == ("open", "0")
    assert rep.head(url).headers["Upload-Offset"] == "0"
    assert patch(rep, url, 0, CONTENT).headers["Upload-State"] == "verified"


def test_m1_a_cut_body_with_a_checksum_counts_nothing(rep: Carrier) -> None:
    url = rep.begin(rep.declare(CONTENT), len(CONTENT))
    headers = {
        **rep.device.headers,
        "Tus-Resumable": "1.0.0",
        "Content-Type": "application/offset+octet-stream",
        "Upload-Offset": "0",
        **checksum(CONTENT),
    }
    cut = rep.client.patch(
        url,
        data=CONTENT[:HALF],
        headers=headers,
        environ_overrides={"CONTENT_LENGTH": str(len(CONTENT))},
    )
    assert (cut.status_code, cut.headers["Upload-Offset"]) == (503, "0")
    assert patch(rep, url, 0, CONTENT).headers["Upload-State"] == "verified"


@pytest.mark.parametrize(
    "said", ["md5 1B2M2Y8AsgTpgAmY7PhCfg==", "sha1", "sha1 ???", "sha256 AAAA", "SHA1 AAAA", ""]
)
def test_a_checksum_that_cannot_be_read_is_refused(rep: Carrier, said: str) -> None:
    url = rep.begin(rep.declare(CONTENT), len(CONTENT))
    answer = patch(rep, url, 0, CONTENT, Upload_Checksum=said)
    assert (answer.status_code, code(answer)) == (400, "bad_request")
    assert answer.headers["Upload-Offset"] == "0"


def test_bytes_that_come_with_the_creation_are_checked_too(rep: Carrier) -> None:
    photo = rep.declare(CONTENT)
    said = {"Upload-Length": str(len(CONTENT)), "Upload-Metadata": metadata({"photo": photo})}
    wrong = rep.ask("POST", UPLOADS, {**said, **checksum(b"other")}, CONTENT)
    assert (wrong.status_code, wrong.headers["Upload-Offset"]) == (460, "0")
    right = rep.ask("POST", UPLOADS, {**said, **checksum(CONTENT)}, CONTENT)
    assert (right.status_code, right.headers["Upload-State"]) == (201, "verified")


def test_the_length_may_come_with_the_last_bytes(rep: Carrier) -> None:
    photo = rep.declare(CONTENT)
    made = rep.ask("POST", UPLOADS, {**DEFERRED, "Upload-Metadata": metadata({"photo": photo})})
    assert (made.status_code, made.headers["Upload-Defer-Length"]) == (201, "1")
    assert "Upload-Length" not in made.headers
    url = made.headers["Location"]
    assert patch(rep, url, 0, CONTENT[:HALF]).headers["Upload-Offset"] == str(HALF)
    assert rep.head(url).headers["Upload-Defer-Length"] == "1"
    done = patch(rep, url, HALF, CONTENT[HALF:], Upload_Length=str(len(CONTENT)))
    assert (done.status_code, done.headers["Upload-State"]) == (204, "verified")
    assert rep.read(photo).data == CONTENT


def test_the_length_may_come_after_the_last_byte(rep: Carrier) -> None:
    photo = rep.declare(CONTENT)
    made = rep.ask("POST", UPLOADS, {**DEFERRED, "Upload-Metadata": metadata({"photo": photo})})
    url = made.headers["Location"]
    assert patch(rep, url, 0, CONTENT).headers["Upload-State"] == "open"
    done = patch(rep, url, len(CONTENT), b"", Upload_Length=str(len(CONTENT)))
    assert (done.status_code, done.headers["Upload-State"]) == (204, "verified")


def test_m4_what_a_refused_body_left_behind_the_end_is_no_part_of_the_file(rep: Carrier) -> None:
    photo = rep.declare(CONTENT)
    made = rep.ask("POST", UPLOADS, {**DEFERRED, "Upload-Metadata": metadata({"photo": photo})})
    url = made.headers["Location"]
    too_much = {"Upload_Checksum": checksum(b"other")["Upload-Checksum"]}
    assert patch(rep, url, 0, CONTENT * 3, **too_much).status_code == 460
    done = patch(rep, url, 0, CONTENT, Upload_Length=str(len(CONTENT)))
    assert (done.status_code, done.headers["Upload-State"]) == (204, "verified")


@pytest.mark.parametrize(
    ("length", "status"), [("10", 400), ("-1", 400), ("x", 400), (str(10**12), 413)]
)
def test_a_late_length_that_does_not_fit_is_refused(rep: Carrier, length: str, status: int) -> None:
    photo = rep.declare(CONTENT)
    made = rep.ask("POST", UPLOADS, {**DEFERRED, "Upload-Metadata": metadata({"photo": photo})})
    url = made.headers["Location"]
    patch(rep, url, 0, CONTENT[:HALF])
    assert patch(rep, url, HALF, b"", Upload_Length=length).status_code == status
    assert rep.head(url).headers["Upload-Defer-Length"] == "1"
    done = patch(rep, url, HALF, CONTENT[HALF:], Upload_Length=str(len(CONTENT)))
    assert done.headers["Upload-State"] == "verified"
    again = patch(rep, url, len(CONTENT), b"", Upload_Length=str(len(CONTENT) + 1))
    assert again.status_code == 400


@pytest.mark.parametrize(
    "headers", [{"Upload-Defer-Length": "2"}, {**DEFERRED, "Upload-Length": "5"}]
)
def test_a_length_is_deferred_by_one_and_nothing_else(
    rep: Carrier, headers: dict[str, str]
) -> None:
    said = {"Upload-Metadata": metadata({"photo": rep.declare(CONTENT)})}
    assert rep.ask("POST", UPLOADS, {**said, **headers}).status_code == 400


def test_an_unknown_length_counts_as_the_longest(app: Flask, rep: Carrier) -> None:
    services: Services = app.extensions["fieldstamp"]
    said = {**DEFERRED, "Upload-Metadata": metadata({"photo": rep.declare(CONTENT)})}
    for _ in range(services.media.limits.open_bytes // services.media.limits.upload_bytes):
        assert rep.ask("POST", UPLOADS, said).status_code == 201
    assert code(rep.ask("POST", UPLOADS, said)) == "too_many"


@pytest.mark.parametrize("origin", ["", "https://fieldstamp.example", "http://other.example/app"])
def test_partial_uploads_are_joined_in_order(rep: Carrier, folder: Path, origin: str) -> None:
    photo = rep.declare(CONTENT)
    parts = [partial(rep, CONTENT[:HALF]), partial(rep, CONTENT[HALF:])]
    answer = final(rep, photo, *(origin + url for url in parts))
    assert (answer.status_code, answer.headers["Upload-State"]) == (201, "verified")
    assert answer.headers["Upload-Concat"] == f"final;{' '.join(parts)}"
    assert rep.read(photo).data == CONTENT
    assert list(folder.glob("*.part")) == []
    assert [rep.head(url).status_code for url in parts] == [410, 410]
    assert rep.head(answer.headers["Location"]).headers["Upload-Length"] == str(len(CONTENT))


def test_parts_in_the_wrong_order_are_other_bytes(rep: Carrier) -> None:
    photo = rep.declare(CONTENT)
    parts = [partial(rep, CONTENT[:HALF]), partial(rep, CONTENT[HALF:])]
    answer = final(rep, photo, *reversed(parts))
    assert (answer.status_code, answer.headers["Upload-State"]) == (460, "refused")
    assert rep.read(photo).status_code == 404


def test_who_asks_again_for_the_same_parts_gets_the_same_upload(rep: Carrier) -> None:
    photo = rep.declare(CONTENT)
    parts = [partial(rep, CONTENT[:HALF]), partial(rep, CONTENT[HALF:])]
    first, again = final(rep, photo, *parts), final(rep, photo, *parts)
    assert (again.status_code, again.headers["Upload-State"]) == (201, "verified")
    assert again.headers["Location"] == first.headers["Location"]


@pytest.mark.parametrize("method", ["POST", "HEAD"])
def test_a_joining_that_was_cut_short_goes_on(app: Flask, rep: Carrier, method: str) -> None:
    photo = rep.declare(CONTENT)
    third = len(CONTENT) // 3
    parts = [partial(rep, CONTENT[at : at + third]) for at in range(0, len(CONTENT), third)]
    services: Services = app.extensions["fieldstamp"]
    with app.app_context():  # as a killed process leaves it: made, and two bytes over a part in
        session = db.session()
        wish = uploads.Wish(
            user=rep.device.user,
            upload="one",
            photo=photo,
            part="original",
            sha256=SHA256,
            length=len(CONTENT),
            joins=tuple(url.rsplit("/", 1)[1] for url in parts),
        )
        made = uploads.create_upload(session, services.media, wish)
        leased = uploads.take_over(session, services.media, made)
        receiving.receive(session, services.media, leased, [CONTENT[: third + 2]])
    again = method == "POST"
    answer = final(rep, photo, *parts, upload="one") if again else rep.head(f"{UPLOADS}/{made.id}")
    assert (answer.status_code, answer.headers["Upload-State"]) == (
        201 if again else 200,
        "verified",
    )
    assert rep.read(photo).data == CONTENT


def test_only_complete_partial_uploads_of_ones_own_are_joined(app: Flask) -> None:
    own, other = carriers(app, 2)
    photo = own.declare(CONTENT)
    good, foreign = partial(own, CONTENT), partial(other, CONTENT)
    whole = own.begin(photo, len(CONTENT))
    begun = own.ask("POST", UPLOADS, {**PARTIAL, "Upload-Length": "5"}).headers["Location"]
    unknown = f"{UPLOADS}/{own.new_id()}"
    for bad, status in ((foreign, 404), (unknown, 404), (whole, 400), (begun, 400), (good, 400)):
        assert final(own, photo, good, bad).status_code == status, bad
    gone = partial(own, CONTENT)
    assert own.ask("DELETE", gone).status_code == 204
    assert final(own, photo, good, gone).status_code == 410
    assert final(own, photo, good).headers["Upload-State"] == "verified"


@pytest.mark.parametrize(
    "said",
    ["", "parts", "final", "final;", "final;/etc/passwd", "final;http://[::1", "final;partial"],
)
def test_a_concat_that_cannot_be_read_is_refused(rep: Carrier, said: str) -> None:
    headers = {"Upload-Concat": said, "Upload-Length": "5"}
    headers["Upload-Metadata"] = metadata({"photo": rep.declare(CONTENT)})
    answer = rep.ask("POST", UPLOADS, headers)
    assert (answer.status_code, code(answer)) == (400, "bad_request")


def test_a_file_of_very_many_parts_is_refused(rep: Carrier) -> None:
    urls = [f"{UPLOADS}/{rep.new_id()}" for _ in range(MOST_JOINED + 1)]
    assert final(rep, rep.declare(CONTENT), *urls).status_code == 400


def test_a_final_upload_takes_no_bytes_of_its_own(app: Flask, rep: Carrier) -> None:
    answer = final(rep, rep.declare(CONTENT), partial(rep, CONTENT))
    url = answer.headers["Location"]
    again = patch(rep, url, len(CONTENT), b"more")
    assert (again.status_code, code(again)) == (403, "forbidden")
    assert rep.ask("DELETE", url).status_code == 204
    assert rep.head(url).status_code == 410


def test_a_partial_upload_is_of_no_photo_and_nobody_verifies_it(app: Flask, rep: Carrier) -> None:
    url = partial(rep, CONTENT)
    assert rep.head(url).headers["Upload-Concat"] == "partial"
    run_pending(app)
    assert rep.head(url).headers["Upload-State"] == "stored"
    assert rep.have(SHA256) == []


def test_a_partial_upload_that_nobody_joins_expires(
    app: Flask, rep: Carrier, clock: FixedClock, folder: Path
) -> None:
    partial(rep, CONTENT)
    clock.advance(days=7, seconds=1)
    run_pending(app)
    assert list(folder.glob("*.part")) == []
    with app.app_context():
        assert db.session.scalars(select(Upload.state)).one() == "gone"


def test_partial_uploads_count_until_they_are_joined(app: Flask, rep: Carrier) -> None:
    services: Services = app.extensions["fieldstamp"]
    most = services.media.limits.upload_bytes
    said = {**PARTIAL, "Upload-Length": str(most)}
    for _ in range(services.media.limits.open_bytes // most):
        assert rep.ask("POST", UPLOADS, said).status_code == 201
    assert code(rep.ask("POST", UPLOADS, said)) == "too_many"


def test_an_upload_that_its_owner_ended_is_gone_and_its_key_is_free(
    app: Flask, rep: Carrier, folder: Path
) -> None:
    photo = rep.declare(CONTENT)
    url = rep.begin(photo, len(CONTENT), upload="one")
    patch(rep, url, 0, CONTENT[:HALF])
    assert rep.ask("DELETE", url).status_code == 204
    assert list(folder.glob("*.part")) == []
    for method in ("HEAD", "PATCH", "DELETE"):
        said = {"Upload-Offset": str(HALF), "Content-Type": "application/offset+octet-stream"}
        assert rep.ask(method, url, said).status_code == 410, method
    fresh = rep.begin(photo, len(CONTENT), upload="one")
    assert fresh != url
    assert patch(rep, fresh, 0, CONTENT).headers["Upload-State"] == "verified"


def test_m3_ending_an_upload_takes_nothing_back_that_was_verified(rep: Carrier) -> None:
    photo = rep.declare(CONTENT)
    url = rep.begin(photo, len(CONTENT))
    patch(rep, url, 0, CONTENT)
    assert rep.ask("DELETE", url).status_code == 204
    assert rep.head(url).status_code == 410
    assert rep.read(photo).data == CONTENT
    assert len(rep.have(SHA256)) == 1


def test_p5_nobody_ends_anothers_upload(app: Flask) -> None:
    own, other = carriers(app, 2)
    url = own.begin(own.declare(CONTENT), len(CONTENT))
    answers = other.ask("DELETE", url), other.ask("DELETE", f"{UPLOADS}/{own.new_id()}")
    assert [answer.status_code for answer in answers] == [404, 404]
    assert patch(own, url, 0, CONTENT).headers["Upload-State"] == "verified"


def test_an_upload_that_is_ended_while_bytes_come_in_stops(app: Flask, rep: Carrier) -> None:
    url = rep.begin(rep.declare(CONTENT), len(CONTENT))
    services: Services = app.extensions["fieldstamp"]

    def body() -> Iterator[bytes]:
        yield CONTENT[:HALF]
        assert rep.ask("DELETE", url).status_code == 204
        yield CONTENT[HALF:]

    with app.app_context():
        session = db.session()
        seen = uploads.find_upload(session, rep.device.user, url.rsplit("/", 1)[1])
        leased = uploads.take_over(session, services.media, seen)
        with pytest.raises(Problem) as stopped:
            receiving.receive(session, services.media, leased, body())
    assert stopped.value.code == "upload_gone"
    run_pending(app)
    assert rep.head(url).status_code == 410


def test_every_method_can_be_sent_as_post(rep: Carrier) -> None:
    photo = rep.declare(CONTENT)
    url = rep.begin(photo, len(CONTENT))
    look = rep.ask("POST", url, {"X-HTTP-Method-Override": "HEAD"})
    assert (look.status_code, look.headers["Upload-Offset"]) == (200, "0")
    assert rep.ask("POST", url, {"X-HTTP-Method-Override": "DELETE"}).status_code == 204
    assert rep.ask("POST", url, {"X-HTTP-Method-Override": "HEAD"}).status_code == 410
    for unknown in ("GET", "patch", ""):
        assert rep.ask("POST", url, {"X-HTTP-Method-Override": unknown}).status_code == 405


def test_an_expired_upload_is_gone_before_anybody_sweeps_and_its_key_is_free(
    app: Flask, rep: Carrier, clock: FixedClock
) -> None:
    photo = rep.declare(CONTENT)
    url = rep.begin(photo, len(CONTENT), upload="one")
    clock.advance(days=7, seconds=1)
    with app.app_context():
        rep.device = replace(rep.device, token=issue_token(rep.device.session))
    assert patch(rep, url, 0, CONTENT).status_code == 410
    fresh = rep.begin(photo, len(CONTENT), upload="one")
    assert fresh != url


def test_m1_a_ghost_never_writes_over_the_bytes_of_its_successor(app: Flask, rep: Carrier) -> None:
    photo = rep.declare(CONTENT)
    url = rep.begin(photo, len(CONTENT))
    services: Services = app.extensions["fieldstamp"]
    wrong = bytes(receiving.WRITE_BYTES)
    taken = threading.Event()

    def ghost() -> Iterator[bytes]:
        yield CONTENT[:1000]
        answer = patch(rep, url, 0, CONTENT[:-1])
        assert answer.headers["Upload-Offset"] == str(len(CONTENT) - 1)
        taken.set()
        yield wrong

    with app.app_context():
        session = db.session()
        seen = uploads.find_upload(session, rep.device.user, url.rsplit("/", 1)[1])
        leased = uploads.take_over(session, services.media, seen)
        with pytest.raises(Problem):
            receiving.receive(session, services.media, leased, ghost())
    assert taken.is_set()
    assert patch(rep, url, len(CONTENT) - 1, CONTENT[-1:]).headers["Upload-State"] == "verified"
