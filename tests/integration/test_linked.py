"""X6: what whoever holds a link can see and send, over HTTP."""

import re
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from server.domain.links import queries
from server.domain.numbers import say_number
from server.linked import words
from server.sync.queries import StoredRecord, children
from tests.company import Company, FixedClock
from tests.links import LINES, PHOTO, SECRETS, Dispute, Guest, upload
from tests.office import Office
from tests.phone import new_id
from tests.pictures import draw, draw_tagged
from tests.uploads import TUS, metadata, photo_values

pytestmark = pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)

STATIC = Path(words.__file__).with_name("static")
HIDDEN = re.compile(r'name="(id|photo_ids)" value="([^"]+)"')
SENSELESS = (
    b"[]",
    b'{"id": "x", "text": "a"}',
    b'{"id": 1, "text": "a"}',
    b'{"text": "a"}',
    b"nonsense",
    b'{"id":"019cac2a-0000-7000-8000-000000000000","text":"a","photos":[{"id":"x"}]}',
)
COPIES = re.compile(r"/copies/[0-9a-f]+/(?:thumbnail|preview)")


@pytest.fixture
def dispute(app: Flask, company: Company) -> Dispute:
    """A case and who deals with it."""
    return Dispute(Office(app, company))


@pytest.fixture
def photos(dispute: Dispute) -> list[str]:
    """A photo of the case that is shown and one that is not."""
    noted = {"note": "照片备注：仓库王五"}
    kind = "cross_region_case"
    return [
        dispute.rep.photo(dispute.case, kind, draw_tagged(), tag="goods", **noted),
        dispute.rep.photo(dispute.case, kind, draw(320, 240), tag="person"),
    ]


@pytest.fixture
def guest(app: Flask, dispute: Dispute) -> Guest:
    """The accused, with a link for 24 hours."""
    return Guest(app.test_client(), dispute.make().token)


def rebuttals(dispute: Dispute) -> list[StoredRecord]:
    """What was handed in."""
    return children(dispute.company.store, dispute.case, "rebuttal")


def photo_states(dispute: Dispute) -> list[str]:
    """How far each photo that was handed in has come."""
    store = dispute.company.store
    return [
        photo.data["state"]
        for one in rebuttals(dispute)
        for photo in children(store, one.id, "photo")
    ]


def test_x6_the_page_shows_goods_due_time_and_copies(guest: Guest, photos: list[str]) -> None:
    page = guest.page()
    assert page.status_code == 200
    for line in LINES:
        assert str(line["batch"]) in page.text
        assert str(line["product"]) in page.text
    assert "2026-03-03 09:30 (UTC+08:00)" in page.text
    assert "24 h 0 min" in page.text or "1 d 0 h" in page.text
    assert len(set(COPIES.findall(page.text))) == 2
    for path in COPIES.findall(page.text):
        picture = guest.ask("GET", path)
        assert (picture.status_code, picture.mimetype) == (200, "image/jpeg")


def forbidden(dispute: Dispute) -> list[str]:
    """Every value of the case, its people and its photos that no link may show."""
    store, company = dispute.company.store, dispute.company
    photos = children(store, dispute.case, "photo")
    hidden = [*SECRETS.values(), "31.2407", "121.3912", "照片备注", dispute.case]
    hidden += [dispute.rep.device.user, "赵举报人", dispute.officer.user, dispute.officer.name]
    hidden += [*company.regions.values(), "上海", "Shanghai", "08:55", "Model 1", "Exif"]
    return hidden + [text for one in photos for text in (one.id, one.data["sha256"])]


def test_x6_no_byte_that_a_link_gives_holds_what_is_not_shown(
    dispute: Dispute, guest: Guest, photos: list[str]
) -> None:
    received = guest.hand_in("words", PHOTO)
    pages = [guest.page(), guest.page("?lang=zh-CN"), guest.page("?lang=en")]
    paths = {path for page in pages for path in COPIES.findall(page.text)}
    assert len(paths) == 2
    answers = [received, *pages, *(guest.ask("GET", path) for path in paths)]
    wrong = ["/copies/0/preview", "/copies/" + "0" * 24 + "/preview", "/uploads", "/original", "/x"]
    answers += [guest.ask("GET", path) for path in wrong]
    [answer] = [guest.ask("POST", "/uploads", headers={**TUS, "Upload-Length": "1"})]
    for one in (*answers, answer):
        told = one.data + str(one.headers).encode()
        for value in forbidden(dispute):
            assert value.encode() not in told, (one.request.path, value)


