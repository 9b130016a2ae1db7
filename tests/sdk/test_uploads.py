"""Bytes: resumed over cuts and restarts, believed only when the server says so."""

from collections.abc import Callable
from typing import Any

import pytest

from fieldstamp import Client, OfflineError, Request, Response
from tests.sdk.conftest import Opener
from tests.sdk.office import Office, problem, put

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
        return problem(410, "upload_gone") if ours else None

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
