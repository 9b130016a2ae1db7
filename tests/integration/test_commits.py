"""P3, P4, M1: what becomes of a request whose commit fails, or comes late."""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event, func, select
from sqlalchemy.orm import Session as Store

from server.db import sqlite
from server.extensions import db
from server.sync.tables import MutationRow
from tests.company import Company
from tests.phone import Phone, customer
from tests.pictures import draw
from tests.until import LIMIT_SECONDS
from tests.uploads import Carrier, carriers, sha256_of

CONTENT = draw()


@contextmanager
def failing_commit(number: int = 1) -> Iterator[None]:
    """The commit of that number, and all behind it, find the disk out of order."""
    left = [number]

    def fail(_connection: object) -> None:
        left[0] -= 1
        if left[0] <= 0:
            raise sqlite.OperationalError("disk I/O error")

    event.listen(db.engine, "commit", fail)
    try:
        yield
    finally:
        event.remove(db.engine, "commit", fail)


def test_p3_what_could_not_be_committed_is_not_answered_as_done(
    client: FlaskClient, company: Company, store: Store
) -> None:
    phone = Phone(client, company.rep())
    made = phone.create("customer", customer())
    with failing_commit():
        assert phone.send(made).status_code == 503
    store.rollback()
    assert store.scalar(select(func.count()).select_from(MutationRow)) == 0
    [result] = phone.push(made)
    assert (result["outcome"], "replay" in result) == ("applied", False)


@pytest.mark.parametrize("number", [1, 2, 3, 4])
@pytest.mark.parametrize("come", [0, 100], ids=["whole", "the rest"])
def test_m1_a_commit_that_fails_costs_an_upload_no_byte(app: Flask, number: int, come: int) -> None:
    [rep] = carriers(app)
    url = rep.begin(rep.declare(CONTENT), len(CONTENT))
    if come:
        assert rep.patch(url, 0, CONTENT[:come]).status_code == 204
    with app.app_context(), failing_commit(number):
        rep.patch(url, come, CONTENT[come:])
    assert rep.head(url).status_code == 200
    assert finished(rep, url) == "verified"
    assert len(rep.have(sha256_of(CONTENT))) == 1


def finished(rep: Carrier, url: str) -> str:
    """The state of an upload that goes on where the server has it."""
    offset = int(rep.head(url).headers["Upload-Offset"])
    return rep.patch(url, offset, CONTENT[offset:]).headers["Upload-State"]


def test_m1_bytes_reach_the_disk_before_the_offset_that_counts_them(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    [rep] = carriers(app)
    url = rep.begin(rep.declare(CONTENT), len(CONTENT))
    happened: list[str] = []

    def flush(descriptor: int, really: Callable[[int], None] = os.fsync) -> None:
        really(descriptor)
        if Path(f"/proc/self/fd/{descriptor}").resolve().suffix == ".part":
            happened.append(f"flushed {os.fstat(descriptor).st_size}")

    def write(*given: Any) -> None:
        if given[2].startswith("UPDATE upload") and "received=" in given[2]:
            happened.append("offset")

    monkeypatch.setattr(os, "fsync", flush)
    with app.app_context():
        event.listen(db.engine, "before_cursor_execute", write)
        for start in range(0, 3000, 1000):
            rep.patch(url, start, CONTENT[start : start + 1000])
        event.remove(db.engine, "before_cursor_execute", write)
    assert happened == [
        "flushed 1000",
        "offset",
        "flushed 2000",
        "offset",
        "flushed 3000",
        "offset",
    ]


@pytest.mark.parametrize("store_url", ["postgresql"], indirect=True)
def test_p4_a_change_that_commits_late_comes_behind_the_cursor_that_was_handed_out(
    app: Flask, company: Company
) -> None:
    slow, quick = (Phone(app.test_client(), company.rep()) for _ in range(2))
    reader = Phone(app.test_client(), company.manager())
    for phone in (slow, quick):  # the scopes are there, so that neither waits for the other
        phone.push(phone.create("customer", customer()))
    begin = reader.pull()["cursor"]
    late, early = slow.create("customer", customer()), quick.create("customer", customer())
    begun, may_commit = threading.Event(), threading.Event()

    def wait(connection: object) -> None:
        if threading.current_thread() is writer and not begun.is_set():
            begun.set()
            assert may_commit.wait(LIMIT_SECONDS)

    writer = threading.Thread(target=slow.push, args=(late,))
    event.listen(db.engine, "commit", wait)
    try:
        writer.start()
        assert begun.wait(LIMIT_SECONDS)
        quick.push(early)
        page = reader.pull(begin)
    finally:
        may_commit.set()
        writer.join()
        event.remove(db.engine, "commit", wait)
    assert [item["record"] for item in page["items"]] == [early["record"]]
    behind = reader.pull(page["cursor"])["items"]
    assert [item["record"] for item in behind] == [late["record"]]
