"""``fieldstamp-server``: what an administrator types. Rules live in ``people``, not here."""

import os
import sys
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import click

from server import cli_policy, cli_status, migration, serving
from server.app import create_app, open_store
from server.casework import absences
from server.cli_faults import explain
from server.clock import SystemClock
from server.demo import show
from server.extensions import db
from server.media.garbage import collect
from server.media.moving import move_blobs
from server.media.rehash import rehash_blobs
from server.opening import opened, writing
from server.outward import hooks as outward_hooks
from server.outward import report as hooks_report
from server.outward.queries import list_held, read_cursor
from server.people import addressees, devices, passwords, regions, users
from server.people.principal import Role
from server.services import services
from server.settings import load
from server.sync import epochs
from server.upkeep import backup as backups
from server.upkeep import imports, report, restore
from server.upkeep import manifest as manifests
from server.upkeep.verify import verify
from server.work.rounds import REHASHED_BYTES
from server.work.worker import run_worker

ROLES = click.Choice([role.value for role in Role])
FILE = click.Path(path_type=Path, exists=True, dir_okay=False)
FOLDER = click.Path(path_type=Path, exists=True, file_okay=False)


def _bring_up_to_date() -> None:
    app = create_app()
    open_store(app)
    with app.app_context():
        db.engine.dispose()


@click.group()
def cli() -> None:
    """Runs and administers a Fieldstamp server."""


@cli.command()
def serve() -> None:
    """Bring the store up to date, then serve HTTP and work in the background."""
    _bring_up_to_date()
    sys.exit(serving.run_both())


@cli.command()
def http() -> None:
    """Serve HTTP only; the store must be up to date."""
    serving.HttpServer(load()).run()


@cli.command()
def work() -> None:
    """Work in the background only: pictures, sweeps, notices; the store must be up to date."""
    with opened(by_its_policy=False):
        pass  # it would try again for ever, a fault a second
    run_worker(create_app())


@cli.command()
@click.option("--exit", "leave", is_flag=True, help="Count, print one JSON object and end.")
@click.option("--photos", type=FOLDER, help="Use the pictures of this folder.")
@click.option("--data", type=click.Path(path_type=Path), default="var/demo", show_default=True)
@click.option("--port", type=int, help="Default: a free one.")
@click.option("--visits", type=click.IntRange(1, 12), default=6, show_default=True)
@click.option("--pause", is_flag=True, help="Wait for Enter before counting what is lost.")
def demo(data: Path, **wishes: Any) -> None:
    """Show a company, its office and three devices at work; each run starts afresh."""
    sys.exit(show.show_demo(data, **wishes, language=os.environ.get("LANG", "en")))


@cli.command(name="demo-count")
@click.option("--data", type=click.Path(path_type=Path), default="var/demo", show_default=True)
@click.option("--server", help="Address; default: where the demonstration served.")
def demo_count(data: Path, server: str | None) -> None:
    """Compare the devices of a demonstration with its server; status 1 if anything is lost."""
    sys.exit(show.show_count(data, server=server, language=os.environ.get("LANG", "en")))


@cli.group(name="db")
def database() -> None:
    """The store's schema."""


@database.command()
def upgrade() -> None:
    """Bring the store to the newest schema."""
    _bring_up_to_date()
    click.echo("The store is up to date.")


@database.command()
def check() -> None:
    """Say whether the schema is the newest; status 1 if not."""
    with opened(as_it_is=True) as store:
        current = migration.is_current(store.get_bind().engine)
    click.echo("The schema is the newest." if current else "The schema is not the newest.")
    sys.exit(0 if current else 1)


@cli.group()
def backup() -> None:
    """Backups of the store and its photos."""


@backup.command(name="create")
@click.argument("folder", type=click.Path(path_type=Path))
def create_backup(folder: Path) -> None:
    """Write a backup into FOLDER, which must be new; the server may go on working."""
    with opened(as_it_is=True) as store:
        own = services()
        resting = own.media.originals if own.settings.bucket else None
        manifest = backups.create(
            store.get_bind().engine, own.settings, own.clock, folder, at_rest=resting
        )
    click.echo(report.say_manifest(manifest))
    sys.exit(1 if manifest.missing else 0)


