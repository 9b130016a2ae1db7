"""A13, A14: a small part of the fuzz of pictures; ``python -m tests.fuzz.images`` does it all."""

from flask import Flask

from server.extensions import db
from server.media.pictures import list_unexamined
from server.sync.queries import find_record
from server.work.rounds import run_pending
from tests.fuzz.images import is_good, make_files, run_batch
from tests.pictures import draw
from tests.uploads import carriers

COUNT = 200
OVER_THE_WIRE = 12


def test_attack_13_and_14_mutated_pictures_harm_no_process_and_half_of_them_are_decoded() -> None:
    counts = run_batch(seed=20, count=COUNT)
    assert counts["files"] == COUNT
    assert is_good(counts, 1), counts


def test_attack_13_and_14_mutated_pictures_are_kept_with_a_verdict_and_a_healthy_one_is_read(
    app: Flask,
) -> None:
    [rep] = carriers(app)
    files = [content for _name, content in make_files(21, OVER_THE_WIRE) if content]
    photos = {rep.declare(content): content for content in [*files, draw()]}
    for photo, content in photos.items():
        assert rep.send(photo, content, upload=photo).status_code == 204
    run_pending(app)
    with app.app_context():
        assert list_unexamined(db.session()) == []
        records = [find_record(db.session(), photo) for photo in photos]
    told = [record.data["content"] for record in records if record]
    assert len(told) == len(photos)
    assert told[-1] == "readable"
    for photo, content in photos.items():
        assert rep.read(photo).data == content
        assert rep.read(photo, "preview").status_code in {200, 404}
