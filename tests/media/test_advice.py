"""What a photo looks like by itself, as advice to take it again: a flag, never a refusal."""

import pytest
from flask import Flask
from PIL import Image, ImageEnhance, ImageFilter

from server.extensions import db
from server.sync.queries import find_record
from server.work.rounds import run_pending
from tests.media.scenes import plan_scene, save, take
from tests.uploads import carriers

PHOTO = take(plan_scene(3))
LOOKS = {
    "fine": (PHOTO, []),
    "blurred": (PHOTO.filter(ImageFilter.GaussianBlur(8)), ["blurred"]),
    "dark": (ImageEnhance.Brightness(PHOTO).enhance(0.15), ["dark"]),
    "too bright": (Image.blend(PHOTO, Image.new("RGB", PHOTO.size, "white"), 0.85), ["too_bright"]),
}


@pytest.mark.parametrize("look", LOOKS)
def test_b3_a_photo_that_should_be_taken_again_is_flagged_and_kept(app: Flask, look: str) -> None:
    [rep] = carriers(app)
    image, flags = LOOKS[look]
    content = save(image)
    photo = rep.declare(content)
    rep.send(photo, content)
    run_pending(app)
    with app.app_context():
        record = find_record(db.session(), photo)
    assert record is not None
    assert (record.data["state"], record.data["content"]) == ("verified", "readable")
    assert record.data["flags"] == flags
    assert rep.read(photo).data == content
