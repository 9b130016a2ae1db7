"""``python -m tests.load.cases``: queues, clocks and rounds with many cases in the store.

Cases come through the engine as devices send them, two of three signed; then each thing that must
be quick is measured on both databases.
"""

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from functools import partial
from itertools import cycle, islice
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

from sqlalchemy import func, select, update

from bench.stores import postgresql
from server.app import create_app, open_store
from server.casework.clocks import tick
from server.casework.tables import Item
from server.db import begin_snapshot, database_url, transaction
from server.domain import queries
from server.domain.cases.actions import follow_cases
from server.domain.cases.tables import CaseLook
from server.extensions import db
from server.outward.tables import Place
from server.people.principal import Principal, Role
from server.settings import Settings
from server.sync.changes import feed_head
from server.sync.feed import number_feed
from server.sync.push import Envelope, push_batch
from server.work.rounds import run_round
from tests.company import ORIGIN, Company, FixedClock
from tests.domain.desk import Desk
from tests.domain.records import case, signature
from tests.office import Office

CASES_A_BATCH = 150
SPREAD = timedelta(hours=20)
"""Over so long the cases come in, so that their clocks end one after the other."""
PAGE = 31
TIMES = 20
READERS: tuple[tuple[Role, str | None], ...] = (
    (Role.MARKET_OFFICER, None),
    (Role.REGION_MANAGER, "east"),
    (Role.REGION_MANAGER, "guangzhou"),
    (Role.SALES_DIRECTOR, None),
    (Role.LOGISTICS_OFFICER, None),
)


def mutations(desk: Desk, market: str, number: int) -> Iterator[dict[str, Any]]:
    """A case as its rep sends it: two of three signed, with a batch nobody has asked about."""
    ids = desk.company.services.ids
    made = ids.new()
    lines = [{"product": "茶", "quantity": 24, "unit": "piece"}]
    values = case(affected_market=market, accused=f"经销商{number % 997}", lines=lines)
    yield {"kind": "cross_region_case", "record": made, "set": values}
    for part in ("affected_dealer", "region_manager") if number % 3 else ():
        yield {"kind": "signature", "record": ids.new(), "set": signature(part, parent=made)}