def test_x6_an_original_or_a_photo_with_another_tag_is_out_of_reach(
    dispute: Dispute, guest: Guest, photos: list[str], clock: FixedClock
) -> None:
    link = queries.find_link(dispute.company.store, guest.token)
    assert link is not None
    policy = dispute.company.services.policy
    [shown] = queries.shown_photos(dispute.company.store, policy, link)
    assert guest.ask("GET", f"/copies/{shown}/original").status_code == 404
    for photo in children(dispute.company.store, dispute.case, "photo"):
        assert guest.ask("GET", f"/copies/{photo.id}/preview").status_code == 404
        assert guest.ask("GET", f"/copies/{photo.data['sha256']}/preview").status_code == 404
    assert guest.ask("GET", f"/copies/{shown}/preview").status_code == 200
    clock.advance(hours=25)
    assert guest.ask("GET", f"/copies/{shown}/preview").status_code == 410


def test_x6_no_page_sets_a_cookie_or_tells_the_address_to_others(guest: Guest) -> None:
    page = guest.page()
    assert "Set-Cookie" not in page.headers
    assert page.headers["Referrer-Policy"] == "no-referrer"
    assert "noindex" in page.headers["X-Robots-Tag"]
    assert page.headers["Cache-Control"] == "no-store"
    policy = page.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy
    outside = re.findall(r'(?:src|href|action)="(?!/|\?|#)([^"]*)"', page.text)
    assert outside == []


def test_x6_the_page_is_small_enough_for_a_bad_line(guest: Guest) -> None:
    files = sum(path.stat().st_size for path in STATIC.iterdir())
    assert len(guest.page("?lang=zh-CN").data) + files < 50_000


def test_x6_after_the_term_the_link_is_gone(
    dispute: Dispute, guest: Guest, clock: FixedClock
) -> None:
    number = guest.hand_in("in time").json
    clock.advance(hours=24, seconds=1)
    page = guest.page()
    assert page.status_code == 410
    assert "This link is over" in page.text
    assert number is not None
    assert number["number"] in page.text
    assert LINES[0]["batch"] not in page.text
    late = guest.hand_in("too late")
    assert late.json is not None
    assert (late.status_code, late.json["code"]) == (410, "link_over")
    assert [one.data["text"] for one in rebuttals(dispute)] == ["in time"]


def test_x6_bytes_of_what_was_handed_in_in_time_are_taken_after_the_term(
    dispute: Dispute, guest: Guest, clock: FixedClock
) -> None:
    received = guest.hand_in("see", PHOTO).json
    assert received is not None
    clock.advance(hours=25)
    [photo] = received["photos"].values()
    assert upload(guest, photo, PHOTO, 100) == [204, 204]
    assert photo_states(dispute) == ["verified"]
    [rebuttal] = rebuttals(dispute)
    assert (rebuttal.data["photos"], rebuttal.data["verified"]) == (1, 1)
    clock.advance(days=8)
    again = guest.ask("POST", "/uploads", headers={**TUS, "Upload-Length": "9"})
    assert again.status_code == 410


def test_x6_bytes_that_are_not_the_declared_ones_are_refused(
    dispute: Dispute, guest: Guest
) -> None:
    received = guest.hand_in("see", PHOTO).json
    assert received is not None
    [photo] = received["photos"].values()
    assert upload(guest, photo, PHOTO[:-1] + b"\0") == [460]
    assert photo_states(dispute) == ["refused"]


def test_p5_x6_a_guest_uploads_to_own_photos_only(dispute: Dispute, guest: Guest) -> None:
    values = photo_values(dispute.case, PHOTO, parent_kind="cross_region_case")
    theirs = dispute.rep.create("photo", **values)
    headers = {**TUS, "Upload-Length": "9", "Upload-Metadata": metadata({"photo": theirs})}
    assert guest.ask("POST", "/uploads", headers=headers).status_code == 404
    other = Guest(guest.client, dispute.make().token)
    received = other.hand_in("see", PHOTO).json
    assert received is not None
    [photo] = received["photos"].values()
    headers["Upload-Metadata"] = metadata({"photo": photo})
    assert guest.ask("POST", "/uploads", headers=headers).status_code == 404


