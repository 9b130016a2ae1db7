"""``fieldstamp-server policy``: shows, checks, compares and applies the company's policy."""

from pathlib import Path

import click
from sqlalchemy.orm import Session as Store

from server.opening import opened, writing
from server.people import users
from server.policies import report, versions
from server.policies.comparing import Difference, differences
from server.policies.reading import parse, parse_kept, read_file

FILE = click.Path(path_type=Path, exists=True, dir_okay=False)


@click.group()
def policy() -> None:
    """The company's policy and its versions."""


@policy.command()
@click.argument("number", type=click.IntRange(1), required=False)
def show(number: int | None) -> None:
    """Print the version in force, or version NUMBER, as a file to change and apply."""
    with opened(by_its_policy=False) as store:
        version = versions.need(store, number)
        click.echo(report.say_version(version), err=True)
        click.echo(version.content, nl=False)


@policy.command(name="list")
def list_versions() -> None:
    """List the versions: number, since when, SHA-256, by whom."""
    with opened(by_its_policy=False) as store:
        for version in versions.list_versions(store):
            click.echo(report.say_version(version))


@policy.command()
@click.argument("file", type=FILE)
def check(file: Path) -> None:
    """Say what is wrong with FILE, key by key; status 1 if anything is."""
    parse(read_file(file), version=1)
    click.echo("It can be applied.")


@policy.command()
@click.argument("file", type=FILE)
def diff(file: Path) -> None:
    """Show what would change if FILE were applied."""
    with opened(by_its_policy=False) as store:
        click.echo(report.say_differences(_changes(store, read_file(file))))


@policy.command()
@click.argument("file", type=FILE)
@click.option("--by", "username", help="The person who decided it; noted with the version.")
def apply(file: Path, username: str | None) -> None:
    """Put FILE in force; what was decided under an older version stays as it was decided."""
    content = read_file(file)
    with opened(by_its_policy=False) as store:
        based_on = versions.need(store).number
        found = _changes(store, content)
    click.echo(report.say_differences(found))
    if not found:
        return
    with writing(by_its_policy=False) as (store, now):
        by = users.need_user(store, username).id if username else None
        number = versions.add(store, content, based_on=based_on, by=by, now=now).number
    click.echo(f"Version {number} is in force. Running processes take it within seconds.")


def _changes(store: Store, content: str) -> tuple[Difference, ...]:
    """What ``content``, which is checked first, says otherwise than the version in force."""
    fresh = parse(content, version=1)
    standing = versions.need(store)
    return differences(parse_kept(standing.content, version=standing.number), fresh)
