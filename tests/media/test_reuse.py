"""R1, B3: one photo used twice is found, told to whoever may see both, and judged by a person."""

from typing import Any

import pytest
from flask import Flask
from PIL import Image, ImageEnhance, ImageOps
from sqlalchemy import select

from server.casework.tables import Item
from server.domain.evidence import comparing
from server.domain.evidence.comparing import compare_photos, follow_photos
from server.extensions import db
from server.ids import derive_id, is_uuid7
from server.media.similarity_search import ask_comparison, pairs_about
from server.people.principal import Role
from server.services import Services
from server.sync.push import Envelope, push_batch
from server.sync.queries import StoredRecord, find_record, find_records, history
from server.work.rounds import run_pending
from tests.company import Company
from tests.media.scenes import MUST, plan_scene, save, take, visit_again
from tests.office import Office, Rep
from tests.phone import customer as customer_values
from tests.pictures import draw
from tests.uploads import receipt_values, sha256_of

SCENE = plan_scene(7)
PHOTO = take(SCENE)
CONTENT = save(PHOTO)
PDF = draw(format="PDF")


@pytest.fixture
def office(app: Flask, company: Company) -> Office:
    return Office(app, company)


def visit_of(rep: Rep, customer: str | None = None) -> str:
    """A visit to a new customer, unless one is named."""
    customer = customer or rep.create("customer", **customer_values())
    return rep.create("visit", customer=customer, purpose="routine", method="on_site")


def hand_in(rep: Rep, content: bytes, *, customer: str | None = None, **given: Any) -> str:
    """A photo of a visit of its own."""
    return rep.photo(visit_of(rep, customer), "visit", content, tag="display", **given)


def matches_of(*photos: str) -> list[StoredRecord]:
    db.session.rollback()  # a reader on SQLite sees the store as it was when it began
    pairs = pairs_about(db.session(), photos)
    return list(find_records(db.session(), [pair.record for pair in pairs]).values())


def stands(record: str) -> StoredRecord:
    db.session.rollback()
    found = find_record(db.session(), record)
    assert found is not None
    return found


def the_match(*photos: str) -> StoredRecord:
    [match] = matches_of(*photos)
    return match


def hand_over(office: Office, photo: str, region: str) -> None:
    """The customer of the photo's visit goes to another region, and all of it goes along."""
    store, services = office.company.store, office.company.services
    visit = find_record(store, str(find_records(store, [photo])[photo].parent))
    assert visit is not None
    mutation = {
        "id": services.ids.new(),
        "action": "patch",
        "kind": "customer",
        "record": visit.data["customer"],
        "base": 1,
        "set": {"region": office.company.regions[region]},
    }
    envelope = Envelope(sender=comparing.SERVER, writer="server")
    [result] = push_batch(services.sync, store, envelope, [mutation]).results
    assert result["outcome"] == "applied", result


def with_other_metadata() -> bytes:
    """The same JPEG under another camera's name."""
    exif = Image.Exif()
    exif[0x010F], exif[0x9003] = "Another", "2026:02:01 08:00:00"
    segment = b"Exif\0\0" + exif.tobytes()
    marker = b"\xff\xe1" + (len(segment) + 2).to_bytes(2) + segment
    return CONTENT[:2] + marker + CONTENT[2:]


def test_r1_b3_the_same_file_at_another_customer_is_found(office: Office) -> None:
    rep = office.rep()
    earlier, later = hand_in(rep, CONTENT), hand_in(rep, CONTENT)
    match = the_match(later)
    assert (match.data["photo"], match.data["earlier"]) == (later, earlier)
    assert (match.data["tier"], match.data["distance"]) == ("same_file", 0)
    assert match.data["why"] == ["other_customer"]


def test_b3_the_same_jpeg_under_other_metadata_is_found(office: Office) -> None:
    first = hand_in(office.rep(), CONTENT)
    hand_in(office.rep(), with_other_metadata())
    match = the_match(first)
    assert match.data["tier"] == "same_jpeg"
    assert match.data["why"] == ["other_rep", "other_customer"]


