"""P6: the bytes of photos whose records were refused: kept, and seen by whoever judges them."""

from typing import Any

import pytest
from flask import Flask

from tests.company import Company
from tests.office import Office, Rep
from tests.phone import new_id
from tests.pictures import draw
from tests.uploads import Carrier, photo_values, receipt_values

CONTENT = draw()


@pytest.fixture
def office(app: Flask, company: Company) -> Office:
    return Office(app, company)


def carrier(rep: Rep) -> Carrier:
    return Carrier(rep.app.test_client(), rep.device, new_id)


def receipt_of(rep: Rep) -> str:
    return rep.create("receipt", **receipt_values())


def refuse(rep: Rep, record: str | None = None, **given: Any) -> tuple[str, str]:
    """A photo of CONTENT whose create is refused; its id, and that of what was parked."""
    values = {**photo_values(receipt_of(rep), CONTENT), "source": "nowhere", **given}
    made = rep.phone.create("photo", values, record=record or new_id())
    (result,) = rep.phone.push(made)
    assert result["outcome"] == "rejected"
    return str(made["record"]), str(result["parked"])


def test_p6_the_bytes_of_a_refused_photo_are_seen_by_whoever_sees_the_refusal(
    office: Office,
) -> None:
    rep = office.rep("shanghai")
    photo, parked = refuse(rep)
    manager = office.reviewer(region="east")
    link = f"/photos/{photo}/original"
    assert link not in manager.page(f"/records/{parked}"), "they have not come"
    assert carrier(rep).send(photo, CONTENT).status_code == 204
    assert link in manager.page(f"/records/{parked}")
    assert manager.get(link).data == carrier(rep).read(photo).data == CONTENT
    for stranger in (office.rep("shanghai"), office.rep("guangzhou")):
        assert carrier(stranger).read(photo).status_code == 404
    assert office.reviewer(region="south").get(link).status_code == 404


def test_p5_to_name_a_refused_photo_and_its_hash_is_not_to_have_its_bytes(office: Office) -> None:
    rep, other = office.rep(), office.rep()
    photo, _parked = refuse(rep)
    assert carrier(rep).send(photo, CONTENT).status_code == 204
    assert refuse(other, photo)[0] == photo
    assert carrier(other).read(photo).status_code == 404
    assert carrier(other).send(photo, CONTENT, upload="own").status_code == 204
    assert carrier(other).read(photo).data == CONTENT


@pytest.mark.parametrize("said", ["text/html\r\nX-Evil: 1", "图片", ["image/jpeg"], "image/jpeg\n"])
def test_p6_whatever_type_a_refused_photo_claims_its_bytes_are_handed_out_as_bytes(
    office: Office, said: object
) -> None:
    rep = office.rep()
    photo, _parked = refuse(rep, type=said)
    assert carrier(rep).send(photo, CONTENT).status_code == 204
    answer = carrier(rep).read(photo)
    assert (answer.status_code, answer.content_type) == (200, "application/octet-stream")
    assert "X-Evil" not in answer.headers


def test_p6_a_refused_photo_that_is_brought_back_has_the_bytes_that_came_before(
    office: Office,
) -> None:
    rep = office.rep()
    photo, parked = refuse(rep)
    assert carrier(rep).send(photo, CONTENT).status_code == 204
    more = {"record": photo, "restores": {"parked": parked}}
    mended = rep.phone.create("photo", photo_values(receipt_of(rep), CONTENT), **more)
    (result,) = rep.phone.push(mended)
    assert result["outcome"] == "applied", result
    assert carrier(rep).read(photo).data == CONTENT
