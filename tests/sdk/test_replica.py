"""What is pulled: whole pages, pairs of record and scope, starting over, digests."""

import json
import sqlite3
from typing import Any

import pytest

from fieldstamp import Client, UnknownRecordError, _wire
from tests.sdk.office import USER, Office, answer, problem, put

FIRST = "01930000-0000-7000-8000-0000000000a1"
SECOND = "01930000-0000-7000-8000-0000000000a2"
MINE, EAST = f"user:{USER}", "region:east"


def leave(record: str, scope: str) -> dict[str, Any]:
    return {"item": "leave", "kind": "visit", "record": record, "scope": scope}


def pull(client: Client, office: Office, *pages: dict[str, Any]) -> Any:
    office.pages = list(pages)
    return client.sync().run()


def held(client: Client) -> list[str]:
    return [record.id for record in client.records("visit")]


def test_p4_pages_are_followed_to_the_end_and_the_cursor_goes_with_them(
    client: Client, office: Office
) -> None:
    first = {"items": [put(FIRST, {"purpose": "routine"})], "more": True, "cursor": "one"}
    second = {"items": [put(SECOND, {"purpose": "sale"})], "cursor": "two"}
    report = pull(client, office, first, second)
    assert (report.received, report.synced) == (2, True)
    assert held(client) == [FIRST, SECOND]
    client.sync().run()
    assert office.cursors == [None, "one", "two"]


@pytest.mark.parametrize(
    "bad",
    [
        {"item": "put", "kind": "visit", "record": SECOND},
        {**put(SECOND, {"purpose": "sale"}), "hash": "0" * 16},
        {**put(SECOND, {"purpose": "sale"}), "version": "3"},
        {"item": "explode", "kind": "visit", "record": SECOND},
        None,
    ],
)
def test_p4_a_page_is_applied_whole_or_not_at_all(client: Client, office: Office, bad: Any) -> None:
    page = {"items": [put(FIRST, {"purpose": "routine"}), bad], "cursor": "after"}
    report = pull(client, office, page)
    assert not report.synced
    assert held(client) == []
    assert pull(client, office, {"items": [put(FIRST, {"purpose": "routine"})]}).synced
    assert office.cursors == [None, None]


class Interruption:
    """Breaks off whatever statement runs when so many steps of the database are done."""

    def __init__(self, after: int) -> None:
        self._left = after

    def __call__(self) -> int:
        self._left -= 1
        return int(self._left == 0)


def pull_until(client: Client, office: Office, page: Any, interruption: Interruption) -> bool:
    """Whether the sync came to its end before the interruption."""
    connection = client._store._connection
    connection.set_progress_handler(interruption, 25)
    try:
        pull(client, office, page)
    except sqlite3.OperationalError:
        return False
    finally:
        connection.set_progress_handler(None, 0)
    return True


def test_p4_a_crash_inside_a_page_leaves_neither_items_nor_cursor(
    client: Client, office: Office
) -> None:
    page = {"items": [put(FIRST, {"purpose": "routine"}), put(SECOND, {"purpose": "sale"})]}
    broken = 0
    while not pull_until(client, office, page, Interruption(broken + 1)):
        broken += 1
        with client._store.read() as transaction:
            cursor = transaction.value("cursor")
        assert (held(client) == []) == (cursor is None)
    assert broken > 20
    assert held(client) == [FIRST, SECOND]


def test_only_data_obeys_the_version_and_pairs_always_follow(
    client: Client, office: Office
) -> None:
    newer = {**put(FIRST, {"purpose": "sale"}, version=5), "scopes": [MINE]}
    older = {**put(FIRST, {"purpose": "routine"}, version=4), "scopes": [MINE, EAST]}
    pull(client, office, {"items": [newer]}, {})
    pull(client, office, {"items": [older]})
    assert client.get(FIRST)["purpose"] == "sale"
    pull(client, office, {"items": [leave(FIRST, MINE)]})
    assert held(client) == [FIRST]
    pull(client, office, {"items": [leave(FIRST, EAST)]})
    assert held(client) == []


def test_p5_a_put_replaces_all_scopes_of_its_record(client: Client, office: Office) -> None:
    both = {**put(FIRST, {"purpose": "sale"}), "scopes": [MINE, EAST]}
    pull(client, office, {"items": [both]})
    pull(client, office, {"items": [{**both, "scopes": [EAST]}]})
    pull(client, office, {"items": [leave(FIRST, EAST)]})
    assert held(client) == []


