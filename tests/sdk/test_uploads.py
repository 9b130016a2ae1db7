"""Bytes: resumed over cuts and restarts, believed only when the server says so."""

import hashlib
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from fieldstamp import Client, OfflineError, Request, Response
from fieldstamp.testing import FixedClock
from tests.sdk.conftest import Opener
from tests.sdk.office import Office, problem, put

KIB = 1024
PHOTO = b"\xff\xd8\xff" + bytes(range(256)) * 4000


def visit_with_photo(client: Client, content: bytes = PHOTO) -> str:
    visit = client.create("visit", {"purpose": "routine"})
    return client.attach(visit, content, tag="goods").id


def when(method: str, does: Callable[[Request], Response | None]) -> Any:
    def asked(request: Request) -> Response | None:
        ours = "/v1/media/uploads" in request.url and request.method == method
        return does(request) if ours else None

    return asked


def cut_after(office: Office, pieces: int) -> None:
    """The connection is gone for good after so many pieces."""
    left = [pieces]

    def cut(_request: Request) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise OfflineError("cut")

    office.before.append(when("PATCH", cut))


def the_upload(office: Office) -> Any:
    (upload,) = office.uploads.values()
    return upload


def test_m1_an_upload_goes_on_where_it_stopped_also_in_another_process(
    client: Client, office: Office, open_client: Opener
) -> None:
    photo = visit_with_photo(client)
    cut_after(office, 1)
    report = client.sync().run()
    assert (report.synced, report.reason) == (False, "offline")
    taken = len(the_upload(office).content)
    assert 0 < taken < len(PHOTO)
    assert client.outbox()[0].bytes_taken == taken
    office.before.clear()
    offsets: list[int] = []
    office.before.append(when("PATCH", lambda r: offsets.append(int(r.headers["Upload-Offset"]))))
    later = open_client()
    assert later.sync().run().synced
    assert offsets[0] == taken
    assert the_upload(office).content == PHOTO == later.original(photo)


@pytest.mark.parametrize("status", [404, 410])
def test_an_upload_that_the_server_forgot_is_made_again_under_a_new_key(
    client: Client, office: Office, status: int
) -> None:
    visit_with_photo(client)
    cut_after(office, 1)
    client.sync().run()
    office.before.clear()
    gone = list(office.uploads)
    office.before.append(
        when("HEAD", lambda r: problem(status, "gone") if r.url.endswith(gone[0]) else None)
    )
    assert client.sync().run().synced
    assert len(office.uploads) == 2
    assert list(office.uploads.values())[1].content == PHOTO


def test_a_wrong_offset_is_asked_for_and_not_insisted_on(client: Client, office: Office) -> None:
    visit_with_photo(client)
    once = [problem(409, "offset_mismatch"), problem(460, "checksum_mismatch")]
    office.before.append(when("PATCH", lambda _r: once.pop() if once else None))
    assert client.sync().run().synced
    assert the_upload(office).content == PHOTO


def test_p8_bytes_that_are_refused_again_and_again_stop_and_block_nothing(
    client: Client, office: Office
) -> None:
    refused, fine = visit_with_photo(client), visit_with_photo(client, b"another photo")

    def refuse(request: Request) -> Response | None:
        key = request.url.rsplit("/", 1)[1]
        ours = office.uploads[key].meta["photo"] == refused
        refusal = {"upload-state": "refused"}
        return problem(410, "upload_gone", **refusal) if ours else None

    office.before.append(when("HEAD", refuse))
    report = client.sync().run()
    assert (report.synced, report.photos_verified) == (False, 1)
    (need,) = report.needs_you
    assert (need.record, need.code) == (refused, "refused")
    assert fine in {upload.meta["photo"] for upload in office.uploads.values()}
    office.before.clear()
    assert client.retry(refused) == 1
    assert client.sync().run().synced


def test_m4_bytes_that_changed_on_the_device_are_not_sent(
    client: Client, office: Office, tmp_path: Any
) -> None:
    photo = visit_with_photo(client)
    (blob,) = [path for path in (tmp_path / "field.db.blobs").rglob("*") if path.is_file()]
    blob.chmod(0o600)
    blob.write_bytes(PHOTO[:-1] + b"?")
    report = client.sync().run()
    assert office.uploads == {}
    assert [(need.record, need.code) for need in report.needs_you] == [(photo, "damaged")]
    assert not report.synced


