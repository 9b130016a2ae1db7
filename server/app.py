"""``create_app``: the only wiring."""

from flask import Flask
from werkzeug.middleware.proxy_fix import ProxyFix

from server import extensions, logs, migration
from server.api import access, blueprints, headers, patience, problem
from server.backoffice import pages
from server.clock import Clock, SystemClock
from server.db import keep_journal
from server.extensions import db
from server.ids import IdMaker
from server.journal.keeping import StoreJournal
from server.linked import pages as linked
from server.policies import versions
from server.services import build, first_policy, follow_policy
from server.settings import Settings, load
from server.sync import epochs
from server.sync.kinds import RecordKind
from server.upkeep.manifest import BackupFault
from server.upkeep.replay import Replayed, open_journal
from server.upkeep.restore import CUT_SHORT, is_under_way
from server.work.queue import send_wake_up
from server.work.waking import Waker


def create_app(
    settings: Settings | None = None,
    *,
    clock: Clock | None = None,
    ids: IdMaker | None = None,
    kinds: tuple[RecordKind, ...] = (),
    restoring: bool = False,
) -> Flask:
    """A server for ``settings`` (default: from the environment); tests bring clock and ids.

    ``kinds`` adds kinds of records to those of the domain. Raises ``BackupFault`` where a restore
    was cut short, unless the caller is ``restoring``.
    """
    settings = settings or load()
    if is_under_way(settings) and not restoring:
        raise BackupFault(CUT_SHORT)
    services = build(
        settings, clock=clock or SystemClock(), ids=ids, kinds=kinds, wake=Waker(send_wake_up)
    )
    logs.configure(services.settings.log_level)
    app = Flask("server", static_folder=None)
    app.extensions["fieldstamp"] = services
    app.config.update(extensions.configuration(services.settings, services.secret))
    if hops := services.settings.proxies:
        app.wsgi_app = ProxyFix(  # type: ignore[method-assign]
            app.wsgi_app, x_for=hops, x_proto=hops, x_host=hops
        )
    access.configure(app)
    problem.install(app)
    headers.install(app)
    patience.install(app)
    extensions.install(app)
    with app.app_context():
        if db.engine.dialect.name == "sqlite":
            keep_journal(db.engine, StoreJournal(services.settings.data, services.clock))
    blueprints.install(app)
    pages.install(app)
    linked.install(app)
    return app


def open_store(app: Flask) -> Replayed:
    """Brings the store of ``app`` to the newest schema, its epoch and the end of its journal."""
    with app.app_context():
        migration.upgrade(db.engine)
        clock = app.extensions["fieldstamp"].clock
        epochs.open_store(db.session(), clock)
        follow_policy(app, db.session())  # what a journal decides again is decided by it
        replayed = open_journal(db.session(), app.extensions["fieldstamp"].sync)
        content = first_policy(app.extensions["fieldstamp"].settings)
        versions.begin(db.session(), content, now=clock.now())
        follow_policy(app, db.session())
        return replayed
