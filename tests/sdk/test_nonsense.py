"""A server, or something before it, that answers nonsense in the right envelope."""

import copy
import gzip
import json
import socket
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from fieldstamp import Client, Request, Response
from fieldstamp.testing import FixedClock
from tests.sdk.conftest import Opener
from tests.sdk.office import USER, VISIT, Office, answer, problem, put

FIRST = "01930000-0000-7000-8000-0000000000a1"
WRONG = {"scope": f"user:{USER}", "count": 9, "sum": "0" * 16}


def routine(client: Client) -> str:
    return client.create("visit", {"purpose": "routine"}).id


def ends_with(end: str, said: Callable[[Request], Response | None]) -> Any:
    return lambda request: said(request) if request.url.endswith(end) else None


def test_p8_a_snapshot_that_begins_anew_again_and_again_ends(
    client: Client, office: Office
) -> None:
    office.snapshots = [{"more": True, "page": "half"} for _ in range(50)]
    office.before.append(
        lambda request: problem(400, "bad_request") if b'"page": "half"' in request.body else None
    )
    client.sync().run()
    office.pages = [{"resync_required": {"reason": "cursor_too_old"}}]
    report = client.sync().run()
    assert not report.synced
    assert len(office.asked) < 10


def test_p8_the_same_page_of_a_snapshot_again_and_again_ends(
    client: Client, office: Office
) -> None:
    client.sync().run()
    office.snapshots = [{"more": True, "page": "half"} for _ in range(50)]
    office.pages = [{"resync_required": {"reason": "cursor_too_old"}}]
    assert client.sync().run().reason == "portal"
    assert len(office.asked) < 10


def test_p9_a_server_whose_clock_was_far_ahead_once_keeps_nobody_from_a_replacement(
    client: Client, office: Office
) -> None:
    ahead = {"server_time": "2036-01-01T00:00:00+00:00"}

    def differ() -> None:
        office.pages = [{"digest": [WRONG]}] * 3
        client.sync().run()

    def hello(_request: Request) -> Response:
        return answer(
            {"protocol": {"min": 1, "max": 1}, "epoch": "e-1", "limits": {}, "schema": 1, **ahead}
        )

    office.before.append(ends_with("/hello", hello))
    differ()
    assert office.asked == [None]
    office.before.clear()
    differ()
    assert office.asked == [None, None]


def test_p8_what_was_set_aside_behind_many_others_has_its_turn(
    client: Client, office: Office
) -> None:
    visits = [routine(client) for _ in range(40)]
    spoilt = set(visits)

    def refuse(request: Request) -> Response | None:
        if any(visit.encode() in request.body for visit in spoilt):
            return problem(400, "validation")
        return None

    office.before.append(
        lambda request: (
            refuse(replace(request, body=inflated(request)))
            if request.url.endswith("/push")
            else None
        )
    )
    for _ in range(8):
        client.sync().run()
    assert {item.state for item in client.outbox()} == {"aside"}
    spoilt.remove(visits[-1])
    for _ in range(4):
        client.sync().run()
    assert len(client.outbox()) == 39


def inflated(request: Request) -> bytes:
    zipped = request.headers.get("Content-Encoding") == "gzip"
    return gzip.decompress(request.body) if zipped else request.body


def test_p8_photos_pass_a_proxy_that_takes_small_bodies_only(
    client: Client, office: Office, device_clock: FixedClock
) -> None:
    def proxy(request: Request) -> Response | None:
        if request.method == "PATCH" and len(request.body) > 300_000:
            return Response(status=413, headers={"content-type": "text/html"}, body=b"<html>")
        return None

    office.before.append(proxy)
    for number in range(3):
        client.attach(routine(client), bytes([number]) * 2_000_000)
    report = client.sync().run()
    assert report.synced, report.message


def test_p6_a_picture_is_wished_for_until_the_server_itself_answers(
    client: Client, office: Office
) -> None:
    office.pages = [{"items": [put(FIRST, {"sha256": "0" * 64}, kind="photo")]}]
    client.sync().run()
    with pytest.raises(Exception, match="no picture"):
        client.preview(FIRST)
    asked: list[str] = []

    def page(request: Request) -> Response:
        asked.append(request.url)
        return Response(status=200, headers={"content-type": "text/html"}, body=b"<html>")

    office.before.append(ends_with("/preview", page))
    assert client.sync().run().reason == "portal"
    client.sync().run()
    assert len(asked) == 2


