"""Incidents 2 and 3: empty files and failed checks that were used as if nothing had happened."""

import json
from collections.abc import Callable

import pytest

from fieldstamp import Client, Request, Response, StorageFullError
from fieldstamp._system import SystemDisk
from fieldstamp.testing import FixedClock
from tests.fleet import Fleet, held, jpeg, of_kind, shop, synced, visit
from tests.incidents.faults import FailingDisk, Line, Send
from tests.incidents.otherside import OtherSide

HashOf = Callable[[Client, str], str]


def sha256_of(device: Client, photo: str) -> str:
    """The name of the file of a photo on its device."""
    return str(device.get(photo)["sha256"])


@pytest.mark.parametrize("how", ["empty", "unreadable"])
def test_incident_2_a_file_that_the_disk_does_not_give_back_is_not_sent_and_stops_nothing_else(
    fleet: Fleet, rep: str, line: Line, other_side: OtherSide, how: str
) -> None:
    disk, clock = FailingDisk(SystemDisk()), FixedClock()
    device = fleet.enrol(rep, line, disk=disk, clock=clock)
    seen = visit(device, shop(device))
    photos = {device.attach(seen, content).id: content for content in (jpeg(), jpeg(), jpeg())}
    sick, *well = photos
    getattr(disk, how).add(sha256_of(device, sick))
    report = device.sync().run()
    assert not report.synced
    assert [other_side.original(photo) for photo in well] == [photos[photo] for photo in well]
    assert other_side.original(sick) is None
    stuck = [item for item in device.outbox() if item.record == sick]
    assert [(item.state, item.reason != "", item.action != "") for item in stuck] == [
        ("stopped", True, True)
    ]
    assert not any(request.body == b"" for request in line.sent if request.method == "PATCH")
    getattr(disk, how).clear()
    device.retry(sick)
    synced(device)
    assert other_side.original(sick) == photos[sick]


def test_incident_2_a_full_disk_saves_no_photo_by_halves_and_takes_none_away(
    fleet: Fleet, rep: str, line: Line, other_side: OtherSide
) -> None:
    disk = FailingDisk(SystemDisk())
    device = fleet.enrol(rep, line, disk=disk)
    seen, content, late = visit(device, shop(device)), jpeg(), jpeg()
    photo = device.attach(seen, content)
    disk.full = True
    for again in (late, late):
        with pytest.raises(StorageFullError):
            device.attach(seen, again)
    assert [record.id for record in device.records("photo")] == [photo.id]
    synced(device)
    assert other_side.original(photo.id) == content
    disk.full = False
    later = device.attach(seen, late)
    synced(device)
    assert other_side.original(later.id) == late


def damaged_on_the_way(request: Request, send: Send) -> Response:
    """Something between changes a letter of a record and leaves the rest as it is."""
    answer = send(request)
    if not request.url.endswith(("/sync/pull", "/sync/snapshot")):
        return answer
    page = json.loads(answer.body)
    for item in page["items"]:
        if item["kind"] == "customer":
            item["data"]["name"] = "forged"
    return Response(status=200, headers=answer.headers, body=json.dumps(page).encode())


def test_incident_3_a_record_that_fails_its_check_is_not_taken_for_a_base(
    fleet: Fleet, rep: str, line: Line
) -> None:
    device, other = fleet.enrol(rep, line), fleet.enrol(rep)
    made = shop(other, name="店 1")
    synced(other)
    line.trouble = damaged_on_the_way
    report = device.sync().run()
    assert (report.synced, report.reason) == (False, "page_damaged")
    assert made not in held(device)
    line.trouble = None
    synced(device)
    other.patch(made, {"name": "店 2"})
    synced(other)
    line.trouble = damaged_on_the_way
    assert not device.sync().run().synced
    assert device.get(made)["name"] == "店 1"
    device.patch(made, {"phone": "021-1"})
    line.trouble = None
    synced(device)
    assert (device.get(made)["name"], device.get(made)["phone"]) == ("店 2", "021-1")
    fleet.assert_like_fresh(device, rep)


def test_incident_3_a_copy_that_is_not_what_the_server_has_is_found_and_replaced(
    fleet: Fleet, rep: str
) -> None:
    device = fleet.enrol(rep)
    first, second = shop(device), shop(device)
    synced(device)
    with device._store.write() as writing:
        writing.run("DELETE FROM record WHERE id = ?", first)
        writing.run("DELETE FROM pair WHERE record = ?", first)
    report = device.sync().run()
    assert (report.synced, report.digest_mismatch) == (True, ())
    assert set(of_kind(device, "customer")) == {first, second}
    fleet.assert_like_fresh(device, rep)