def test_bytes_follow_only_after_the_server_received_their_record(
    client: Client, office: Office
) -> None:
    photo = visit_with_photo(client)
    office.script[photo] = lambda _m: {"retry": True, "after": 0}
    report = client.sync().run()
    assert office.uploads == {}
    assert (report.synced, client.outbox()[-1].state) == (False, "held")
    office.script[photo] = lambda _m: {"outcome": "waiting"}
    client.sync().run()
    assert the_upload(office).content == PHOTO


def test_m4_sent_is_not_verified(client: Client, office: Office) -> None:
    photo = visit_with_photo(client)
    office.verified = False
    report = client.sync().run()
    assert (report.photos_sent, report.photos_verified) == (1, 0)
    assert (report.synced, report.reason) == (False, "pending")
    assert "not confirmed" in client.outbox()[0].reason
    record = client.get(photo)
    said = {**record.data, "state": "verified"}
    office.pages = [{"items": [put(photo, said, version=2, kind="photo")]}]
    report = client.sync().run()
    assert (report.photos_verified, report.synced) == (1, True)


@pytest.mark.parametrize("change", [{"sha256": "0" * 64}, {"bytes": 1}, {"epoch": "e-0"}])
def test_m4_a_photo_acknowledgement_of_something_else_verifies_nothing(
    client: Client, office: Office, change: dict[str, Any]
) -> None:
    visit_with_photo(client)
    honest = office._photo_ack

    def lie(upload: Any) -> dict[str, Any]:
        return {**honest(upload), **change}

    office._photo_ack = lie  # type: ignore[method-assign]
    assert client.sync().run().photos_verified == 0


def test_m4_a_refused_photo_is_sent_again_under_a_new_key(client: Client, office: Office) -> None:
    photo = visit_with_photo(client)
    office.verified = False
    client.sync().run()
    said = {**client.get(photo).data, "state": "refused"}
    office.pages = [{"items": [put(photo, said, version=2, kind="photo")]}]
    client.sync().run()
    assert len(office.uploads) == 2
    office.verified = True
    assert client.sync().run().synced


@pytest.mark.parametrize("method", ["POST", "HEAD", "PATCH"])
def test_m1_a_page_that_answers_200_moves_no_offset(
    client: Client, office: Office, method: str
) -> None:
    visit_with_photo(client)
    page = Response(status=200, headers={"content-type": "text/html"}, body=b"<html>")
    office.before.append(when(method, lambda _r: page))
    report = client.sync().run()
    assert (report.synced, report.reason) == (False, "portal")
    assert client.outbox()[0].bytes_taken == 0
    office.before.clear()
    assert client.sync().run().synced


def test_m1_an_offset_from_something_that_speaks_no_tus_is_not_believed(
    client: Client, office: Office
) -> None:
    visit_with_photo(client)
    headers = {"upload-offset": str(len(PHOTO)), "content-type": "text/html"}
    office.before.append(when("HEAD", lambda _r: Response(status=200, headers=headers)))
    report = client.sync().run()
    assert (report.reason, report.photos_sent) == ("portal", 0)


def test_m1_an_offset_beyond_the_end_is_not_believed(client: Client, office: Office) -> None:
    visit_with_photo(client)
    headers = {"tus-resumable": "1.0.0", "upload-offset": str(len(PHOTO) + 1)}
    office.before.append(when("HEAD", lambda _r: Response(status=200, headers=headers)))
    assert client.sync().run().reason == "portal"


def test_p8_an_upload_that_does_not_move_is_left_for_the_next(
    client: Client, office: Office
) -> None:
    stuck, fine = visit_with_photo(client), visit_with_photo(client, b"another photo")

    def stand_still(request: Request) -> Response | None:
        upload = office.uploads[request.url.rsplit("/", 1)[1]]
        return problem(409, "offset_mismatch") if upload.meta["photo"] == stuck else None

    office.before.append(when("PATCH", stand_still))
    report = client.sync().run()
    assert (report.photos_verified, report.pending) == (1, 1)
    assert fine != stuck
    office.before.clear()
    assert client.sync().run().synced