@backup.command(name="check")
@click.argument("folder", type=FOLDER)
def check_backup(folder: Path) -> None:
    """Hash every file of a backup again; status 1 unless all are as they were."""
    click.echo(report.say_manifest(manifests.check(folder)))


@backup.command(name="restore")
@click.argument("folder", type=FOLDER)
@click.option("--replace", is_flag=True, help="Set a store that holds work aside, and keep it.")
@click.option("--journal", type=FILE, help="The journal to take in; default: the one in place.")
@click.option("--without-journal", is_flag=True, help="Set the journal in place aside.")
def restore_backup(
    folder: Path, replace: bool, journal: Path | None, without_journal: bool
) -> None:
    """Put a backup in the place of the store, in a new epoch; the server must stand still."""
    settings, clock = load(), SystemClock()
    if journal or without_journal:
        restore.set_journal(settings, clock, journal)
    had_journal = restore.has_journal(settings)
    with restore.restored(settings, clock, folder, replace=replace) as manifest:
        app = create_app(settings, restoring=True)
        replayed = open_store(app)
        with app.app_context():
            db.engine.dispose()
    click.echo(report.say_restored(manifest, replayed, journal=had_journal))


@cli.command(name="verify")
@click.option("--repair", is_flag=True, help="Make again what follows from the rest.")
@click.option("--photos", is_flag=True, help="Read every byte of every photo.")
def verify_store(repair: bool, photos: bool) -> None:
    """Prove that the store agrees with itself; status 1 if anything is left that does not."""
    left = 0
    with opened() as store:
        own = services()
        for found in verify(store, own.sync, own.media, mend=repair, photos=photos):
            click.echo(report.say_finding(found))
            left += not found.mended
    click.echo(report.say_verdict(left))
    sys.exit(1 if left else 0)


@cli.command(name="import")
@click.argument("what", type=click.Choice(imports.SORTS))
@click.argument("file", type=FILE)
@click.option("--by", "username", required=True, help="Who brings it; stands in the audit log.")
@click.option("--dry-run", is_flag=True, help="Check and count, and write nothing.")
def import_file(what: str, file: Path, username: str, dry_run: bool) -> None:
    """Take in a CSV file, all of its rows or none; status 1 if any is wrong."""
    with opened() as store:
        by = users.need_user(store, username).id
        told = imports.take_in(store, services(), what, file, by=by, dry_run=dry_run)
    click.echo(imports.say_report(told))
    sys.exit(1 if told.refused else 0)


@cli.group()
def media() -> None:
    """The bytes of photos, on the disk and in the bucket."""


@media.command(name="gc")
@click.option("--dry-run", is_flag=True, help="List what there is, and change nothing.")
def collect_garbage(dry_run: bool) -> None:
    """Remove what takes room and is named by nothing, a week after it was first seen."""
    with opened() as store:
        restored_at = epochs.changed_at(store)
        for found in collect(store, services().media, restored_at=restored_at, dry_run=dry_run):
            click.echo(report.say_garbage(found, dry_run=dry_run))


@media.command(name="rehash")
@click.option("--all", "every", is_flag=True, help="Also those that were hashed lately.")
def rehash(every: bool) -> None:
    """Hash originals again; status 1 if any is missing or differs from its name."""
    faulty = 0
    with opened() as store:
        own = services()
        before = own.clock.now() - timedelta(days=0 if every else own.settings.rehash_days)
        while found := rehash_blobs(store, own.media, before=before, most_bytes=REHASHED_BYTES):
            for sha256, fault in found.items():
                click.echo(f"{sha256} {fault or 'ok'}")
                faulty += fault is not None
    sys.exit(1 if faulty else 0)


