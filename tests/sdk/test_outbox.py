"""The queue: what is believed, what is sent again, what a person is told."""

import gzip
import json
from collections.abc import Callable
from typing import Any

import pytest

from fieldstamp import Client, OfflineError, Request, Response, _outbox
from fieldstamp.testing import FixedClock
from tests.sdk.conftest import Opener
from tests.sdk.office import TIME, Office, answer, problem, put, signed_ack

PUSH = "POST /v1/sync/push"


WELL_FORMED = answer({"protocol": 1, "epoch": "e-1", "server_time": TIME, "results": []}).body


def routine(client: Client, **fields: Any) -> str:
    return client.create("visit", {"purpose": "routine", **fields}).id


def reject(_mutation: Any) -> dict[str, Any]:
    said = {"code": "validation", "title": "内容有误", "action": "改正", "fields": {"note": "短"}}
    return {"outcome": "rejected", "problem": said}


def on(path: str, response: Callable[[Request], Response | None]) -> Any:
    return lambda request: response(request) if request.url.endswith(path) else None


def lose_answers(office: Office, times: int) -> None:
    """The next pushes take effect and their answers never arrive."""
    left = [times]

    def lose(request: Request) -> None:
        if request.url.endswith("/push") and left[0]:
            left[0] -= 1
            office.send_quietly(request)
            raise OfflineError("lost")

    office.before.append(lose)


def test_p2_a_lost_answer_is_asked_for_again_with_the_very_same_bytes(
    client: Client, office: Office
) -> None:
    sent: list[bytes] = []
    office.before.append(on("/push", lambda request: sent.append(request.body)))
    visit = routine(client)
    lose_answers(office, 3)
    report = client.sync().run()
    assert (report.reason, report.synced, report.pending) == ("offline", False, 1)
    assert client.sync().run().synced
    assert office.order == [1]
    assert len(set(sent)) == 1
    assert client.get(visit)["purpose"] == "routine"


@pytest.mark.parametrize(
    "lie",
    [
        Response(status=200, headers={"content-type": "text/html"}, body=b"<html>ok</html>"),
        Response(status=200, headers={"content-type": "application/json"}, body=b"{}"),
        Response(status=200, headers={"content-type": "text/html"}, body=WELL_FORMED),
        Response(status=200, headers={"content-type": "application/json"}, body=b"<html>"),
        Response(status=200, headers={"content-type": "application/json"}, body=b"[]"),
        Response(status=200, headers={}, body=b""),
        Response(status=204),
        Response(status=302, headers={"location": "http://portal.example/"}),
        Response(status=404, headers={"content-type": "text/html"}, body=b"not here"),
        Response(status=401, headers={"content-type": "text/html"}, body=b"portal"),
        Response(status=511, headers={"content-type": "text/html"}, body=b"login"),
        answer({"protocol": 1, "epoch": "e-1", "server_time": TIME, "results": "all"}),
        answer({"protocol": 2, "epoch": "e-1", "server_time": TIME, "results": []}),
        answer({"protocol": 1, "epoch": "e-1", "server_time": TIME, "results": []}),
        answer({"protocol": 1, "epoch": "e-1", "server_time": TIME, "results": [{"id": 7}, None]}),
    ],
    ids=lambda lie: f"{lie.status} {lie.body[:40]!r}",
)
def test_p2_an_answer_that_is_not_one_settles_nothing(
    client: Client, office: Office, lie: Response
) -> None:
    routine(client)
    office.before.append(on("/push", lambda _request: lie))
    report = client.sync().run()
    assert not report.synced
    assert report.pending == 1
    assert client.outbox()[0].state == "ready"
    office.before.clear()
    assert client.sync().run().synced


def test_p3_an_outcome_counts_only_with_the_servers_signature_on_this_mutation(
    client: Client, office: Office
) -> None:
    visit = routine(client)

    def forge(mutation: Any) -> dict[str, Any]:
        said = {"outcome": "applied", "version": 1}
        return {**said, "ack": signed_ack(mutation, "0" * 64, epoch="e-1", **said)}

    def alter(mutation: Any) -> dict[str, Any]:
        ack = office.ack(mutation, "rejected", None)
        return {"outcome": "applied", "version": 1, "ack": {**ack, "outcome": "applied"}}

    def leave_out(_mutation: Any) -> dict[str, Any]:
        return {"outcome": "applied", "version": 1, "ack": None}

    for lie in (forge, alter, leave_out):
        office.script[visit] = lie
        report = client.sync().run()
        assert not report.synced
        assert "not signed" in client.outbox()[0].reason
    office.script.clear()
    assert client.sync().run().synced
    ack = client.mutations()[0].ack
    assert ack is not None
    assert ack["outcome"] == "applied"