def test_p5_a_lost_scope_takes_along_what_no_other_scope_holds(
    client: Client, office: Office
) -> None:
    both = {**put(FIRST, {"purpose": "sale"}), "scopes": [MINE, EAST]}
    one = {**put(SECOND, {"purpose": "sale"}), "scopes": [EAST]}
    pull(client, office, {"items": [both, one]})
    gone = {"events": [{"event": "scope_leave", "scope": EAST}]}
    assert pull(client, office, gone).synced
    assert held(client) == [FIRST]
    with pytest.raises(UnknownRecordError):
        client.get(SECOND)


def test_p6_own_unsent_work_on_a_record_that_left_stays_readable_and_is_sent(
    client: Client, office: Office
) -> None:
    pull(client, office, {"items": [put(FIRST, {"purpose": "routine"}, version=3)]})
    client.patch(FIRST, {"note": "mine"})
    office.script[FIRST] = lambda _m: {"outcome": "waiting"}
    pull(client, office, {"items": [leave(FIRST, MINE)]})
    left = client.get(FIRST)
    assert (dict(left.data), left.held, left.pending) == ({"note": "mine"}, False, True)
    office.script.clear()
    assert client.sync().run().synced
    assert [m["base"] for m in office.mutations.values()] == [3]


def test_a_withdrawn_record_is_kept_and_says_so(client: Client, office: Office) -> None:
    pull(client, office, {"items": [put(FIRST, {"purpose": "sale"})]})
    gone = {"item": "withdrawn", "kind": "visit", "record": FIRST, "version": 2, "scopes": [MINE]}
    pull(client, office, {"items": [gone]})
    record = client.get(FIRST)
    assert (record.withdrawn, record.version, record["purpose"]) == (True, 2, "sale")


def test_records_of_unknown_kinds_are_stored_and_counted(client: Client, office: Office) -> None:
    report = pull(client, office, {"items": [put(FIRST, {"x": 1}, kind="hologram")]})
    assert report.unknown_kinds == {"hologram": 1}
    assert client.get(FIRST)["x"] == 1


RESYNC = {"resync_required": "cursor_too_old"}


@pytest.mark.parametrize("asked", ["cursor_too_old", {"reason": "cursor_too_old"}])
def test_p6_a_snapshot_keeps_the_outbox_and_sweeps_what_did_not_come_again(
    client: Client, office: Office, asked: Any
) -> None:
    pull(client, office, {"items": [put(FIRST, {"purpose": "sale"}), put(SECOND, {"x": 1})]})
    client.patch(SECOND, {"note": "mine"})
    office.script[SECOND] = lambda _m: {"outcome": "waiting"}
    office.snapshots = [
        {"items": [put(FIRST, {"purpose": "sale"})], "more": True, "page": "half"},
        {"items": []},
    ]
    pull(client, office, {"resync_required": asked}, {})
    assert office.asked == [None, "half"]
    assert office.cursors[1:] == ["c1", "tail"]
    assert [record.held for record in client.records("visit")] == [True, False]
    assert dict(client.get(SECOND).data) == {"note": "mine"}
    assert client.outbox()[0].record == SECOND


def test_p4_a_snapshot_goes_on_where_it_was_broken_off(client: Client, office: Office) -> None:
    pull(client, office, {"items": [put(FIRST, {"purpose": "sale"}), put(SECOND, {"x": 1})]})
    failing = [problem(500, "internal")]

    def fail_on_second(request: Any) -> Any:
        second = request.url.endswith("/snapshot") and office.asked == [None]
        return failing.pop() if second and failing else None

    office.before.append(fail_on_second)
    third = FIRST[:-1] + "3"
    office.snapshots = [
        {"items": [put(FIRST, {"purpose": "sale"})], "more": True, "page": "half"},
        {"items": [put(third, {"purpose": "sale"})]},
    ]
    assert pull(client, office, RESYNC).reason == "internal"
    assert held(client) == [FIRST, SECOND]
    assert client.sync().run().synced
    assert office.asked == [None, "half"]
    assert held(client) == [FIRST, third]


def test_a_place_in_a_snapshot_that_is_worth_nothing_begins_it_anew(
    client: Client, office: Office
) -> None:
    pull(client, office, {"items": [put(FIRST, {"purpose": "sale"}), put(SECOND, {"x": 1})]})
    office.before.append(
        lambda request: (
            problem(400, "bad_request")
            if request.url.endswith("/snapshot") and b"half" in request.body
            else None
        )
    )
    office.snapshots = [
        {"items": [put(FIRST, {"purpose": "sale"})], "more": True, "page": "half"},
        {"items": [put(SECOND, {"x": 1})]},
    ]
    assert pull(client, office, RESYNC, {}).synced
    assert held(client) == [SECOND]