def test_x6_each_opening_is_kept_for_the_office(
    dispute: Dispute, guest: Guest, clock: FixedClock
) -> None:
    for address in ("203.0.113.77", "2001:db8:1:2:3::4"):
        guest.ask(
            "GET", headers={"User-Agent": "phone"}, environ_overrides={"REMOTE_ADDR": address}
        )
        clock.advance(minutes=1)
    [known] = queries.links_about(dispute.company.store, dispute.case)
    assert [(one.network, one.agent) for one in known.openings] == [
        ("203.0.113.0/24", "phone"),
        ("2001:db8:1::/48", "phone"),
    ]
    assert known.openings[0].at < known.openings[1].at


def test_x6_guesses_are_slowed_down_and_a_real_link_still_opens(guest: Guest) -> None:
    wrong = [Guest(guest.client, f"{'x' * 22}{number:02}") for number in range(25)]
    answers = [one.page() for one in wrong]
    assert [one.status_code for one in answers[:20]] == [404] * 20
    assert answers[-1].status_code == 429
    assert int(answers[-1].headers["Retry-After"]) >= 1
    assert guest.page().status_code == 200


def plain(guest: Guest, text: str, *contents: bytes, page: str | None = None) -> Any:
    """Sends the page's form as a browser without scripts does."""
    fields = dict(HIDDEN.findall(page or guest.page().text))
    files = [(BytesIO(content), f"{place}.jpg") for place, content in enumerate(contents)]
    data = {**fields, "text": text, "photos": files}
    return guest.ask(
        "POST", headers={"Accept": "text/html"}, data=data, content_type="multipart/form-data"
    )


def test_x6_a_browser_without_scripts_hands_in_words_and_photos(
    dispute: Dispute, guest: Guest
) -> None:
    page = guest.page().text
    for _twice in range(2):
        sent = plain(guest, "line\r\ntwo", PHOTO, draw(300), page=page)
        assert sent.status_code == 303
    [rebuttal] = rebuttals(dispute)
    assert (rebuttal.data["text"], rebuttal.data["verified"]) == ("line\ntwo", 2)
    assert photo_states(dispute) == ["verified", "verified"]
    shown = guest.page().text
    assert say_number(rebuttal.id) in shown
    assert "2 of 2 received" in shown


def test_x6_a_form_that_is_too_large_is_told_to_come_in_parts(guest: Guest) -> None:
    answer = guest.ask(
        "POST",
        headers={"Accept": "text/html"},
        content_type="multipart/form-data; boundary=x",
        environ_overrides={"CONTENT_LENGTH": str(17 * 1024 * 1024)},
    )
    assert answer.status_code == 413
    assert "hand them in one by one" in answer.text


def test_x6_a_form_that_is_not_taken_keeps_what_was_typed(
    dispute: Dispute, guest: Guest, clock: FixedClock
) -> None:
    page = guest.page().text
    refused = plain(guest, "words", *(b"%d" % place for place in range(9)), page=page)
    assert refused.status_code == 422
    assert ">words</textarea>" in refused.text
    clock.advance(hours=25)
    late = plain(guest, "my <b>words</b>", page=page)
    assert late.status_code == 410
    assert "too late" in late.text
    assert "my &lt;b&gt;words" in late.text
    assert rebuttals(dispute) == []


def test_x6_a_hand_in_that_makes_no_sense_is_refused(dispute: Dispute, guest: Guest) -> None:
    for body in SENSELESS:
        answer = guest.ask("POST", "/hand-in", data=body, content_type="application/json")
        assert answer.status_code in {400, 422}, body
    assert rebuttals(dispute) == []


def test_x6_the_page_speaks_the_language_that_is_asked_for(guest: Guest) -> None:
    assert "Hand in" in guest.page().text
    assert "回执编号" in guest.page("?lang=zh-CN").text
    guest.language = "zh-CN"
    assert 'lang="zh-CN"' in guest.page().text
    assert "Piece" not in guest.page().text


def test_p2_x6_the_same_id_from_two_links_is_two_hand_ins(dispute: Dispute, guest: Guest) -> None:
    id_ = new_id()
    first = guest.hand_in("one", id_=id_).json
    second = Guest(guest.client, dispute.make().token).hand_in("two", id_=id_).json
    assert first is not None
    assert second is not None
    assert first["number"] != second["number"]
    assert len(rebuttals(dispute)) == 2