def test_p8_a_rejected_mutation_is_kept_shown_and_blocks_nothing(
    client: Client, office: Office
) -> None:
    bad, good = routine(client, note="bad"), routine(client)
    office.script[bad] = reject
    report = client.sync().run()
    assert report.synced
    (need,) = report.needs_you
    assert (need.record, need.code, need.title) == (bad, "validation", "内容有误")
    assert need.fields == {"note": "短"}
    assert json.loads(client.mutations(bad)[0].body)["set"]["note"] == "bad"
    assert client.mutations(good)[0].outcome == "applied"
    client.create("visit", {"purpose": "sale"}, restores={"parked": need.id})
    assert client.sync().run().needs_you == ()


def test_p2_what_waits_is_sent_again_at_each_sync_until_it_is_final(
    client: Client, office: Office
) -> None:
    visit = routine(client)
    office.script[visit] = lambda _m: {"outcome": "waiting", "for": ["x"]}
    for _ in range(2):
        report = client.sync().run()
        assert (report.waiting, report.synced, report.pending) == (1, False, 1)
    assert client.outbox()[0].state == "waiting"
    del office.script[visit]
    assert client.sync().run().synced


def test_p8_a_retry_is_no_outcome(client: Client, office: Office) -> None:
    visit = routine(client)
    office.script[visit] = lambda _m: {"retry": True, "after": 30}
    report = client.sync().run()
    assert (report.pending, report.synced, report.retry_in_s) == (1, False, 30)
    assert client.outbox()[0].state == "ready"


def test_p7_an_applied_edit_stays_laid_over_until_its_version_is_here(
    client: Client, office: Office
) -> None:
    visit = routine(client, note="mine")
    office.script[visit] = lambda _m: {"outcome": "applied", "version": 1}
    client.sync().run()
    assert client.get(visit)["note"] == "mine"
    assert client.get(visit).version == 0
    office.pages = [{"items": [put(visit, {"purpose": "sale", "note": "mine"}, version=2)]}]
    client.sync().run()
    assert not client.get(visit).pending
    assert client.get(visit)["purpose"] == "sale"


@pytest.mark.parametrize("outcome", ["conflict", "rejected"])
def test_p7_an_edit_that_was_not_taken_comes_off_at_once(
    client: Client, office: Office, outcome: str
) -> None:
    visit = routine(client)
    office.pages = [{"items": [put(visit, {"purpose": "routine"}, version=1)]}]
    client.sync().run()
    client.patch(visit, {"purpose": "sale"})
    assert client.get(visit)["purpose"] == "sale"
    office.script[visit] = lambda _m: {"outcome": outcome}
    client.sync().run()
    assert client.get(visit)["purpose"] == "routine"


def test_p6_the_record_that_comes_with_a_merge_is_the_base_of_the_next_edit(
    client: Client, office: Office
) -> None:
    visit = routine(client)
    merged = {"purpose": "routine", "note": "theirs"}
    office.script[visit] = lambda _m: {
        "outcome": "merged",
        "version": 7,
        "data": merged,
        "data_version": 8,
    }
    client.sync().run()
    assert (client.get(visit).version, client.get(visit).pending) == (8, False)
    assert dict(client.get(visit).data) == merged


@pytest.mark.parametrize("outcome", ["merged", "conflict"])
def test_p7_what_changed_on_its_way_back_is_not_taken_over_and_a_pull_brings_it(
    client: Client, office: Office, outcome: str
) -> None:
    visit = routine(client)
    right, wrong = ({"purpose": "routine", "note": note} for note in ("theirs", "thiers"))
    office.script[visit] = lambda _m: {
        "outcome": outcome,
        "version": 7,
        "data": wrong,
        "data_version": 8,
        "hash": put(visit, right, version=8)["hash"],
    }
    client.sync().run()
    assert client.status().pending_mutations == 0
    office.pages = [{"items": [put(visit, right, version=8)]}]
    assert client.sync().run().synced
    assert (dict(client.get(visit).data), client.get(visit).version) == (right, 8)