def test_a_misspelt_member_of_a_change_is_said_and_not_sealed(client: Client) -> None:
    with pytest.raises(Exception, match="note"):
        client.create("visit", {"purpose": "routine"}, note="meant as a field")
    assert client.mutations() == []


def test_p1_an_edit_that_a_restored_server_took_stays_laid_over_the_copy_of_the_older_epoch(
    client: Client, office: Office
) -> None:
    visit = routine(client)
    office.pages = [{"items": [put(visit, {"purpose": "routine"}, version=8)]}]
    client.sync().run()
    client.patch(visit, {"note": "mine"})
    office.epoch = "e-2"
    office.script[visit] = lambda m: {"outcome": "applied", "version": 1 + (m["base"] > 0)}
    office.before.append(ends_with("/snapshot", lambda _request: problem(503, "busy")))
    client.sync().run()
    assert client.get(visit)["note"] == "mine"


def test_p7_synced_is_not_said_after_a_sync_that_was_broken_off(
    client: Client, office: Office, open_client: Opener
) -> None:
    assert client.sync().run().synced
    office.pages = [{"items": [put(FIRST, {"purpose": "sale"})], "more": True}]
    for step in (run := client.sync()):
        if step.phase == "pull":
            break
    run.close()
    assert not open_client().status().synced


def test_p2_a_version_that_the_server_did_not_sign_is_not_believed(
    client: Client, office: Office
) -> None:
    visit = routine(client)

    def changed(mutation: dict[str, Any]) -> dict[str, Any]:
        return {"outcome": "applied", "version": 9, "ack": office.ack(mutation, "applied", 1)}

    office.script[visit] = changed
    assert not client.sync().run().synced
    office.script.clear()
    office.pages = [{"items": [put(visit, {"purpose": "sale"}, version=2)]}]
    assert client.sync().run().synced
    assert client.get(visit)["purpose"] == "sale"


HUGE, HALF = 10**400, "\ud800"


def spoilt(body: Any, at: tuple[Any, ...], by: object) -> Any:
    body = copy.deepcopy(body)
    inner = body
    for step in at[:-1]:
        inner = inner[step]
    inner[at[-1]] = by
    return body


@pytest.mark.parametrize(
    ("end", "at", "by"),
    [
        ("/hello", ("schema",), HUGE),
        ("/hello", ("backoff",), HUGE),
        ("/hello", ("epoch",), HALF),
        ("/hello", ("limits", "mutation_bytes"), None),
        ("/hello", ("limits", "mutation_bytes"), -7),
        ("/hello", ("limits", "push_bytes"), "x"),
        ("/kinds", ("kinds", 0, "name"), []),
        ("/kinds", ("kinds", 0, "schema"), [[]]),
        ("/kinds", ("kinds", 0, "schema", "properties"), 7),
        ("/kinds", ("kinds", 0, "schema", "properties", "note", "type"), {}),
        ("/kinds", ("kinds", 0, "schema", "properties", "note", "maxLength"), "x"),
        ("/kinds", ("kinds", 0, "fields"), 7),
        ("/kinds", ("kinds", 0, "fields", "purpose"), None),
        ("/kinds", ("kinds", 0, "fields", "purpose", "writers"), 7),
        ("/kinds", ("kinds", 0, "states", "draft", "moves", "send", "field"), []),
        ("/kinds", ("kinds", 0, "title"), HALF),
        ("/push", ("results", 0, "outcome"), []),
        ("/push", ("results", 0, "version"), HUGE),
        ("/push", ("results", 0, "hash"), HALF),
        ("/pull", ("events",), 7),
        ("/pull", ("digest",), {"scope": "x"}),
        ("/pull", ("backfilling",), 7),
        ("/pull", ("items", 0, "version"), HUGE),
        ("/pull", ("items", 0, "kind"), HALF),
        ("/pull", ("cursor",), HALF),
        ("/refresh", ("access_token",), "钥匙"),
        ("/refresh", ("refresh_token",), "a\nb"),
    ],
    ids=str,
)
def test_p8_nonsense_in_an_answer_raises_nothing_and_keeps_nobody_from_saving(
    client: Client, office: Office, end: str, at: tuple[Any, ...], by: object
) -> None:
    draft = {"moves": {"send": {"field": "sent", "to": "sent", "roles": ["rep"]}}, "passes": []}
    office.kinds = {"kinds": [{**VISIT, "title": "", "states": {"draft": draft}}]}
    office.pages = [{"items": [put(FIRST, {"purpose": "sale"})]}]
    office.access = "another" if end == "/refresh" else office.access
    visit = routine(client)

    def said(request: Request) -> Response:
        right = office.send_quietly(request)
        return replace(right, body=json.dumps(spoilt(json.loads(right.body), at, by)).encode())

    office.before.append(ends_with(end, said))
    client.sync().run()
    client.patch(visit, {"note": "still saved"})
    assert routine(client)
    office.before.clear()
    office.kinds = {"kinds": [VISIT]}
    client.sync().run()
    assert client.sync().run().synced
    assert len(office.mutations) == 3


