"""What is saved is on the disk: real processes, killed at any moment, and full disks."""

import errno
import os
import random
import signal
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from fieldstamp import Client, StorageFullError, StoreBusyError, StoreTooNewError
from fieldstamp._seal import FIRST, digest
from fieldstamp._store import Store, journal_mode
from fieldstamp._system import SystemDisk
from tests.sdk.conftest import Opener

ROOT = Path(__file__).parents[2]


def save_until_killed(path: Path, seed: int, saved: int, after_s: float) -> list[tuple[str, str]]:
    """Ids that a process said it had saved before SIGKILL ended it.

    That comes some moments after it has ``saved`` so many times.
    """
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.sdk.saver", str(path), str(seed)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "open\n"
    said = [process.stdout.readline().split() for _ in range(saved)]
    killer = threading.Timer(after_s, os.kill, (process.pid, signal.SIGKILL))
    killer.start()
    said += [line.split() for line in process.stdout if line.endswith("\n")]
    assert process.wait() == -signal.SIGKILL
    process.stdout.close()
    killer.join()
    return [(visit, photo) for visit, photo in said]


def assert_one_unbroken_chain(client: Client) -> None:
    prev = FIRST
    for place, mutation in enumerate(client.mutations(), start=1):
        assert (mutation.n, mutation.prev) == (place, prev)
        prev = digest(mutation.body, prev)
        assert mutation.digest == prev


def test_p6_nothing_saved_is_lost_when_the_process_is_killed_at_any_moment(
    tmp_path: Path, open_client: Opener
) -> None:
    chance = random.Random(20261122)
    said: list[tuple[str, str]] = []
    for seed in range(1, 7):
        saved, after_s = chance.randrange(20), chance.uniform(0.0, 0.05)
        said += save_until_killed(tmp_path / "field.db", seed, saved, after_s)
    assert said
    client = open_client()
    for visit, photo in said:
        assert client.get(visit)["note"].startswith("note")
        assert client.original(photo).startswith(b"photo")
    for record in client.records("photo"):
        assert len(client.original(record.id)) == record["bytes"]
    assert_one_unbroken_chain(client)


def test_p6_processes_that_save_at_once_share_one_chain(
    tmp_path: Path, open_client: Opener
) -> None:
    client = open_client()
    client.enrol("CODE")
    path = tmp_path / "field.db"
    runs = [
        threading.Thread(target=save_until_killed, args=(path, seed, 20, 0.0))
        for seed in range(1, 4)
    ]
    for run in runs:
        run.start()
    for run in runs:
        run.join()
    assert len(client.mutations()) >= 3 * 2 * 20
    assert_one_unbroken_chain(client)


def save_many(client: Client) -> None:
    for number in range(1000):
        client.create("visit", {"purpose": "routine", "note": "x" * 1000 + str(number)})


def test_a_full_disk_is_said_plainly_and_saves_nothing_by_halves(
    client: Client, tmp_path: Path
) -> None:
    kept = client.create("visit", {"purpose": "routine"})
    connection = client._store._connection
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    connection.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(StorageFullError, match="no space"):
        save_many(client)
    assert_one_unbroken_chain(client)
    connection.execute("PRAGMA max_page_count = 1000000")
    assert client.get(kept.id)["purpose"] == "routine"
    assert client.create("visit", {"purpose": "sale"}).pending


class FullDisk(SystemDisk):
    def write_new(self, path: Path, content: bytes) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")


def test_a_photo_without_space_leaves_no_record_without_bytes(open_client: Opener) -> None:
    client = open_client(disk=FullDisk())
    client.enrol("CODE")
    visit = client.create("visit", {"purpose": "routine"})
    with pytest.raises(StorageFullError):
        client.attach(visit, b"photo")
    assert client.records("photo") == []


def test_m3_bytes_that_are_here_are_never_overwritten(client: Client, tmp_path: Path) -> None:
    visit = client.create("visit", {"purpose": "routine"})
    first = client.attach(visit, b"the same photo")
    (blob,) = [path for path in (tmp_path / "field.db.blobs").rglob("*") if path.is_file()]
    written = blob.stat().st_ino, blob.stat().st_mtime_ns
    second = client.attach(visit, b"the same photo")
    assert (blob.stat().st_ino, blob.stat().st_mtime_ns) == written
    assert client.original(first.id) == client.original(second.id) == b"the same photo"


