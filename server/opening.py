"""Opens the store of this installation for a command. No command is here."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from sqlalchemy.orm import Session as Store

from server import migration
from server.app import create_app
from server.db import transaction
from server.extensions import db
from server.services import follow_policy, services


@contextmanager
def opened(*, by_its_policy: bool = True) -> Iterator[Store]:
    """The store, within an application context, and the policy that is in force there.

    Raises ``PolicyFault`` where this program cannot read that policy, unless the caller does
    without it.
    """
    app = create_app()
    with app.app_context():
        try:
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
