"""Deliveries: signed, retried, given up, replayed; and no receiver in another one's way."""

import base64
import hashlib
import hmac
import re
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from server.db import transaction
from server.errors import Problem
from server.outward import delivering, hooks, signing
from server.outward.backoff import LONGEST, next_try
from server.outward.tables import Delivery, Hook
from server.work.rounds import run_pending
from tests.meta.source import ROOT
from tests.outward.receivers import Receiver
from tests.outward.site import Site
from tests.stores import copy_of, put_back, start_again

on_sqlite = pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)

NOW = datetime(2026, 3, 2, tzinfo=UTC)
DAY = timedelta(hours=24)


def is_signed(secret: str, headers: dict[str, str], body: str) -> bool:
    """What a receiver checks, written from the specification of Standard Webhooks."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    content = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.{body}"
    expected = base64.b64encode(hmac.new(key, content.encode(), hashlib.sha256).digest()).decode()
    return f"v1,{expected}" in headers["webhook-signature"].split()


def test_the_signature_is_that_of_the_published_example() -> None:
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    said = signing.sign(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, '{"test": 2432232314}')
    assert said == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_a_receiver_that_copies_the_documented_check_knows_who_sent_what_and_when() -> None:
    page = (ROOT / "docs" / "events.md").read_text("utf-8")
    (written,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    known: dict[str, Any] = {}
    exec(written, known)
    secret, now = signing.write_secret(b"k" * signing.SECRET_BYTES), int(time.time())
    for stamp, body, genuine in ((now, "酒", True), (now, "茶", False), (now - 400, "酒", False)):
        headers = {
            "webhook-id": "evt_1",
            "webhook-timestamp": str(stamp),
            "webhook-signature": signing.sign(secret, "evt_1", stamp, "酒"),
        }
        assert known["is_genuine"](secret, headers, body.encode()) is genuine


@on_sqlite
def test_attack_25_a_receiver_can_prove_body_id_and_time(site: Site, receiver: Receiver) -> None:
    added = site.hook(receiver)
    site.receipt()
    site.work()
    (got,) = receiver.got
    assert is_signed(added.secret, got.headers, got.body)
    assert not is_signed(added.secret, got.headers, got.body + " ")
    assert int(got.headers["webhook-timestamp"]) == int(site.clock.now().timestamp())
    later = {**got.headers, "webhook-timestamp": "1"}
    assert not is_signed(added.secret, later, got.body)


@on_sqlite
def test_a_retry_is_signed_anew_under_the_same_id(site: Site, receiver: Receiver) -> None:
    added = site.hook(receiver)
    receiver.answers = [500]
    site.receipt()
    site.work()
    site.after(minutes=1)
    first, again = receiver.got
    assert first.headers["webhook-id"] == again.headers["webhook-id"]
    assert first.headers["webhook-timestamp"] != again.headers["webhook-timestamp"]
    assert is_signed(added.secret, again.headers, again.body)


@on_sqlite
def test_p8_a_retry_does_not_wait_for_a_clock_that_was_set_back(
    site: Site, receiver: Receiver
) -> None:
    site.hook(receiver)
    receiver.answers = [500]
    site.receipt()
    site.work()
    site.clock.moment -= timedelta(hours=10)
    site.work()
    first, again = receiver.got
    assert first.headers["webhook-id"] == again.headers["webhook-id"]


def test_p8_a_hook_that_is_removed_when_its_turn_comes_breaks_no_round(site: Site) -> None:
    delivering._start(site.store, site.outward, "removed")
    assert site.outward.flying == {}


@on_sqlite
def test_the_secret_and_the_token_are_not_readable_in_the_store(
    site: Site, receiver: Receiver
) -> None:
    added = site.hook(receiver)
    hook = site.store.get_one(Hook, added.id)
    stored = " ".join([hook.secret, hook.token_hash])
    assert added.secret not in stored
    assert added.token not in stored


@on_sqlite
@pytest.mark.parametrize("status", [307, 404, 503])
def test_anything_but_2xx_is_tried_again_and_a_redirect_is_not_followed(
    site: Site, receiver: Receiver, second: Receiver, status: int
) -> None:
    site.hook(receiver)
    receiver.answers, receiver.headers = [status], {"Location": second.url}
    site.receipt()
    site.work()
    assert [hook.last for hook in site.hooks] == [str(status)]
    assert [hook.waiting for hook in site.hooks] == [1]
    site.after(minutes=1)
    assert (len(receiver.got), second.got) == (2, [])
    assert [hook.waiting for hook in site.hooks] == [0]


@on_sqlite
def test_410_stops_a_hook_and_only_that_one(
    site: Site, receiver: Receiver, second: Receiver
) -> None:
    site.hook(receiver)
    site.hook(second)
    receiver.answers = [410]
    for _ in range(3):
        site.receipt()
    site.work()
    site.after(days=2)
    first, other = site.hooks
    assert first.stopped_at is not None
    assert (len(receiver.got), first.waiting, first.given_up) == (1, 0, 3)
    assert other.stopped_at is None
    assert len(set(second.ids)) == 3 + second.types.count("deadline.warned")


@on_sqlite
def test_what_nobody_takes_is_tried_for_24_hours_and_then_given_up(
    site: Site, receiver: Receiver
) -> None:
    site.hook(receiver, types=["case.created"])
    receiver.answers = [500] * 1000
    site.receipt()
    start = site.clock.now()
    site.work()
    while site.hooks[0].waiting:
        delivery = site.store.scalars(select(Delivery)).one()
        site.clock.moment = delivery.next_at
        site.store.rollback()
        site.work()
    assert site.clock.now() == start + DAY
    assert site.hooks[0].given_up == 1
    assert 24 <= len(receiver.got) <= 200
    assert len(set(receiver.ids)) == 1


@given(
    tries=st.integers(0, 500), draw=st.floats(0, 1, exclude_max=True), late=st.integers(0, 90000)
)
def test_a_retry_comes_within_an_hour_and_never_after_the_end(
    tries: int, draw: float, late: int
) -> None:
    now = NOW + timedelta(seconds=late)
    again = next_try(now, tries=tries, expires_at=NOW + DAY, draw=draw)
    if now >= NOW + DAY:
        assert again is None
    else:
        assert again is not None
        assert now < again <= min(now + LONGEST, NOW + DAY)


@on_sqlite
def test_p8_an_event_that_a_receiver_cannot_take_holds_up_no_other(
    site: Site, receiver: Receiver
) -> None:
    site.hook(receiver, types=["case.created"])
    receiver.answers = [500]
    records = [site.receipt() for _ in range(3)]
    site.work()
    assert len(receiver.got) == 1
    site.after(seconds=10)
    site.after(minutes=1)
    assert {one.event["data"]["record"] for one in receiver.got} == set(records)


@on_sqlite
def test_p8_a_receiver_that_is_silent_holds_up_neither_another_one_nor_the_worker(
    site: Site, receiver: Receiver, second: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The silent one is met again in a later round, and is not spoken to twice meanwhile."""
    monkeypatch.setattr(delivering, "PATIENCE_SECONDS", 0.2)
    site.hook(receiver)
    site.hook(second)
    receiver.gate.clear()
    site.receipt()
    run_pending(site.app)
    receiver.wait_for_one()
    site.receipt()
    run_pending(site.app)
    second.wait_for_one()
    second.wait_for_one()
    assert len(second.got) == 2
    assert len(receiver.got) == 1
    receiver.gate.set()
    site.after(seconds=10)
    assert len(set(receiver.ids)) == 2
    assert [hook.waiting for hook in site.hooks] == [0, 0]