def test_p7_a_version_that_only_the_signed_statement_names_takes_the_edit_off(
    client: Client, office: Office
) -> None:
    visit = routine(client)
    office.script[visit] = lambda mutation: {
        "outcome": "applied",
        "ack": office.ack(mutation, "applied", 1),
    }
    office.pages = [{"items": [put(visit, {"purpose": "sale"}, version=2)]}]
    assert client.sync().run().synced
    assert (client.get(visit)["purpose"], client.get(visit).pending) == ("sale", False)


@pytest.mark.parametrize("wrong", [["purpose"], "purpose", 7, {"purpose": 7}])
def test_p8_a_refusal_that_cannot_be_read_is_shown_all_the_same(
    client: Client, office: Office, wrong: object
) -> None:
    problem = {"code": "validation", "title": ["x"], "fields": wrong}
    office.script[routine(client)] = lambda _m: {"outcome": "rejected", "problem": problem}
    client.sync().run()
    assert [need.code for need in client.status().needs_you] == ["validation"]


def test_saving_asks_no_network_for_what_a_schema_points_at(client: Client, office: Office) -> None:
    with socket.create_server(("127.0.0.1", 0)) as elsewhere:
        elsewhere.settimeout(0)
        pointing = f"http://127.0.0.1:{elsewhere.getsockname()[1]}/schema"
        office.kinds = {"kinds": [{**VISIT, "schema": {"$ref": pointing}}]}
        client.sync().run()
        assert routine(client)
        with pytest.raises(BlockingIOError):
            elsewhere.accept()


def blocked(_request: Request) -> Response:
    """What a filter on the way says of a text or a picture that it takes for an attack."""
    return Response(status=403, headers={"content-type": "text/html"}, body=b"<html>")


def test_p8_a_photo_that_something_on_the_way_refuses_keeps_no_other_one(
    client: Client, office: Office
) -> None:
    for content in (b"select * from", b"second", b"third"):
        client.attach(routine(client), content)
    office.before.append(
        lambda request: blocked(request) if request.body == b"select * from" else None
    )
    report = client.sync().run()
    assert (report.reason, report.photos_verified, report.pending) == ("portal", 2, 1)
    [item] = client.outbox()
    assert "between" in item.reason
    office.before.clear()
    assert client.sync().run().synced


def test_p8_a_change_that_something_on_the_way_refuses_is_set_aside_alone(
    client: Client, office: Office
) -> None:
    for note in ("fine", "select * from", "fine, too"):
        client.create("visit", {"purpose": "routine", "note": note})
    office.before.append(
        lambda request: blocked(request) if b"select * from" in inflated(request) else None
    )
    for _ in range(3):
        assert not client.sync().run().synced
    [item] = client.outbox()
    assert (item.state, len(office.mutations)) == ("aside", 2)
    assert "between" in item.reason
    office.before.clear()
    assert client.sync().run().synced


def test_p8_a_portal_that_comes_up_in_the_middle_sets_nothing_aside(
    client: Client, office: Office
) -> None:
    routine(client)
    there = {"up": False}

    def portal(request: Request) -> Response | None:
        there["up"] = there["up"] or request.url.endswith("/push")
        return blocked(request) if there["up"] else None

    office.before.append(portal)
    for _ in range(5):
        there["up"] = False
        assert client.sync().run().reason == "portal"
    assert [item.state for item in client.outbox()] == ["ready"]
