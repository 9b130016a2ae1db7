"""Opens the store of this installation for a command. No command is here."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from sqlalchemy import Engine, make_url
from sqlalchemy.orm import Session as Store

from server import migration
from server.app import create_app
from server.db import transaction
from server.extensions import db
from server.services import follow_policy, services
from server.settings import Settings, load
from server.upkeep.restore import is_under_way

MISSING = """\
There is no store in {place}. Commands need the same settings as the server
(FIELDSTAMP_CONFIG, FIELDSTAMP_DATA, FIELDSTAMP_DATABASE); without any of them they look into the
folder `var` of the folder in which they are typed.
`fieldstamp-server db upgrade` makes a new store."""
OLDER = """\
The store is of an older version of this program. Stop the server, make a backup, and run
`fieldstamp-server db upgrade`."""
NEWER = "The store is of a newer version of this program. Install that one."


class StoreFault(Exception):
    """There is no store that a command can work on; the words are for an administrator."""


@contextmanager
def opened(*, by_its_policy: bool = True, as_it_is: bool = False) -> Iterator[Store]:
    """The store, within an application context, and the policy that is in force there.

    Raises ``StoreFault`` where there is none or none of this version, unless the caller takes it
    ``as_it_is``, and ``PolicyFault`` where this program cannot read that policy, unless the caller
    does without it.
    """
    settings = load()
    if not is_under_way(settings):
        _need_file(settings)
    app = create_app(settings)
    with app.app_context():
        try:
            _need_schema(db.engine, as_it_is=as_it_is)
            if by_its_policy and migration.is_current(db.engine):
                follow_policy(app, db.session())
            yield db.session()
        finally:
            db.session.remove()
            db.engine.dispose()


@contextmanager
def writing(*, by_its_policy: bool = True) -> Iterator[tuple[Store, datetime]]:
    """The same in a transaction, with the server's time."""
    with opened(by_its_policy=by_its_policy) as store, transaction(store):
        yield store, services().clock.now()


def _need_file(settings: Settings) -> None:
    """Looks before anything is made: keys in a wrong folder would pass for an installation."""
    url = make_url(settings.database_url())
    if url.get_backend_name() == "sqlite" and not Path(url.database or "").exists():
        raise StoreFault(MISSING.format(place=url.database))


def _need_schema(engine: Engine, *, as_it_is: bool) -> None:
    found = migration.revision_of(engine)
    if found is None:
        raise StoreFault(MISSING.format(place=engine.url.render_as_string(hide_password=True)))
    if not migration.knows(found):
        raise StoreFault(NEWER)
    if not as_it_is and found != migration.newest():
        raise StoreFault(OLDER)
