"""``python -m tests.load.goods``: shipments taken in and batches traced, on both databases.

Writes files as an office exports them, takes them in by the command's own function, and measures
how long that takes, and how long a batch takes to be traced to its customers.
"""

import argparse
import random
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from statistics import quantiles
from time import perf_counter

from bench.stores import postgresql
from server.app import create_app, open_store
from server.db import begin_snapshot, database_url
from server.domain.goods.queries import shipments_of
from server.domain.goods.rules import x5_proposed_answers
from server.extensions import db
from server.people.principal import Role
from server.settings import Settings
from server.upkeep.imports import say_report, take_in
from tests.company import ORIGIN, Company

PER_FILE = 100_000
PER_BATCH = 20
TRACES = 500


def write_files(folder: Path, shipments: int, *, seed: int) -> Iterator[tuple[str, Path]]:
    """Products, batches and shipments; a batch went out by about twenty notes."""
    chance, batches = random.Random(seed), shipments // PER_BATCH
    products, made = folder / "products.csv", folder / "batches.csv"
    products.write_text(
        "产品编码,产品名称,每件瓶数\n" + "".join(f"P{n},茶{n},12\n" for n in range(100))
    )
    yield "products", products
    lines = (f"L{n:07},P{n % 100},2026-01-{1 + n % 28:02}\n" for n in range(batches))
    made.write_text("批号,产品编码,生产日期\n" + "".join(lines))
    yield "batches", made
    for first in range(0, shipments, PER_FILE):
        path = folder / f"shipments{first}.csv"
        with path.open("w", encoding="gb18030") as file:
            file.write("发货单号,批号,产品编码,发货日期,客户编号,销售区域,数量,单位\n")
            for note in range(first, min(first + PER_FILE, shipments)):
                batch = chance.randrange(batches)
                placed = chance.choice(("上海", "杭州", "广州"))
                file.write(
                    f"N{note},L{batch:07},P{batch % 100},2026-02-{1 + note % 28:02}"
                    f",C-{chance.randrange(5000)},{placed},{chance.randrange(1, 400)},件\n"
                )
        yield "shipments", path


def trace(company: Company, batches: int, *, seed: int) -> list[float]:
    """Seconds that each of some batches took, in a transaction of its own."""
    chance, registry = random.Random(seed), company.services.sync.registry
    took = []
    for _ in range(TRACES):
        batch = f"l {chance.randrange(batches):07}"
        begin_snapshot(company.store)
        began = perf_counter()
        x5_proposed_answers([batch], shipments_of(company.store, registry, [batch]))
        took.append(perf_counter() - began)
    return took


def say(line: str) -> None:
    """Tells a figure as soon as it is known."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def measure(name: str, url: str, folder: Path, asked: argparse.Namespace) -> None:
    """One database."""
    settings = Settings(data=folder / name, database=url, origins=(ORIGIN,))
    app = create_app(settings)
    open_store(app)
    with app.app_context():
        company = Company(app)
        company.plant_regions()
        clerk = company.user(Role.SALES_CLERK, None)
        for what, path in write_files(folder, asked.shipments, seed=asked.seed):
            began = perf_counter()
            told = take_in(company.store, company.services, what, path, by=clerk, dry_run=False)
            said = say_report(told).splitlines()[-1]
            say(f"{name}: {what}: {said} {perf_counter() - began:.1f} s")
        took = sorted(trace(company, asked.shipments // PER_BATCH, seed=asked.seed))
        p50, p95 = quantiles(took, n=100)[49] * 1000, quantiles(took, n=100)[94] * 1000
        say(f"{name}: traced: p50 {p50:.2f} ms, p95 {p95:.2f} ms, most {took[-1] * 1000:.2f} ms")
        db.session.remove()
        db.engine.dispose()


def main() -> None:
    """One database after the other."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shipments", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", choices=["sqlite", "postgresql"])
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        if asked.only != "postgresql":
            measure("sqlite", f"sqlite:///{folder / 'goods.sqlite'}", folder, asked)
        if asked.only != "sqlite":
            with postgresql(folder) as server:
                measure("postgresql", database_url(server.create_database()), folder, asked)


if __name__ == "__main__":
    main()