def test_a_token_goes_to_no_other_host_than_the_servers(client: Client, office: Office) -> None:
    asked: list[str] = []
    office.before.append(lambda request: asked.append(request.url))
    visit_with_photo(client)
    assert client.sync().run().synced
    assert {url.split("/v1/")[0] for url in asked} == {"http://office.test"}


def test_progress_counts_bytes_up_to_the_end(client: Client) -> None:
    visit_with_photo(client)
    steps = [step for step in client.sync() if step.phase == "upload"]
    assert [step.bytes_done for step in steps] == sorted(step.bytes_done for step in steps)
    assert (steps[-1].bytes_done, steps[-1].bytes_total) == (len(PHOTO), len(PHOTO))
    assert "bytes" in str(steps[-1])


def test_an_upload_that_expired_again_and_again_was_not_refused(
    client: Client, office: Office
) -> None:
    photo = visit_with_photo(client)
    office.before.append(when("HEAD", lambda _r: problem(410, "upload_gone")))
    for _ in range(4):
        report = client.sync().run()
        assert (report.synced, report.needs_you) == (False, ())
    office.before.clear()
    assert client.sync().run().synced
    assert client.original(photo) == PHOTO


def cut_in_the_middle(office: Office, left: list[int]) -> None:
    """A connection that breaks behind half of a piece, so often; what came is kept."""

    def cut(request: Request) -> None:
        if left[0] > 0:
            left[0] -= 1
            half = request.body[: len(request.body) // 2]
            office.send_quietly(replace(request, body=half))
            raise OfflineError("cut")

    office.before.append(when("PATCH", cut))


def test_m1_a_cut_connection_that_carried_something_goes_on_in_the_same_sync(
    client: Client, office: Office
) -> None:
    visit_with_photo(client)
    sent: list[bytes] = []
    office.before.append(when("PATCH", lambda r: sent.append(r.body)))
    cut_in_the_middle(office, [5])
    report = client.sync().run()
    assert (report.synced, the_upload(office).content) == (True, PHOTO)
    assert len(sent) > 5
    lost = sum(map(len, sent)) - len(PHOTO)
    assert lost == sum(len(body) - len(body) // 2 for body in sent[:5]), "nothing goes twice"


@pytest.mark.parametrize(
    ("rate", "sizes"),
    [
        (5_000, [256 * KIB, 64 * KIB, 64 * KIB]),
        (30_000, [256 * KIB, 300_000, 300_000]),
        (10_000_000, [256 * KIB, 512 * KIB, 1024 * KIB, 2048 * KIB]),
    ],
    ids=["slow", "usual", "quick"],
)
def test_m1_pieces_are_as_long_as_the_link_carries_in_about_ten_seconds(
    client: Client, office: Office, device_clock: FixedClock, rate: int, sizes: list[int]
) -> None:
    visit_with_photo(client, PHOTO * 4)
    sent: list[int] = []

    def carry(request: Request) -> None:
        sent.append(len(request.body))
        device_clock.pass_time(len(request.body) / rate)

    office.before.append(when("PATCH", carry))
    assert client.sync().run().synced
    assert sent[: len(sizes)] == pytest.approx(sizes, rel=0.001)
    assert sum(sent) == len(PHOTO) * 4


def test_m1_pieces_are_short_after_a_cut(client: Client, office: Office) -> None:
    visit_with_photo(client)
    sent: list[int] = []
    office.before.append(when("PATCH", lambda r: sent.append(len(r.body))))
    cut_in_the_middle(office, [1])
    assert client.sync().run().synced
    assert sent[:3] == [256 * KIB, 64 * KIB, 128 * KIB]


def test_p8_a_cut_connection_that_carried_nothing_is_for_later(
    client: Client, office: Office
) -> None:
    visit_with_photo(client)
    pieces: list[int] = []

    def cut(request: Request) -> None:
        pieces.append(len(request.body))
        raise OfflineError("cut")

    office.before.append(when("PATCH", cut))
    report = client.sync().run()
    assert (report.synced, report.reason) == (False, "offline")
    assert len(pieces) == 1, "a long body is not sent again before the offset was asked for"


def test_pieces_carry_their_hash_once_the_whole_was_refused(client: Client, office: Office) -> None:
    visit_with_photo(client)
    marked: list[bool] = []
    office.before.append(when("PATCH", lambda r: marked.append("Upload-Checksum" in r.headers)))
    once = [problem(410, "upload_gone", **{"upload-state": "refused"})]
    sent: list[Request] = []

    def refuse(request: Request) -> Response | None:
        sent.append(request)
        return once.pop() if len(sent) == 2 else None

    office.before.append(when("HEAD", refuse))
    whole = [problem(460, "checksum_mismatch")]
    office.before.append(when("PATCH", lambda _r: whole.pop() if whole else None))
    assert client.sync().run().synced
    assert (marked[0], all(marked[1:]), len(marked) > 2) == (False, True, True)


def test_small_copies_of_all_photos_travel_ahead_of_all_originals(
    client: Client, office: Office
) -> None:
    visit = client.create("visit", {"purpose": "routine"})
    for n in range(3):
        client.attach(visit, PHOTO + bytes([n]), tag="goods", preview=b"small %d" % n)
    assert client.sync().run().synced
    parts = [upload.meta["part"] for upload in office.uploads.values()]
    assert parts == ["preview"] * 3 + ["original"] * 3
    contents = [upload.content for upload in office.uploads.values()]
    assert contents[:3] == [b"small 0", b"small 1", b"small 2"]


def test_a_preview_of_the_host_application_may_be_a_file(
    client: Client, office: Office, tmp_path: Any
) -> None:
    small = tmp_path / "small.jpg"
    small.write_bytes(b"small")
    visit = client.create("visit", {"purpose": "routine"})
    photo = client.attach(visit, PHOTO, tag="goods", preview=small)
    assert photo["preview_sha256"] == hashlib.sha256(b"small").hexdigest()
    assert client.preview(photo.id) == b"small"


class Wide:
    """The scripted office behind a transport that carries several requests at once."""

    lanes = 3

    def __init__(self, office: Office) -> None:
        self._office = office
        self._one = threading.Lock()
        self.meet: threading.Barrier | None = threading.Barrier(3, timeout=300)
        self.most = 0
        self._now = 0

    def send(self, request: Request) -> Response:
        if request.method != "PATCH":
            with self._one:
                return self._office.send(request)
        self._now += 1
        self.most = max(self.most, self._now)
        if self.meet is not None:
            self.meet.wait()
        with self._one:
            self._now -= 1
            return self._office.send(request)


def test_several_uploads_go_side_by_side_and_no_more_than_the_limit(
    office: Office, open_client: Opener
) -> None:
    wide = Wide(office)
    client = open_client(transport=wide)
    client.enrol("7K3M9QXD22")
    visit = client.create("visit", {"purpose": "routine"})
    for n in range(6):
        client.attach(visit, b"small enough for one piece %d" % n, tag="goods", preview=b"")
    steps = [step for step in client.sync() if step.phase == "upload"]
    assert wide.most == 3
    assert client.status().synced
    contents = {upload.content for upload in office.uploads.values()}
    assert len(contents) == 7
    assert (steps[-1].done, steps[-1].total) == (12, 12)


def test_p8_a_line_that_breaks_under_several_uploads_loses_no_answer(
    office: Office, open_client: Opener
) -> None:
    wide = Wide(office)
    wide.meet = None
    client = open_client(transport=wide)
    client.enrol("7K3M9QXD22")
    visit = client.create("visit", {"purpose": "routine"})
    for n in range(9):
        client.attach(visit, PHOTO + bytes([n]), tag="goods")
    cut_after(office, 4)
    report = client.sync().run()
    assert (report.synced, report.reason) == (False, "offline")
    known = {item.record: item.bytes_taken for item in client.outbox() if item.what == "upload"}
    there = {upload.meta["photo"]: len(upload.content) for upload in office.uploads.values()}
    assert {photo: known[photo] for photo in there} == there
    office.before.clear()
    assert client.sync().run().synced
    assert {u.content for u in office.uploads.values()} == {PHOTO + bytes([n]) for n in range(9)}