@on_sqlite
def test_a_hook_gets_the_types_and_kinds_that_it_asked_for(
    site: Site, receiver: Receiver, second: Receiver
) -> None:
    site.hook(receiver, types=["case.decided"])
    site.hook(second, kinds=["visit"])
    site.decide(site.receipt())
    site.after(minutes=1)
    assert receiver.types == ["case.decided"]
    assert second.got == []


@on_sqlite
def test_a_type_or_kind_that_does_not_exist_is_refused(site: Site, receiver: Receiver) -> None:
    with pytest.raises(Problem) as refused:
        site.hook(receiver, types=["case.eaten"], kinds=["unicorn"])
    assert refused.value.fields == {"type": "choice", "kind": "choice"}


@on_sqlite
def test_a_replay_sends_all_again_under_the_same_ids_and_starts_a_stopped_hook(
    site: Site, receiver: Receiver
) -> None:
    added = site.hook(receiver, types=["case.created"])
    receiver.answers = [200, 410]
    for _ in range(4):
        site.receipt()
    site.work()
    assert len(receiver.got) == 2
    with transaction(site.store):
        assert hooks.replay(site.store, site.outward, added.id, after=0) == 4
    site.work()
    assert len(receiver.got) == 6
    assert len(set(receiver.ids)) == 4
    with transaction(site.store):
        assert hooks.replay(site.store, site.outward, added.id, after=3) == 1
    site.work()
    assert receiver.ids[-1] == receiver.ids[-2]


