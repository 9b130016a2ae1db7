"""A visit from the field to the desk and back: client library, real server, worker, browser."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from fieldstamp import Client, OfflineError, Request, Response
from server.settings import Settings
from tests.e2e.people import Browser, add_manager, issue_code
from tests.live import LiveServer, live_server
from tests.pictures import draw
from tests.until import synced_at_last, until

STROKES = [[1, 2], [30, 40], [50, 20]]


class NoNetwork:
    """The transport of a device out of reach."""

    def send(self, request: Request) -> Response:
        raise OfflineError(f"no network for {request.url}")


@pytest.fixture
def server(settings: Settings) -> Iterator[LiveServer]:
    with live_server(settings, FIELDSTAMP_SECURE_COOKIES="false") as running:
        running.start("work")
        yield running


def sync(store: Path) -> None:
    with Client(store) as device:
        synced_at_last(device)


def sync_until_seen(store: Path, photo: str) -> None:
    """The worker looks into a picture soon after it came; the device hears of it when it syncs."""
    with Client(store) as device:

        def is_seen() -> bool:
            synced_at_last(device)
            return bool(device.get(photo).get("content"))

        until(is_seen, say=lambda: "the worker did not look into the picture")


def work_offline(store: Path) -> tuple[str, str]:
    """A visit with a photo and a signature, and its report; the visit and the photo."""
    with Client(store, transport=NoNetwork()) as device:
        fields = {"name": "南京路烟酒店", "customer_type": "store"}
        customer = device.create("customer", fields)
        visit = device.create("visit", {"customer": customer, "purpose": "routine"})
        photo = device.attach(visit, draw(1200, 900), tag="display", source="gallery")
        device.sign(visit, part="customer", signer="王先生", strokes=STROKES)
        device.create("visit_report", {"visit": visit, "summary": "进店顺利"})
        assert not device.sync().run().synced
        return visit.id, photo.id


def test_m4_v5_a_visit_saved_offline_is_seen_decided_and_heard_of(
    server: LiveServer, tmp_path: Path
) -> None:
    store = tmp_path / "field.db"
    with Client(store, server=server.url) as device:
        device.enrol(issue_code(server), name="phone")
    visit, photo = work_offline(store)
    sync_until_seen(store, photo)
    with Client(store) as device:
        shown = device.get(photo)
        assert (shown["state"], shown["content"]) == ("verified", "readable")
        assert (shown["width"], shown["height"], shown["flags"]) == (1200, 900, ["gallery"])
        assert device.get(visit)["state"] == "submitted"
    browser = Browser(server.url)
    browser.login(add_manager(server))
    assert visit in browser.page("/")
    browser.send(
        f"/records/{visit}",
        f"/records/{visit}/decision",
        verdict="returned",
        note="照片不清晰",
        guidance="请补拍门头",
    )
    sync(store)
    with Client(store) as device:
        told = device.get(visit)
        assert (told["state"], told["verdict"]) == ("returned", "returned")
        assert told["guidance"] == "请补拍门头"
        assert device.status().synced