@media.command(name="move")
@click.option("--days", type=click.IntRange(0), help="Default: `bucket_after_days`.")
def move(days: int | None) -> None:
    """Move originals into the bucket, older ones first."""
    moved = 0
    with opened() as store:
        own = services()
        if not own.settings.bucket:
            raise click.UsageError("The setting `bucket` is empty: there is none to move to.")
        age = timedelta(days=own.settings.bucket_after_days if days is None else days)
        while some := move_blobs(store, own.media, before=own.clock.now() - age):
            moved += some
    click.echo(f"{moved} originals came to rest in the bucket.")


@cli.group()
def user() -> None:
    """People."""


@user.command(name="add")
@click.argument("username")
@click.option("--name", help="Name shown to others; default: the username.")
@click.option("--region", help="Home region, by id or name.")
@click.option("--role", type=ROLES, help="A role in the home region and below.")
def add_user(username: str, name: str | None, region: str | None, role: str | None) -> None:
    """Add a person."""
    with writing() as (store, now):
        home = regions.need_region(store, region).id if region else None
        person = users.NewUser(username=username, name=name or username, home_region=home)
        created = users.create_user(store, services().ids, person, now=now)
        if role:
            users.grant_role(store, created, Role(role), region=home, now=now)
        click.echo(created.id)


@user.command(name="list")
def list_users() -> None:
    """List everybody."""
    with opened() as store:
        for person in users.list_users(store):
            state = "disabled" if person.disabled_at else "active"
            click.echo(f"{person.id}  {state:8}  {person.username}  {person.name}")


@user.command(name="disable")
@click.argument("username")
def disable_user(username: str) -> None:
    """Shut a person out; their devices may hand in what they hold."""
    with writing() as (store, now):
        users.disable_user(store, users.need_user(store, username), now=now)


@user.command(name="role")
@click.argument("username")
@click.argument("role", type=ROLES)
@click.option("--region", help="Where, by id or name; without it: the whole company.")
@click.option("--withdraw", is_flag=True, help="Take the role away instead.")
def set_role(username: str, role: str, region: str | None, withdraw: bool) -> None:
    """Give a person a role, or take it away."""
    with writing() as (store, now):
        place = regions.need_region(store, region).id if region else None
        person = users.need_user(store, username)
        change = users.withdraw_role if withdraw else users.grant_role
        change(store, person, Role(role), region=place, now=now)


@user.command(name="password")
@click.argument("username")
@click.password_option()
def set_password(username: str, password: str) -> None:
    """Set a person's password."""
    hashed = passwords.hash_password(password)
    with writing() as (store, now):
        users.set_password(store, users.need_user(store, username), hashed, now=now)


@cli.group()
def device() -> None:
    """Devices."""


@device.command()
@click.argument("username")
def enrol(username: str) -> None:
    """Print a code that enrols one device of USERNAME within ten minutes."""
    with writing() as (store, now):
        person = users.need_user(store, username)
        code = devices.issue_code(store, services().ids, person, now=now)
    click.echo(code)


@device.command(name="list")
@click.option("--user", "username", help="Only this person's devices.")
def list_devices(username: str | None) -> None:
    """List devices."""
    with opened() as store:
        owner = users.need_user(store, username).id if username else None
        for found in devices.list_devices(store, user=owner):
            state = "revoked" if found.revoked_at else "active"
            click.echo(f"{found.id}  {state:7}  {found.user}  {found.name}")


@device.command()
@click.argument("device_id")
@click.option("--erase", type=click.Choice(["scopes", "all"]), default="all", show_default=True)
def revoke(device_id: str, erase: devices.Erase) -> None:
    """Revoke a device; it may still hand in its work for the policy's days."""
    with writing() as (store, now):
        devices.revoke(store, devices.need_device(store, device_id), erase=erase, now=now)


@user.command(name="email")
@click.argument("username")
@click.argument("address", required=False)
def set_email(username: str, address: str | None) -> None:
    """Set the address for notices; without one, take it away."""
    with writing() as (store, now):
        addressees.set_email(store, users.need_user(store, username), address, now=now)