def test_p1_a_snapshot_of_another_epoch_replaces_newer_rows(client: Client, office: Office) -> None:
    pull(client, office, {"items": [put(FIRST, {"purpose": "sale"}, version=9)]})
    office.epoch = "e-2"
    office.snapshots = [{"items": [put(FIRST, {"purpose": "routine"}, version=2)]}]
    assert pull(client, office).synced
    record = client.get(FIRST)
    assert (record.version, record.epoch, record["purpose"]) == (2, "e-2", "routine")


def bucket(record: str, data: dict[str, Any], version: int = 1) -> dict[str, Any]:
    count, total = _wire.scope_sum([(record, version, _wire.record_hash(data))])
    return {"bucket": record[-2:], "count": count, "sum": total}


def digest(*members: tuple[str, dict[str, Any]]) -> dict[str, Any]:
    count, total = _wire.scope_sum([(r, 1, _wire.record_hash(data)) for r, data in members])
    return {"scope": MINE, "count": count, "sum": total}


def test_p7_only_the_buckets_that_differ_are_fetched_and_what_they_do_not_name_goes(
    client: Client, office: Office
) -> None:
    data, third, fourth = {"purpose": "sale"}, FIRST[:-1] + "3", FIRST[:-2] + "b3"
    pull(client, office, {"items": [put(r, data) for r in (FIRST, SECOND, third)]})
    repaired: list[Any] = []
    office.before.append(
        lambda request: repaired.append(request.body) if b"repair" in request.body else None
    )
    office.buckets = [bucket(FIRST, data), bucket(SECOND, data), bucket(fourth, data)]
    office.repairs = [{"items": [put(fourth, data)]}]
    right = {"digest": [digest((FIRST, data), (SECOND, data), (fourth, data))]}
    assert pull(client, office, right, right).synced
    assert [json.loads(body)["repair"] for body in repaired] == [["a3", "b3"]]
    assert held(client) == [FIRST, SECOND, fourth]
    assert office.asked == []


def test_p7_what_a_repair_does_not_mend_is_replaced_once_a_day_and_then_reported(
    client: Client, office: Office
) -> None:
    data = {"purpose": "sale"}
    right, wrong = digest((FIRST, data)), {**digest((FIRST, data)), "sum": "0" * 16}
    office.buckets = [bucket(FIRST, data)]
    assert pull(client, office, {"items": [put(FIRST, data)], "digest": [right]}).synced
    office.snapshots = [{"items": [put(FIRST, data)]}]
    pages = [{"digest": [wrong]}, {"digest": [wrong]}, {"digest": [right]}]
    assert pull(client, office, *pages).synced
    assert office.asked == [None]
    report = pull(client, office, *[{"digest": [wrong]}] * 3)
    assert (report.synced, report.reason) == (False, "digest_mismatch")
    assert report.digest_mismatch == (MINE,)
    assert office.asked == [None]
    assert client.get(FIRST)["purpose"] == "sale"


def test_p5_a_revoked_device_forgets_records_and_still_hands_in_its_work(
    client: Client, office: Office
) -> None:
    pull(client, office, {"items": [put(FIRST, {"purpose": "sale"})]})
    visit = client.create("visit", {"purpose": "routine"})
    client.attach(visit, b"photo")

    def revoked(request: Any) -> Any:
        if request.url.endswith(("/pull", "/kinds")):
            return problem(403, "device_revoked")
        return None

    office.before.append(revoked)
    report = client.sync().run()
    assert (report.reason, report.sent, report.photos_sent) == ("device_revoked", 2, 1)
    with pytest.raises(UnknownRecordError):
        client.get(FIRST)
    assert [u.content for u in office.uploads.values()] == [b"photo"]


def test_an_app_that_is_too_old_to_receive_still_hands_in(client: Client, office: Office) -> None:
    client.create("visit", {"purpose": "routine"})

    def too_old(request: Any) -> Any:
        return problem(426, "app_too_old") if request.url.endswith("/pull") else None

    office.before.append(too_old)
    report = client.sync().run()
    assert (report.reason, report.push_only, report.applied) == ("app_too_old", True, 1)


def test_p4_the_same_page_again_and_again_ends(client: Client, office: Office) -> None:
    page = {"items": [], "more": True, "cursor": "stuck"}
    report = pull(client, office, *[page] * 9)
    assert not report.synced
    assert len(office.pages) >= 6


def test_kinds_that_are_not_kinds_are_not_kept(client: Client, office: Office) -> None:
    def lie(request: Any) -> Any:
        return answer({"kinds": "none"}) if request.url.endswith("/kinds") else None

    office.before.append(lie)
    assert client.sync().run().reason == "portal"
    assert client.kinds()["kinds"][0]["name"] == "visit"