def test_p8_a_batch_over_the_limit_is_halved(client: Client, office: Office) -> None:
    for _ in range(9):
        routine(client)
    office.largest_push = 2
    assert client.sync().run().synced
    assert sorted(office.order) == list(range(1, 10))


def test_p8_one_mutation_that_no_server_takes_is_set_aside_and_seen(
    client: Client, office: Office
) -> None:
    visits = [routine(client) for _ in range(6)]
    poison = visits[3].encode()
    fails = on("/push", lambda r: problem(400, "bad_json") if poison in _raw(r) else None)
    office.before.append(fails)
    report = client.sync().run()
    assert office.order == [1, 2, 3, 5, 6]
    assert (report.synced, report.pending) == (False, 1)
    assert [need.code for need in report.needs_you] == ["bad_json"]
    office.before.clear()
    assert client.sync().run().synced


def test_p8_a_failing_server_is_not_mistaken_for_poison(client: Client, office: Office) -> None:
    for _ in range(4):
        routine(client)
    office.before.append(on("/push", lambda _r: problem(500, "internal")))
    for _ in range(2):
        before = office.requests.count(PUSH)
        report = client.sync().run()
        assert office.requests.count(PUSH) == before + 1
        assert (report.reason, report.needs_you) == ("internal", ())
    office.before.clear()
    assert client.sync().run().synced


def test_p8_a_mutation_that_makes_the_server_fail_stands_alone_after_three_tries(
    client: Client, office: Office
) -> None:
    visits = [routine(client) for _ in range(4)]
    poison = visits[1].encode()
    fails = on("/push", lambda r: problem(500, "internal") if poison in _raw(r) else None)
    office.before.append(fails)
    for _ in range(3):
        report = client.sync().run()
    assert office.order == [1, 3, 4]
    assert report.pending == 1
    assert client.outbox()[0].record == visits[1]


def test_urgent_facts_go_first_and_take_what_they_need_along(
    client: Client, office: Office
) -> None:
    plain = routine(client)
    customer = client.create("customer", {"name": "店"})
    client.create("incident", {"customer": customer, "what": "检查"})
    office.largest_push = 2
    client.sync().run()
    assert office.order == [2, 3, 1]
    assert plain


def test_an_urgent_edit_takes_earlier_edits_of_its_record_along(
    client: Client, office: Office
) -> None:
    routine(client)
    later_urgent = client.create("price_report", {"product": "二曲"})
    office.kinds = {"kinds": [{"name": "price_report", "lane": "urgent"}]}
    office.script[later_urgent.id] = lambda _m: {"retry": True, "after": 0}
    client.sync().run()
    client.patch(later_urgent.id, {"price": "12.50"})
    routine(client)
    office.largest_push = 2
    office.order.clear()
    office.mutations.clear()
    client.sync().run()
    assert office.order == [2, 3, 4]


def test_a_group_is_not_cut_between_batches(client: Client, office: Office) -> None:
    with client.group() as group:
        group.create("visit", {"purpose": "routine"})
        group.create("visit", {"purpose": "sale"})
    routine(client)
    with client._store.read() as transaction:
        items = _outbox.ready(transaction)
        cut = [[i.n for i in b] for b in _outbox.batches(items, most=2, most_bytes=10**6)]
        small = [[i.n for i in b] for b in _outbox.batches(items, most=9, most_bytes=10)]
        assert _outbox.acked_through(transaction) == 0
    assert cut == [[1, 2], [3]]
    assert small == [[1, 2], [3]]


def test_acked_through_never_passes_a_mutation_without_a_final_outcome(
    client: Client, office: Office
) -> None:
    pushed: list[int] = []
    office.before.append(on("/push", lambda r: pushed.append(json.loads(_raw(r))["acked_through"])))
    routine(client)
    waits = routine(client)
    routine(client)
    office.script[waits] = lambda _m: {"outcome": "waiting"}
    client.sync().run()
    client.sync().run()
    assert pushed == [0, 1]


def test_p6_after_a_restore_what_was_acknowledged_is_sent_again(
    client: Client, office: Office
) -> None:
    visit = routine(client, note="mine")
    photo = client.attach(visit, b"photo")
    office.pages = [{"items": [put(visit, {"purpose": "routine"}, version=5)]}]
    client.sync().run()
    office.epoch = "e-2"
    office.mutations.clear()
    office.order.clear()
    office.uploads.clear()
    office.snapshots = [{"items": [put(visit, {"purpose": "routine", "note": "mine"})]}]
    report = client.sync().run()
    assert report.synced
    assert office.order == [1, 2]
    assert client.get(visit).version == 1
    (upload,) = office.uploads.values()
    assert upload.content == client.original(photo.id)
    epochs = {mutation.ack["epoch"] for mutation in client.mutations() if mutation.ack}
    assert epochs == {"e-2"}


