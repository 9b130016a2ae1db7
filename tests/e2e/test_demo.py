"""The demonstration: it loses nothing, and its count sees it where something is lost."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests
from sqlalchemy import delete, select

from fieldstamp import Client
from server.app import create_app
from server.db import transaction
from server.demo.folder import MARKER, read_crew
from server.extensions import db
from server.settings import load
from server.sync.tables import Feed, Record, RecordVersion
from tests.live import free_port

COMMAND = [sys.executable, "-m", "server.cli"]
ENVIRONMENT = {**os.environ, "LANG": "en_GB.UTF-8"}
PATIENCE_SECONDS = 900


def call(*arguments: str) -> tuple[int, str]:
    """Status and output of a command of the server."""
    done = subprocess.run(
        [*COMMAND, *arguments],
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    return done.returncode, done.stdout.decode()


def summary(output: str) -> dict[str, Any]:
    """The last line."""
    said: dict[str, Any] = json.loads(output.splitlines()[-1])
    return said


def read_until(process: "subprocess.Popen[str]", last: str) -> str:
    """What a process writes up to the line ``last``, or up to its end."""
    said = ""
    while not said.endswith(last) and (line := process.stdout.readline()):
        said += line
    return said


@contextmanager
def running_demo(folder: Path) -> Iterator[tuple[str, "subprocess.Popen[str]"]]:
    """A demonstration that stays up: its address and its process."""
    with started("--data", str(folder), "--visits", "1") as process:
        try:
            said = read_until(process, "Press Ctrl-C to end.\n")
            address = re.search(r"http://127\.0\.0\.1:\d+", said)
            assert address is not None, said
            yield address[0], process
        finally:
            process.send_signal(signal.SIGTERM)


def started(*options: str) -> "subprocess.Popen[str]":
    """A demonstration that can be spoken to."""
    command = [*COMMAND, "demo", "--port", str(free_port()), *options]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, env=ENVIRONMENT, stdin=pipe, stdout=pipe, text=True)


def remove_record(folder: Path, kind: str) -> str:
    """Takes every row of one record away, behind the server's back; its id."""
    app = create_app(load({}, data=folder / "server"))
    with app.app_context():
        store = db.session()
        with transaction(store):
            record = store.scalars(select(Record).where(Record.kind == kind)).first()
            assert record is not None
            for table in (Feed, RecordVersion):
                store.execute(delete(table).where(table.record == record.key))
            removed = record.id
            store.delete(record)
        db.session.remove()
        db.engine.dispose()
    return removed


def remove_original(folder: Path) -> str:
    """Deletes the file of one original, behind the server's back; the id of its photo."""
    with Client(read_crew(folder).devices[0].store) as device:
        photo = device.records("photo")[0]
    sha256 = photo["sha256"]
    (folder / "server" / "blobs" / sha256[:2] / sha256[2:4] / sha256).unlink()
    return photo.id


def flags(device: Client, kind: str) -> set[str]:
    """The remarks on the records of a kind that a device holds."""
    return {flag for record in device.records(kind) for flag in record.get("flags", ())}


def test_p6_the_demonstration_loses_nothing_and_says_so_in_one_line(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    port = str(free_port())
    status, output = call("demo", "--exit", "--port", port, "--visits", "2", "--data", str(folder))
    assert status == 0, output
    said = summary(output)
    assert (said["devices"], said["lost"], said["names_of_lost"]) == (3, 0, [])
    assert (said["conflicts"], said["rejected"], said["waiting"]) == (1, 1, 0)
    assert said["mutations"] >= 40
    assert said["photos_verified"] >= 15
    assert 0 < said["seconds"] < PATIENCE_SECONDS
    crew = {device.username: device.store for device in read_crew(folder).devices}
    with Client(crew["rep"]) as device:
        assert ("far" in flags(device, "visit"), "gallery" in flags(device, "photo")) == (
            True,
            True,
        )
        cases = device.records("cross_region_case")
        for case in cases:
            signed = ["affected_dealer", "region_manager"]
            assert (case["signed_by"], case["missing_tags"]) == (signed, [])
        assert [case.get("verdict") for case in cases] == ["accepted", None]
        assert any(visit.get("verdict") for visit in device.records("visit"))
    with Client(crew["rep_guangzhou"]) as device:
        (parked,) = device.records("parked")
        assert parked["wrong"] == {"region": "region"}
    with Client(crew["rep_nanjing"]) as device:
        (conflict,) = device.records("conflict")
        assert conflict["fields"] == ["phone"]


def test_p6_exit_fails_and_names_a_removed_record_and_a_removed_original(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    with started("--exit", "--pause", "--data", str(folder), "--visits", "1") as process:
        read_until(process, "Press Enter to count.\n")
        record, photo = remove_record(folder, "visit_report"), remove_original(folder)
        output, _ = process.communicate("\n", timeout=PATIENCE_SECONDS)
    assert process.returncode == 1
    assert summary(output)["lost"] == 2, output
    names = " ".join(summary(output)["names_of_lost"])
    assert record in names
    assert f"original {photo}" in names


def test_a_demonstration_that_stays_is_counted_again_and_leaves_nothing_behind(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "demo"
    with running_demo(folder) as (address, process):
        status, output = call("demo-count", "--data", str(folder), "--server", address)
        assert (status, summary(output)["lost"]) == (0, 0), output
        again, said = call("demo", "--data", str(folder))
        assert again == 1
        assert "already runs" in said
    assert process.returncode == 0
    with pytest.raises(requests.ConnectionError):
        requests.get(f"{address}/healthz", timeout=60)


def test_a_folder_of_anything_else_is_refused_and_not_touched(tmp_path: Path) -> None:
    kept = tmp_path / "server" / "fieldstamp.sqlite"
    kept.parent.mkdir()
    kept.write_bytes(b"somebody's work")
    status, said = call("demo", "--exit", "--data", str(tmp_path))
    assert status == 1
    assert "nothing in it was touched" in said
    assert kept.read_bytes() == b"somebody's work"
    assert not (tmp_path / MARKER).exists()