def fill(desk: Desk, cases: int) -> None:
    """Cases of three markets, one batch of a device after the other."""
    services, store = desk.company.services, desk.company.store
    sellers = cycle([desk.rep(market) for market in ("shanghai", "hangzhou", "guangzhou")])
    step = SPREAD / max(1, cases // CASES_A_BATCH)
    for first in range(0, cases, CASES_A_BATCH):
        seller = next(sellers)
        sent = [
            {"id": services.ids.new(), "action": "create", "base": 0, **one}
            for number in range(first, min(first + CASES_A_BATCH, cases))
            for one in mutations(desk, str(seller.home_region), number)
        ]
        push_batch(services.sync, store, Envelope(sender=seller), sent)
        desk.wait(seconds=step.total_seconds())
    while number_feed(store):
        continue


def took(act: Callable[[], object], times: int = TIMES) -> str:
    """Milliseconds that it took: median and most."""
    found = []
    for _ in range(times):
        began = perf_counter()
        act()
        found.append((perf_counter() - began) * 1000)
    return f"{median(found):.1f} ms, most {max(found):.1f} ms"


def say(line: str) -> None:
    """Tells a figure as soon as it is known."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def read_queue(desk: Desk, reader: Principal, after: int | None = None) -> int:
    """One page of a queue, in a read of its own; how many stand on it."""
    store, services = desk.company.store, desk.company.services
    begin_snapshot(store)
    now, registry = services.clock.now(), services.sync.registry
    page = queries.queue(store, registry, reader, now=now, after=after, limit=PAGE)
    return len(page)


def measure_queues(name: str, desk: Desk, office: Office) -> None:
    """Each role's first page, one far behind, and the office's own page."""
    deep = select(Item.key).where(Item.closed_at.is_(None)).order_by(Item.due_at)
    store = desk.company.store
    far = store.scalar(deep.offset(store.scalar(select(func.count()).select_from(Item)) // 2))
    for role, region in READERS:
        reader = desk.reviewer(role, region)
        first, behind = (took(partial(read_queue, desk, reader, at)) for at in (None, far))
        page = took(partial(office.reviewer(role, region).page, "/"), 5)
        say(f"{name}: queue of {role} {region}: {first}; far behind {behind}; page {page}")


def measure_clocks(name: str, desk: Desk) -> None:
    """A tick in which nothing, and one in which much is due."""
    store = desk.company.store
    clock = desk.company.services.clock
    say(f"{name}: tick, nothing due: {took(lambda: tick(store, clock.now()), 5)}")
    desk.wait(hours=2)
    began = perf_counter()
    told = tick(store, clock.now())
    say(f"{name}: tick of {told}: {(perf_counter() - began) * 1000:.0f} ms")
    while tick(store, clock.now()):
        continue


def measure_looks(name: str, desk: Desk) -> None:
    """Rounds in which many, no, and one case must be looked at."""
    store, services = desk.company.store, desk.company.services

    def look() -> int:
        return follow_cases(store, services.sync, services.policy)

    began = perf_counter()
    looked = look()
    say(f"{name}: the first {looked} looks, and noting all: {perf_counter() - began:.1f} s")
    began = perf_counter()
    looked = look()
    say(f"{name}: {looked} looks: {perf_counter() - began:.1f} s")
    with transaction(store):
        store.execute(update(CaseLook).values(due_at=None))
    number_feed(store)
    while look():
        number_feed(store)
    say(f"{name}: a look at nothing: {took(look)}")


def measure_pages(name: str, desk: Desk, office: Office, cases: Sequence[str]) -> None:
    """What a reviewer and the worker do with one case, once the outside has heard of all."""
    officer = office.reviewer(Role.MARKET_OFFICER, None, name="reader")
    pages = iter(cases)
    say(f"{name}: a case opened: {took(lambda: officer.page(f'/records/{next(pages)}'), 10)}")
    app = office.app
    office.write(Place(id=1, feed=feed_head(desk.company.store), issued=0, clocks=""))
    while run_round(app):
        continue
    say(f"{name}: a round with nothing to do: {took(lambda: run_round(app), 5)}")
    for found in islice(pages, 3):
        now = desk.record(found)
        patch = {"action": "patch", "kind": now.kind, "record": found, "base": now.version}
        desk.send(desk.rep(), {**patch, "set": {"place": "仓库"}}, writer="server")
        began = perf_counter()
        run_round(app)
        say(f"{name}: a round after a change: {(perf_counter() - began) * 1000:.0f} ms")


def measure(name: str, url: str, folder: Path, cases: int) -> None:
    """One database."""
    settings = Settings(data=folder / name, database=url, origins=(ORIGIN,))
    app = create_app(settings, clock=FixedClock())
    open_store(app)
    with app.app_context():
        company = Company(app)
        company.plant_regions()
        desk, office = Desk(company), Office(app, company)
        began = perf_counter()
        fill(desk, cases)
        say(f"{name}: {cases} cases: {perf_counter() - began:.0f} s")
        measure_queues(name, desk, office)
        measure_clocks(name, desk)
        measure_looks(name, desk)
        submitted = select(Item.record).where(Item.task == "intake", Item.closed_at.is_(None))
        measure_pages(name, desk, office, list(company.store.scalars(submitted.limit(20))))
        db.session.remove()
        db.engine.dispose()


def main() -> None:
    """One database after the other."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=50_000)
    parser.add_argument("--only", choices=["sqlite", "postgresql"])
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        if asked.only != "postgresql":
            measure("sqlite", f"sqlite:///{folder / 'cases.sqlite'}", folder, asked.cases)
        if asked.only != "sqlite":
            with postgresql(folder) as server:
                measure("postgresql", database_url(server.create_database()), folder, asked.cases)


if __name__ == "__main__":
    main()