@user.command(name="absent")
@click.argument("username")
@click.option("--deputy", help="Who acts meanwhile; needs the same role.")
@click.option("--from", "begins", type=click.DateTime(["%Y-%m-%d"]), help="First day away.")
@click.option("--until", "ends", type=click.DateTime(["%Y-%m-%d"]), help="Last day away.")
@click.option("--back", is_flag=True, help="They are back: end what is noted.")
def set_absence(
    username: str, deputy: str | None, begins: datetime | None, ends: datetime | None, back: bool
) -> None:
    """Note who is away and who acts in their place, by days of their own time zone."""
    with writing() as (store, now):
        person = users.need_user(store, username)
        if back:
            absences.end_absences(store, person=person.id, now=now)
            return
        if not (deputy and begins and ends):
            raise click.UsageError("--deputy, --from and --until are needed, or --back")
        zone = ZoneInfo(person.zone)
        absences.note_absence(
            store,
            person=person.id,
            deputy=users.need_user(store, deputy).id,
            begins=begins.replace(tzinfo=zone),
            ends=(ends + timedelta(days=1)).replace(tzinfo=zone),
            now=now,
        )


@cli.group()
def hooks() -> None:
    """Other systems that hear of events."""


@hooks.command(name="add")
@click.argument("url")
@click.option("--type", "types", multiple=True, help="Only events of this type; may be repeated.")
@click.option("--kind", "kinds", multiple=True, help="Only records of this kind; may be repeated.")
def add_hook(url: str, types: tuple[str, ...], kinds: tuple[str, ...]) -> None:
    """Add a hook; prints its secret and its token, which are not shown again."""
    with writing() as (store, _now):
        added = outward_hooks.add_hook(store, services().outward, url, types=types, kinds=kinds)
    click.echo(hooks_report.say_added(added))


@hooks.command(name="list")
def list_hooks() -> None:
    """List hooks, and the events that still wait, each with its reason."""
    with opened() as store:
        for hook in outward_hooks.list_hooks(store):
            click.echo(hooks_report.say_hook(hook))
        for held in list_held(store):
            click.echo(hooks_report.say_held(held))


@hooks.command(name="remove")
@click.argument("hook")
def remove_hook(hook: str) -> None:
    """Remove a hook and what is on its way to it."""
    with writing() as (store, _now):
        outward_hooks.remove_hook(store, services().outward, hook)


@hooks.command(name="replay")
@click.argument("hook")
@click.option("--after", help="Cursor of GET /v1/events; without it: from the oldest event.")
def replay_hook(hook: str, after: str | None) -> None:
    """Send events again under the same ids; starts a hook that was stopped."""
    with writing() as (store, _now):
        place = read_cursor(after, epochs.current_epoch(store))
        count = outward_hooks.replay(store, services().outward, hook, after=place)
    click.echo(f"{count} events are sent again.")


cli.add_command(cli_policy.policy)
cli.add_command(cli_status.status)


@cli.group()
def region() -> None:
    """The region tree."""


@region.command(name="add")
@click.argument("name_zh")
@click.argument("name_en")
@click.option("--level", required=True, help="Such as sales_centre or market.")
@click.option("--parent", help="The region above, by id or name.")
def add_region(name_zh: str, name_en: str, level: str, parent: str | None) -> None:
    """Add a region and print its id."""
    with writing() as (store, _now):
        above = regions.need_region(store, parent).id if parent else None
        planted = regions.add_region(
            store, services().ids, level=level, name_zh=name_zh, name_en=name_en, parent=above
        )
        click.echo(planted.id)


@region.command(name="list")
def list_regions() -> None:
    """List regions, each below its parent."""
    with opened() as store:
        for found in regions.list_regions(store):
            indent = "  " * (found.path.count("/") - 2)
            click.echo(f"{found.id}  {indent}{found.name_zh} / {found.name_en} ({found.level})")


def main() -> None:
    """The command; what went wrong is told in plain words with status 1."""
    try:
        cli.main(standalone_mode=True)
    except Exception as error:
        said = explain(error)
        if said is None:
            raise
        click.echo(said, err=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