def test_p6_a_restore_in_the_middle_of_a_sync_settles_nothing_of_the_old_epoch(
    client: Client, office: Office
) -> None:
    routine(client)

    def restore(request: Request) -> None:
        if request.url.endswith("/push"):
            office.epoch = "e-2"

    office.before.append(restore)
    assert client.sync().run().synced
    assert client.mutations()[0].ack["epoch"] == "e-2"  # type: ignore[index]


def test_p6_a_restore_before_a_pull_sends_first_and_receives_after(
    client: Client, office: Office
) -> None:
    visit = routine(client)
    restored = put(visit, {"purpose": "routine"}, version=1)

    def restore(request: Request) -> None:
        if request.url.endswith("/pull") and office.epoch == "e-1":
            office.epoch, office.snapshots = "e-2", [{"items": [restored]}]

    office.before.append(restore)
    report = client.sync().run()
    assert report.synced
    assert client.mutations()[0].ack["epoch"] == "e-2"  # type: ignore[index]
    assert client.get(visit).epoch == "e-2"


def test_a_busy_server_is_left_alone_for_as_long_as_it_asks(
    client: Client, office: Office, device_clock: FixedClock
) -> None:
    routine(client)
    office.before.append(lambda _request: problem(503, "unavailable", **{"retry-after": "120"}))
    report = client.sync().run()
    assert (report.reason, report.retry_in_s >= 120) == ("server_busy", True)
    office.before.clear()
    asked = len(office.requests)
    assert client.sync().run().reason == "server_busy"
    assert len(office.requests) == asked
    device_clock.pass_time(report.retry_in_s)
    assert client.sync().run().synced


def test_a_person_who_syncs_does_not_wait_for_the_background_pace(
    client: Client, office: Office, open_client: Opener
) -> None:
    routine(client)
    office.before.append(lambda _request: _raise(OfflineError("no network")))
    for _ in range(5):
        client.sync().run()
    office.before.clear()
    waiting = client.status().retry_in_s
    assert waiting > 0
    assert open_client().status().retry_in_s == waiting
    assert client.sync(background=True).run().reason == "not_due"
    assert client.sync().run().synced


def test_the_queue_is_a_person_readable_list(client: Client, open_client: Opener) -> None:
    visit = client.create("visit", {"purpose": "routine"})
    client.attach(visit, b"photo")
    mutation, photo_record, upload = client.outbox()
    assert (mutation.state, mutation.reason) == ("ready", "waits for the next sync")
    assert (upload.what, upload.state, upload.bytes_total) == ("upload", "held", 5)
    assert photo_record.kind == "photo"
    chinese = open_client(language="zh-CN").outbox()
    assert chinese[0].reason == "等待下次同步"


def test_a_copied_store_that_may_not_go_on_anew_is_reported(client: Client, office: Office) -> None:
    visit = routine(client)
    office.script[visit] = lambda _m: {"outcome": "applied", "version": 1, "fork": True}
    office.before.append(on("/enrol", lambda _request: problem(403, "forbidden")))
    report = client.sync().run()
    assert [need.code for need in report.needs_you] == ["store_copied"]
    assert not report.synced


def _raw(request: Request) -> bytes:
    zipped = request.headers.get("Content-Encoding") == "gzip"
    return gzip.decompress(request.body) if zipped else request.body


def _raise(error: Exception) -> None:
    raise error


def test_p2_a_web_page_that_reads_like_an_answer_is_still_a_web_page(
    client: Client, office: Office
) -> None:
    routine(client)
    page = Response(status=200, headers={"content-type": "text/html"}, body=WELL_FORMED)
    office.before.append(on("/push", lambda _request: page))
    assert client.sync().run().reason == "portal"


def test_an_urgent_change_takes_along_what_it_is_ordered_behind(
    client: Client, office: Office
) -> None:
    plain, first = routine(client), routine(client)
    (ordered,) = client.mutations(first)
    client.create("incident", {"what": "检查"}, after=ordered.id)
    office.largest_push = 2
    client.sync().run()
    assert office.order == [2, 3, 1]
    assert plain