def test_m3_publishing_never_overwrites_a_file_that_another_process_made(tmp_path: Path) -> None:
    disk = SystemDisk()
    final, part = tmp_path / "final", tmp_path / "final.part"
    disk.write_new(final, b"first")
    disk.write_new(part, b"second")
    disk.publish(part, final)
    assert final.read_bytes() == b"first"
    assert not part.exists()


def test_a_store_of_a_newer_version_is_left_alone(open_client: Opener, tmp_path: Path) -> None:
    open_client().close()
    with sqlite3.connect(tmp_path / "field.db") as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(StoreTooNewError):
        open_client()


def test_only_one_process_syncs_a_store_and_others_still_save(
    client: Client, open_client: Opener
) -> None:
    other = open_client()
    with client._store.syncing():
        report = other.sync().run()
        assert report.reason == "store_busy"
        assert not report.synced
        assert other.create("visit", {"purpose": "routine"}).pending
    assert other.sync().run().synced


@pytest.mark.parametrize(
    ("version", "mode"),
    [
        ("3.40.1", "TRUNCATE"),
        ("3.44.5", "TRUNCATE"),
        ("3.44.6", "WAL"),
        ("3.45.0", "TRUNCATE"),
        ("3.50.6", "TRUNCATE"),
        ("3.50.7", "WAL"),
        ("3.51.2", "TRUNCATE"),
        ("3.51.3", "WAL"),
        ("3.52.0", "WAL"),
    ],
)
def test_write_ahead_logging_is_used_only_where_it_is_sound(version: str, mode: str) -> None:
    assert journal_mode(version) == mode


def test_each_commit_is_flushed_to_the_disk(client: Client) -> None:
    connection = client._store._connection
    assert connection.execute("PRAGMA synchronous").fetchone() == (2,)
    assert connection.execute("PRAGMA foreign_keys").fetchone() == (1,)
    expected = journal_mode(sqlite3.sqlite_version).lower()
    assert connection.execute("PRAGMA journal_mode").fetchone() == (expected,)


def test_saving_looks_at_no_more_with_ten_thousand_in_the_outbox(client: Client) -> None:
    visit = client.create("visit", {"purpose": "routine"})
    alone = work_of_a_save(client, visit.id, note="alone")
    for _ in range(100):
        with client.group() as group:
            for number in range(100):
                group.create("visit", {"purpose": "routine", "note": str(number)})
    assert work_of_a_save(client, visit.id, note="in a crowd") <= alone + 5


def work_of_a_save(client: Client, record: str, *, note: str) -> int:
    """What SQLite does for one edit, in hundreds of the instructions of its machine."""
    steps = 0

    def count() -> None:
        nonlocal steps
        steps += 1

    client._store._connection.set_progress_handler(count, 100)
    client.patch(record, {"note": note})
    client._store._connection.set_progress_handler(None, 0)
    return steps


def test_a_store_in_use_elsewhere_is_told_as_busy(client: Client, tmp_path: Path) -> None:
    client._store._connection.execute("PRAGMA busy_timeout = 10")
    blocker = sqlite3.connect(tmp_path / "field.db", isolation_level=None)
    blocker.execute("BEGIN EXCLUSIVE")
    with pytest.raises(StoreBusyError):
        client.create("visit", {"purpose": "routine"})
    blocker.execute("ROLLBACK")
    blocker.close()
    assert client.create("visit", {"purpose": "routine"}).pending


def test_what_was_made_of_a_text_is_made_anew_where_another_program_kept_another(
    tmp_path: Path,
) -> None:
    mine, theirs = Store(tmp_path / "field.db"), Store(tmp_path / "field.db")
    made = []
    for tag, text in (("1", "old"), ("2", "new")):
        with theirs.write() as writing:
            writing.keep("text", text)
            writing.keep("tag", tag)
        for _ in range(2):
            with mine.read() as reading:
                made.append(reading.made_of("text", "tag", lambda text: [text]))
    mine.close()
    theirs.close()
    assert made == [['"old"'], ['"old"'], ['"new"'], ['"new"']]
    assert made[0] is made[1]