@pytest.mark.parametrize("orientation", range(8))
def test_b3_a_copy_is_found_in_every_orientation(office: Office, orientation: int) -> None:
    turned = ImageOps.mirror(PHOTO) if orientation > 3 else PHOTO
    turned = turned.rotate(90 * (orientation % 4), expand=True)
    first = hand_in(office.rep(), CONTENT)
    hand_in(office.rep(), save(ImageEnhance.Brightness(turned).enhance(1.2), quality=60))
    match = the_match(first)
    assert match.data["tier"] == "near"
    assert match.data["distance"] <= 31
    assert ("turned" in match.data["why"]) == (orientation > 0)


def test_b3_a_screenshot_with_bars_is_found(office: Office) -> None:
    first = hand_in(office.rep(), CONTENT)
    hand_in(office.rep(), save(MUST["letterboxed"](PHOTO)))
    assert the_match(first).data["tier"] == "near"


def test_b3_an_honest_revisit_is_no_match(office: Office) -> None:
    rep = office.rep()
    customer = rep.create("customer", **customer_values())
    hand_in(rep, CONTENT, customer=customer)
    again = hand_in(rep, save(take(*visit_again(SCENE, 7))), customer=customer)
    assert matches_of(again) == []


def test_b3_a_picture_without_features_is_like_no_other(office: Office) -> None:
    for shade in (200, 202):
        blank = hand_in(office.rep(), save(Image.new("RGB", (640, 480), (shade, 200, 200))))
    assert matches_of(blank) == []


def test_b3_photos_of_one_visit_may_show_the_same(office: Office) -> None:
    rep = office.rep()
    visit = visit_of(rep)
    report = rep.create("visit_report", visit=visit, summary="拜访")
    photos = [rep.photo(visit, "visit", CONTENT) for _time in range(2)]
    assert matches_of(*photos, rep.photo(report, "visit_report", CONTENT)) == []


def test_r1_the_same_image_under_two_receipts_is_found_even_of_one_visit(office: Office) -> None:
    rep = office.rep()
    visit = visit_of(rep)
    receipts = [rep.create("receipt", **receipt_values(), visit=visit) for _time in range(2)]
    photos = [rep.photo(receipt, "receipt", CONTENT) for receipt in receipts]
    match = the_match(*photos)
    assert "receipts" in match.data["why"]
    assert match.data["weight"] >= 30


def test_r1_the_same_pdf_of_two_reps_is_found(office: Office) -> None:
    photos = [
        rep.photo(rep.create("receipt", **receipt_values()), "receipt", PDF)
        for rep in (office.rep(), office.rep("guangzhou"))
    ]
    match = the_match(*photos)
    assert (match.data["tier"], match.region) == ("same_file", office.company.regions["root"])


def test_p5_b3_only_who_may_see_both_photos_learns_of_a_match(app: Flask, office: Office) -> None:
    east, south = office.rep("shanghai"), office.rep("guangzhou")
    photos = [hand_in(rep, CONTENT) for rep in (east, south)]
    match = the_match(*photos)
    assert match.scopes == {f"region:{office.company.regions['root']}"}
    for role, region, status in (
        (Role.REGION_MANAGER, "east", 404),
        (Role.REGION_MANAGER, "south", 404),
        (Role.REGION_MANAGER, "root", 200),
        (Role.MARKET_OFFICER, None, 200),
    ):
        assert office.reviewer(role, region).get(f"/matches/{match.id}").status_code == status
    for rep in (east, south):
        assert match.id not in {item["record"] for item in rep.phone.pull_all()}


def test_p5_b3_a_match_within_one_region_belongs_to_that_region(office: Office) -> None:
    photos = [hand_in(office.rep("shanghai"), CONTENT), hand_in(office.rep("hangzhou"), CONTENT)]
    assert the_match(*photos).region == office.company.regions["east"]


def test_b1_b3_a_match_that_weighs_enough_waits_for_an_answer(office: Office) -> None:
    hand_in(office.rep("shanghai"), CONTENT)
    match = the_match(hand_in(office.rep("guangzhou"), CONTENT))
    waiting = office.reviewer(Role.MARKET_OFFICER, None).page("/?kind=photo_match")
    assert match.id in waiting
    manager = office.reviewer(Role.REGION_MANAGER, "root").page("/?kind=photo_match")
    assert match.id not in manager