@on_sqlite
def test_a_hook_that_comes_later_can_be_given_what_was_before(
    site: Site, receiver: Receiver
) -> None:
    site.receipt()
    site.work()
    added = site.hook(receiver)
    site.work()
    assert receiver.got == []
    with transaction(site.store):
        hooks.replay(site.store, site.outward, added.id, after=0)
    site.work()
    assert receiver.types == ["case.created"]


@on_sqlite
def test_a_removed_hook_hears_nothing_more(site: Site, receiver: Receiver) -> None:
    added = site.hook(receiver)
    receiver.answers = [500]
    site.receipt()
    site.work()
    with transaction(site.store):
        hooks.remove_hook(site.store, site.outward, added.id)
    site.after(days=1)
    assert (len(receiver.got), site.hooks) == (1, [])


@on_sqlite
def test_events_are_read_by_cursor_with_the_token_of_the_hook(
    app: Flask, site: Site, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("server.outward.queries.PAGE", 2)
    added = site.hook(receiver, types=["case.created"])
    records = [site.receipt() for _ in range(5)]
    site.decide(records[0])
    site.after(minutes=1)
    client, seen, cursor = app.test_client(), list[str](), ""
    for _page in range(20):
        answer = client.get(
            "/v1/events",
            query_string={"after": cursor} if cursor else {},
            headers={"Authorization": f"Bearer {added.token}"},
        )
        assert answer.status_code == 200
        page = answer.get_json()
        seen += [event["data"]["record"] for event in page["events"]]
        cursor = page["cursor"]
        if not page["more"]:
            break
    assert sorted(seen) == sorted(records)
    assert page["events"] == [] or len(seen) == 5


@on_sqlite
def test_events_are_for_nobody_without_a_token(app: Flask) -> None:
    for token in ("", "Bearer ", "Bearer nonsense", "Basic abc"):
        answer = app.test_client().get("/v1/events", headers={"Authorization": token})
        assert answer.status_code == 401


@on_sqlite
def test_p1_a_cursor_of_another_epoch_begins_at_the_oldest_event(
    app: Flask, site: Site, receiver: Receiver
) -> None:
    """After a restore numbers are given anew: nothing may be skipped by an old one."""
    added = site.hook(receiver)
    site.receipt()
    site.work()
    client = app.test_client()
    headers = {"Authorization": f"Bearer {added.token}"}
    for cursor in ("e-before.9", "nonsense", f"{'9' * 400}.{'9' * 400}"):
        answer = client.get("/v1/events", query_string={"after": cursor}, headers=headers)
        assert len(answer.get_json()["events"]) == 1


@on_sqlite
def test_a_hook_is_kept_outside_the_database_like_everything_that_no_device_holds(
    site: Site, receiver: Receiver
) -> None:
    added = site.hook(receiver)
    journal = site.company.services.settings.data / "journal.jsonl"
    assert added.id in journal.read_text()
    assert added.secret not in journal.read_text()


@on_sqlite
def test_p6_hooks_that_came_and_went_after_a_backup_come_and_go_with_its_journal(
    app: Flask, site: Site, receiver: Receiver, second: Receiver
) -> None:
    gone = site.hook(receiver)
    receiver.answers = [500]
    site.receipt()
    site.work()
    copy = copy_of(app, "copy.sqlite")
    with transaction(site.store):
        hooks.remove_hook(site.store, site.outward, gone.id)
    kept = site.hook(second)
    put_back(app, copy)
    start_again(app)
    assert [hook.id for hook in site.hooks] == [kept.id]
