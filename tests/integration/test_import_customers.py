"""Files of customers: written as the office writes, known again by their number."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select, text

from server.db import transaction
from server.domain.goods.queries import dealers_above, find_customers
from server.domain.goods.runs import Report
from server.domain.goods.tables import ImportRun
from server.errors import Problem
from server.people.principal import Role
from server.sync.queries import find_record, history
from server.sync.tables import MutationRow
from server.upkeep.imports import take_in
from tests.company import Company
from tests.domain.desk import Desk
from tests.domain.records import visit
from tests.stores import journal_of

HEAD = "客户编号,客户名称,客户类型,区域,负责业务员,所属经销商,电话,Tier\n"
ROWS = (
    "S-1,红星批发,主营分销商,Hangzhou,wang,D-1,0571-1,\n"
    "D-1,大华商贸,Dealer,上海,,,+86 21 5,large\n"
    "C-9,小店,store,上海,,s 1,,normal\n"
)

FULL_AFTER_500 = """
CREATE TRIGGER full BEFORE INSERT ON mutation WHEN (SELECT count(*) FROM mutation) >= 500
BEGIN SELECT RAISE(ABORT, 'nothing more fits'); END
"""

Bring = Callable[..., Report]


@pytest.fixture
def clerk(company: Company) -> str:
    """Who brings the files."""
    company.user(Role.REP, username="wang")
    return company.user(Role.SALES_CLERK, None)


@pytest.fixture
def bring(company: Company, clerk: str, tmp_path: Path) -> Bring:
    """Takes in rows under the heading."""

    def take(rows: str, *, by: str = clerk, dry_run: bool = False, head: str = HEAD) -> Report:
        path = tmp_path / "customers.csv"
        path.write_text(head + rows, "utf-8")
        store, services = company.store, company.services
        return take_in(store, services, "customers", path, by=by, dry_run=dry_run)

    return take


def records(company: Company, *numbers: str) -> list[str]:
    """The records of these customers."""
    registry = company.services.sync.registry
    found = find_customers(company.store, registry, numbers)
    return [found[number] for number in numbers]


def data(company: Company, number: str) -> dict[str, Any]:
    """A customer as it stands."""
    [record] = records(company, number)
    found = find_record(company.store, record)
    assert found is not None
    return found.data


def counts(report: Report) -> tuple[int, int, int]:
    """Rows, of these new, of these changed."""
    return report.counts.rows, report.counts.added, report.counts.changed


def mutations(company: Company) -> int:
    """How many mutations the store holds."""
    return company.store.scalar(select(func.count()).select_from(MutationRow)) or 0


def test_k1_x13_customers_come_with_their_owner_their_region_and_the_dealers_above(
    company: Company, bring: Bring, clerk: str
) -> None:
    assert counts(bring(ROWS)) == (3, 3, 0)
    sub, dealer, store = records(company, "S-1", "d1", "C 9")
    told = data(company, "S-1")
    assert (told["name"], told["customer_type"], told["phone"]) == (
        "红星批发", "sub_dealer_main", "0571-1"
    )  # fmt: skip
    assert told["region"] == company.regions["hangzhou"]
    assert told["owner"] != clerk == data(company, "D-1")["owner"]
    assert dealers_above(company.store, [store]) == {store: sub, sub: dealer}


def test_the_same_file_a_second_time_writes_nothing(company: Company, bring: Bring) -> None:
    bring(ROWS)
    before = mutations(company)
    assert counts(bring(ROWS)) == (3, 0, 0)
    assert mutations(company) == before
    runs = company.store.scalars(select(ImportRun).order_by(ImportRun.key))
    assert [(run.rows, run.added, run.changed) for run in runs] == [(3, 3, 0), (3, 0, 0)]


def test_b4_what_a_file_changes_is_a_version_of_the_office(
    company: Company, bring: Bring, clerk: str
) -> None:
    bring(ROWS)
    changed = ROWS.replace("0571-1", "").replace("小店", "小店二").replace("s 1", "D-1")
    assert counts(bring(changed)) == (3, 0, 1)
    assert data(company, "S-1")["phone"] == "0571-1"
    [record] = records(company, "C-9")
    versions = history(company.store, record)
    assert [(one.user, one.writer) for one in versions] == [(clerk, "office")] * 4
    assert versions[2].changed == {"name": ("小店", "小店二")}
    assert set(versions[3].changed) == {"dealer"}


def test_p6_what_a_device_changed_meanwhile_meets_the_file_as_any_other_edit(
    company: Company, bring: Bring
) -> None:
    bring(ROWS)
    desk = Desk(company)
    manager = desk.on_device(Role.REGION_MANAGER, "east")
    [record] = records(company, "D-1")
    patch = {"action": "patch", "kind": "customer", "record": record, "base": 1}
    bring(ROWS.replace("+86 21 5", "+86 21 6"))
    result = desk.send(manager, {**patch, "set": {"phone": "+86 21 7"}})
    assert (result["outcome"], data(company, "D-1")["phone"]) == ("conflict", "+86 21 6")


REFUSED = (
    ("X0,n,store,Nowhere,,,,", "region", "unknown"),
    ("X1,n,store,上海,nobody,,,", "owner", "unknown"),
    ("X2,n,store,上海,,D-7,,", "dealer", "unknown"),
    ("X3,n,store,上海,,X3,,", "dealer", "reference"),
    ("X4,n,sub_dealer_main,上海,,x 4,,", "dealer", "reference"),
    ("X5,n,store,上海,,C-9,,", "dealer", "reference"),
    ("X6,n,planet,上海,,,,", "customer_type", "choice"),
    ("--,n,store,上海,,,,", "number", "format"),
    ("X8,=n,store,上海,,,,", "name", "formula"),
    ("d 1,n,store,上海,,,,", "", "repeated:3"),
)


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
def test_k1_bad_rows_keep_every_customer_out_and_are_named(company: Company, bring: Bring) -> None:
    told = bring(ROWS + "".join(f"{row}\n" for row, _column, _reason in REFUSED))
    found = {(one.line, one.column, one.reason) for one in told.wrong}
    expected = enumerate(REFUSED, start=5)
    assert found == {(line, column, reason) for line, (_row, column, reason) in expected}
    assert (told.refused, told.written, mutations(company)) == (len(REFUSED), False, 0)


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
def test_k1_a_dealer_that_is_known_needs_not_be_in_the_file(company: Company, bring: Bring) -> None:
    bring(ROWS)
    told = bring("X,n,sub_dealer_main,上海,,D-1,,\nY,n2,sub_dealer_main,上海,,C-9,,\n")
    assert [(one.line, one.reason) for one in told.wrong] == [(3, "reference")]
    assert counts(bring("X,n,sub_dealer_main,上海,,D-1,,\n")) == (1, 1, 0)


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
def test_what_was_cut_short_is_completed_by_the_same_file(company: Company, bring: Bring) -> None:
    rows = "".join(f"N-{n},n{n},store,上海,,,{n},\n" for n in range(501))
    with transaction(company.store):
        company.store.execute(text(FULL_AFTER_500))
    with pytest.raises(Problem) as refused:
        bring(rows)
    assert refused.value.type.retryable
    assert mutations(company) == 500
    assert company.store.scalar(select(ImportRun.key)) is None
    with transaction(company.store):
        company.store.execute(text("DROP TRIGGER full"))
    assert counts(bring(rows)) == (501, 1, 0)
    assert mutations(company) == 501


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
def test_k4_only_whoever_may_see_every_customer_brings_them(company: Company, bring: Bring) -> None:
    for person in (company.user(Role.ADMINISTRATOR, None), company.user(Role.SALES_CLERK, "east")):
        with pytest.raises(Problem) as refused:
            bring(ROWS, by=person)
        assert refused.value.code == "forbidden"


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
def test_p6_customers_of_a_file_stand_in_the_journal_as_no_device_holds_them(
    app: Flask, bring: Bring
) -> None:
    bring(ROWS)
    kept = journal_of(app).read_text("utf-8")
    assert [name for name in ("红星批发", "大华商贸", "小店") if name not in kept] == []


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
def test_a_dry_run_writes_no_customer(company: Company, bring: Bring) -> None:
    assert counts(bring(ROWS, dry_run=True)) == (3, 3, 0)
    assert mutations(company) == 0


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
def test_p5_an_owner_holds_what_a_file_gave_them(company: Company, bring: Bring) -> None:
    bring(ROWS)
    desk = Desk(company)
    rep = desk.rep("hangzhou")
    [record] = records(company, "S-1")
    told = desk.send(rep, {"action": "create", "kind": "visit", "set": visit(customer=record)})
    assert told["outcome"] == "waiting"
    assert desk.record(record).scopes == {
        f"user:{data(company, 'S-1')['owner']}", f"region:{company.regions['hangzhou']}"
    }  # fmt: skip
