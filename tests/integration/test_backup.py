"""A backup is whole, made while the server works, and restored in a new epoch. Both databases."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, has_app_context
from flask.testing import FlaskClient
from sqlalchemy import func, select
from sqlalchemy.engine import make_url

from server.app import create_app, open_store
from server.extensions import db
from server.ids import IdMaker
from server.services import Services
from server.settings import Settings
from server.sync.epochs import current_epoch
from server.sync.tables import MutationRow, Record
from server.upkeep import backup, manifest, restore
from server.upkeep.manifest import BackupFault, Manifest
from tests.company import Company, FixedClock
from tests.domain.desk import Desk
from tests.domain.records import visit
from tests.phone import Phone, customer
from tests.pictures import draw
from tests.stores import close, file_of, settings_of
from tests.until import until
from tests.uploads import Carrier, carriers, sha256_of

PHOTO = draw(300, 200)
OTHER = draw(200, 300)


@pytest.fixture
def phone(client: FlaskClient, company: Company) -> Phone:
    """A rep's phone in Shanghai."""
    return Phone(client, company.rep())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the backup goes."""
    return tmp_path / "backup"


def make(app: Flask, folder: Path) -> Manifest:
    """A backup of ``app``."""
    services: Services = app.extensions["fieldstamp"]
    with app.app_context():
        return backup.create(db.engine, services.settings, services.clock, folder)


def put_back(app: Flask, folder: Path, *, replace: bool = True) -> None:
    """Restores over ``app`` and opens the store, as the command does."""
    services: Services = app.extensions["fieldstamp"]
    if has_app_context():
        db.session.remove()
    with app.app_context():
        close(app)
    kept = restore.restored(services.settings, services.clock, folder, replace=replace)
    with kept:
        open_store(app)


@pytest.fixture
def elsewhere(tmp_path: Path, store_url: str, app: Flask) -> Iterator[Settings]:
    """Settings of another machine with an empty database of the same sort."""
    data = tmp_path / "elsewhere"
    url = make_url(store_url)
    if url.get_backend_name() == "sqlite":
        yield settings_of(app).__class__(data=data, origins=settings_of(app).origins)
        return
    name = f"{url.database}_other"
    with app.app_context():
        run(app, f"CREATE DATABASE {name}")
        other = url.set(database=name).render_as_string(hide_password=False)
        yield Settings(data=data, database=other, origins=settings_of(app).origins)
        close(app)
        run(app, f"DROP DATABASE {name} WITH (FORCE)")


def run(app: Flask, statement: str) -> None:
    """One statement outside any transaction."""
    with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql(statement)


def restored_at(settings: Settings, clock: FixedClock, folder: Path) -> Flask:
    """The server of another machine after a restore."""
    with restore.restored(settings, clock, folder, replace=False):
        app = create_app(settings, clock=clock, ids=IdMaker(clock), restoring=True)
        open_store(app)
    return app


def test_p6_a_backup_on_an_empty_machine_brings_everything_back(
    app: Flask, company: Company, clock: FixedClock, folder: Path, elsewhere: Settings
) -> None:
    rep = carriers(app)[0]
    photo = rep.declare(PHOTO)
    rep.send(photo, PHOTO)
    made = make(app, folder)
    running = current_epoch(company.store)
    fresh = restored_at(elsewhere, clock, folder)
    again = Carrier(fresh.test_client(), rep.device, rep.new_id)
    assert again.read(photo).data == PHOTO
    [acknowledged] = again.have(sha256_of(PHOTO))
    assert acknowledged["photo"] == photo
    assert acknowledged["epoch"] != running == made.epoch
    with fresh.app_context():
        counted = select(func.count()).select_from(Record)
        assert db.session.scalar(counted) == made.counts["record"] == 2
        close(fresh)


def test_p1_a_restored_server_begins_a_new_epoch_and_numbers_on(
    app: Flask, phone: Phone, folder: Path
) -> None:
    made = phone.create("customer", customer())
    phone.push(made)
    cursor = phone.pull()["cursor"]
    make(app, folder)
    lost = phone.create("customer", customer(name="lost"))
    phone.push(lost)
    put_back(app, folder)
    assert phone.pull(cursor)["resync_required"] == "epoch_changed"
    assert [item["record"] for item in phone.pull_all()] == [made["record"]]
    [told] = phone.push(lost)
    assert (told["outcome"], told["version"], "replay" in told) == ("applied", 1, False)
    assert len(phone.pull_all()) == 2


def test_p6_what_devices_still_hold_comes_again_and_what_the_restore_kept_is_known(
    app: Flask, phone: Phone, folder: Path
) -> None:
    made = [phone.create("customer", customer(name=str(n))) for n in range(40)]
    phone.push(*made[:38])
    make(app, folder)
    edit = phone.patch(made[0], 1, {"phone": "5"})
    phone.push(*made[38:], edit)
    before = {item["record"]: item["hash"] for item in phone.pull_all()}
    put_back(app, folder)
    told = phone.push(*made, edit)
    assert [one["outcome"] for one in told] == ["applied"] * 41
    assert [bool(one.get("replay")) for one in told] == [True] * 38 + [False] * 3
    assert {item["record"]: item["hash"] for item in phone.pull_all()} == before


def test_p6_the_store_that_was_replaced_is_kept(
    app: Flask, phone: Phone, folder: Path, store_url: str
) -> None:
    make(app, folder)
    phone.push(phone.create("customer", customer()))
    put_back(app, folder)
    if store_url.startswith("sqlite"):
        file = Path(make_url(store_url).database or "")
        [old] = file.parent.glob("fieldstamp.sqlite.replaced-*")
        assert old.stat().st_size > 0
        return
    with app.app_context(), db.engine.connect() as connection:
        find = "SELECT nspname FROM pg_namespace WHERE nspname LIKE 'replaced_%%'"
        [schema] = connection.exec_driver_sql(find).scalars()
        count = connection.exec_driver_sql(f"SELECT count(*) FROM {schema}.record")
        assert count.scalar_one() == 1


def test_a_store_that_holds_work_is_not_replaced_unasked(
    app: Flask, phone: Phone, folder: Path
) -> None:
    make(app, folder)
    phone.push(phone.create("customer", customer()))
    with pytest.raises(BackupFault, match="holds work"):
        put_back(app, folder, replace=False)
    assert len(phone.pull_all()) == 1


def test_a_store_that_is_in_use_is_not_replaced(app: Flask, phone: Phone, folder: Path) -> None:
    made = make(app, folder)
    with app.app_context(), db.engine.connect() as held:
        held.exec_driver_sql("SELECT count(*) FROM record").scalar_one()
        settings = settings_of(app)
        with (
            pytest.raises(BackupFault, match="Stop the server"),
            restore.restored(settings, FixedClock(), folder, replace=True),
        ):
            pass
    assert made.counts["record"] == 0
    assert not restore.is_under_way(settings)


def change_store(folder: Path) -> Path:
    """Changes one byte of the database in a backup."""
    [first, *_others] = sorted([*folder.glob("store.sqlite"), *folder.glob("tables/record.copy")])
    content = bytearray(first.read_bytes())
    content[-1] ^= 1
    first.write_bytes(bytes(content))
    return first


def remove_blob(folder: Path) -> Path:
    """Takes one photo out of a backup."""
    blob = next(path for path in folder.glob("blobs/*/*"))
    blob.unlink()
    return blob


@pytest.mark.parametrize("damage", [change_store, remove_blob])
def test_a_backup_that_is_not_as_it_was_made_is_named_and_not_restored(
    app: Flask, company: Company, folder: Path, damage: Any
) -> None:
    rep = carriers(app)[0]
    rep.send(rep.declare(PHOTO), PHOTO)
    make(app, folder)
    assert manifest.check(folder).missing == []
    hurt = damage(folder).relative_to(folder).as_posix()
    with pytest.raises(BackupFault, match=hurt):
        manifest.check(folder)
    with pytest.raises(BackupFault, match=hurt):
        put_back(app, folder)
    assert current_epoch(company.store) is not None


def test_a_backup_without_its_manifest_is_none(app: Flask, company: Company, folder: Path) -> None:
    make(app, folder)
    (folder / "manifest.json").unlink()
    with pytest.raises(BackupFault, match="cut short"):
        put_back(app, folder)


def test_a_folder_that_is_not_empty_is_left_alone(
    app: Flask, company: Company, folder: Path
) -> None:
    make(app, folder)
    with pytest.raises(BackupFault, match="not empty"):
        make(app, folder)


def test_m4_a_photo_whose_bytes_are_gone_is_named(
    app: Flask, company: Company, folder: Path
) -> None:
    rep = carriers(app)[0]
    rep.send(rep.declare(PHOTO), PHOTO)
    sha256 = sha256_of(PHOTO)
    (settings_of(app).data / "blobs" / sha256[:2] / sha256[2:4] / sha256).unlink()
    assert make(app, folder).missing == [sha256]


def test_m1_an_upload_whose_bytes_no_backup_holds_counts_none_after_a_restore(
    app: Flask, company: Company, folder: Path
) -> None:
    rep = carriers(app)[0]
    done, going = rep.declare(PHOTO), rep.declare(OTHER)
    first, second = rep.begin(done, len(PHOTO)), rep.begin(going, len(OTHER))
    rep.patch(first, 0, PHOTO[:100])
    rep.patch(second, 0, OTHER[:100])
    make(app, folder)
    rep.patch(first, 100, PHOTO[100:])
    put_back(app, folder)
    assert rep.head(first).status_code == 410
    assert rep.head(second).headers["Upload-Offset"] == "100"
    assert rep.send(done, PHOTO).headers["Upload-State"] == "verified"
    assert rep.patch(second, 100, OTHER[100:]).headers["Upload-State"] == "verified"


def test_a_backup_is_one_moment_of_a_store_that_is_being_written(
    app: Flask, phone: Phone, folder: Path
) -> None:
    """Each push makes a mutation, a version and a record: a torn moment has unequal counts."""
    stop, pushes = threading.Event(), list[int]()

    def write() -> None:
        while not stop.is_set():
            phone.push(*(phone.create("customer", customer()) for _ in range(20)))
            pushes.append(20)

    def make_later(number: int) -> Manifest:
        before = len(pushes)
        until(lambda: len(pushes) > before)  # it is written to between any two
        return make(app, folder.with_name(f"backup{number}"))

    writer = threading.Thread(target=write)
    writer.start()
    try:
        made = [make_later(number) for number in range(4)]
    finally:
        stop.set()
        writer.join()
    for one in made:
        counts = one.counts
        assert counts["record"] == counts["mutation"] == counts["record_version"]
        assert counts["record"] % 20 == 0
        assert manifest.check(folder.with_name(f"backup{made.index(one)}")) == one
    assert made[-1].counts["record"] > made[0].counts["record"]


def test_a_restore_that_was_cut_short_lets_no_server_start_until_it_is_run_again(
    app: Flask, phone: Phone, folder: Path
) -> None:
    made = phone.create("customer", customer())
    phone.push(made)
    make(app, folder)

    class Cut(Exception):
        """What ends the process."""

    settings = settings_of(app)
    with app.app_context():
        close(app)
    with pytest.raises(Cut), restore.restored(settings, FixedClock(), folder, replace=True):
        raise Cut
    with pytest.raises(BackupFault, match="cut short"):
        create_app(settings)
    put_back(app, folder, replace=False)
    assert [item["record"] for item in phone.pull_all()] == [made["record"]]
    create_app(settings)


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
def test_p6_a_restore_takes_in_what_the_journal_has(
    app: Flask, company: Company, folder: Path
) -> None:
    desk = Desk(company)
    rep, manager = desk.rep(), desk.reviewer()
    shop = desk.create(rep, "customer", name="a", customer_type="store")
    went = desk.create(rep, "visit", **visit(customer=shop))
    make(app, folder)
    desk.decide(manager, went, "accepted")
    running = current_epoch(company.store)
    put_back(app, folder)
    assert desk.data(went)["verdict"] == "accepted"
    numbers = select(func.count()).select_from(MutationRow)
    assert company.store.scalar(numbers.where(MutationRow.writer == "office")) == 1
    assert current_epoch(company.store) != running


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
def test_a_restore_beside_the_journal_of_another_store_touches_nothing(
    app: Flask, company: Company, folder: Path
) -> None:
    make(app, folder)
    journal = settings_of(app).data / "journal.jsonl"
    journal.write_bytes(b"x" + journal.read_bytes())
    with pytest.raises(BackupFault, match="another store"):
        put_back(app, folder)
    assert not restore.is_under_way(settings_of(app))
    restore.set_journal(settings_of(app), FixedClock(), None)
    put_back(app, folder)
    assert journal.exists()
    assert company.user() in journal.read_text()


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize(("kept", "rest"), [(3000, b""), (3000, b"x" * 5000), (0, b"x" * 5000)])
def test_a_damaged_store_is_replaced_and_what_is_left_of_it_is_kept(
    app: Flask, phone: Phone, folder: Path, kept: int, rest: bytes
) -> None:
    made = phone.create("customer", customer())
    phone.push(made)
    make(app, folder)
    with app.app_context():
        db.session.remove()
        close(app)
    for leftover in file_of(app).parent.glob("fieldstamp.sqlite-*"):
        leftover.unlink()
    file_of(app).write_bytes(file_of(app).read_bytes()[:kept] + rest)
    with pytest.raises(BackupFault, match="holds work"):
        put_back(app, folder, replace=False)
    put_back(app, folder)
    assert [item["record"] for item in phone.pull_all()] == [made["record"]]
    [old] = file_of(app).parent.glob("fieldstamp.sqlite.replaced-*")
    assert old.read_bytes().endswith(rest)