def test_b3_a_person_says_what_it_is_and_may_say_otherwise(office: Office) -> None:
    hand_in(office.rep(), CONTENT)
    match = the_match(hand_in(office.rep(), CONTENT)).id
    manager = office.reviewer()
    form = {"base": "1", "answer": "unsure", "note": "看不清"}
    answer = manager.post(f"/matches/{match}", seen=f"/matches/{match}", **form)
    assert answer.status_code == 302
    first = stands(match)
    assert (first.data["answer"], first.data["answer_note"]) == ("unsure", "看不清")
    again = {"base": str(first.version), "answer": "same", "note": ""}
    manager.post(f"/matches/{match}", seen=f"/matches/{match}", **again)
    second = stands(match)
    assert (second.data["answer"], second.data["state"]) == ("same", "answered")
    assert "answer_note" not in second.data
    assert [one.changed.get("answer") for one in history(db.session(), match)][1:] == [
        (None, "unsure"),
        ("unsure", "same"),
    ]


def test_b2_b3_an_answer_to_what_somebody_else_answered_is_not_taken(office: Office) -> None:
    hand_in(office.rep(), CONTENT)
    match = the_match(hand_in(office.rep(), CONTENT)).id
    for name, status in (("a", 302), ("b", 409)):
        reviewer = office.reviewer(name=name)
        form = {"base": "1", "answer": "same", "note": name}
        assert reviewer.post(f"/matches/{match}", seen="/", **form).status_code == status
    assert stands(match).data["answer_note"] == "a"


def test_b3_comparing_again_writes_nothing_a_second_time(app: Flask, office: Office) -> None:
    photos = [hand_in(office.rep(), CONTENT) for _time in range(2)]
    before = the_match(*photos)
    services: Services = app.extensions["fieldstamp"]
    hand_over(office, photos[1], "guangzhou")  # now there would be more to say of it
    for photo in photos:
        ask_comparison(db.session(), photo, sha256_of(CONTENT))
    limits = services.policy.photos
    again = compare_photos(db.session(), services.sync, services.media, limits, seconds=300)
    assert again == 2
    assert the_match(*photos) == before


def test_b3_a_match_that_was_noted_before_a_kill_is_written_after_it(
    app: Flask, office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = hand_in(office.rep(), CONTENT)
    with monkeypatch.context() as broken:
        broken.setattr(comparing, "_write", trip)
        second = hand_in(office.rep(), CONTENT)
    assert matches_of(second) == []
    [pair] = pairs_about(db.session(), [second])
    run_pending(app)
    assert the_match(first, second).id == pair.record


def trip(*_given: object) -> None:
    raise RuntimeError("killed")


def test_p5_b3_a_match_follows_its_photos(app: Flask, office: Office) -> None:
    first = hand_in(office.rep("shanghai"), CONTENT)
    second = hand_in(office.rep("guangzhou"), CONTENT)
    services: Services = app.extensions["fieldstamp"]
    hand_over(office, second, "shanghai")
    assert follow_photos(db.session(), services.sync) == 1
    assert the_match(first).region == office.company.regions["shanghai"]
    assert follow_photos(db.session(), services.sync) == 0


def test_p5_b1_who_answers_a_match_is_asked_where_its_photos_have_gone(
    app: Flask, office: Office
) -> None:
    first = hand_in(office.rep("shanghai"), CONTENT)
    second = hand_in(office.rep("guangzhou"), CONTENT)
    services: Services = app.extensions["fieldstamp"]
    match = the_match(first, second).id
    hand_over(office, second, "shanghai")
    follow_photos(db.session(), services.sync)
    [waiting] = db.session.scalars(select(Item).where(Item.record == match))
    assert waiting.region == office.company.regions["shanghai"]


def test_b3_the_heaviest_matches_of_one_photo_are_written_down_and_no_more(
    app: Flask, office: Office
) -> None:
    rep = office.rep()
    services: Services = app.extensions["fieldstamp"]
    most = services.policy.photos.most_matches
    photos = [hand_in(rep, CONTENT) for _time in range(most + 2)]
    about = pairs_about(db.session(), photos)
    assert len([pair for pair in about if pair.photo == photos[-1]]) == most


def test_b3_a_match_found_again_after_a_restore_has_the_id_that_its_answer_names(
    office: Office,
) -> None:
    photos = [hand_in(office.rep(), CONTENT) for _time in range(2)]
    match = the_match(*photos)
    assert match.id == derive_id(*photos) == derive_id(*reversed(photos))
    assert is_uuid7(match.id)
    assert match.id[:13] == max(photos)[:13]
    assert derive_id(photos[0], match.id) != match.id
