"""X4, X5: a case is looked at when something bears on it, only then, and whatever others do."""

from pathlib import Path

import pytest
from click.testing import CliRunner
from sqlalchemy import func, select, update

from server.cli import cli
from server.db import transaction
from server.domain.cases import following
from server.domain.cases.actions import follow_cases, is_behind
from server.domain.cases.queries import stuck_looks
from server.domain.cases.tables import CaseBasis, CaseLook
from server.people.principal import Principal, Role
from server.people.regions import load_tree
from server.settings import Settings
from server.sync.feed import number_feed
from server.sync.queries import children
from server.sync.tables import Record
from server.upkeep.imports import take_in
from server.values import replace
from tests.company import Company
from tests.domain.disputes import Dispute
from tests.domain.records import POLICY

PRODUCTS = "code,name_zh\nT-1,Tea\n"
BATCHES = "Batch,Product code\nB-1,T-1\n"
SHIPMENTS = (
    "Delivery note,Batch number,Product code,Shipped on,Customer number,Market,Quantity,Unit\n"
    "N1,b1,T-1,2026-01-05,C-1,广州,30,piece\n"
)


@pytest.fixture
def dispute(company: Company) -> Dispute:
    """A company with something to argue about."""
    return Dispute(company)


def bring(dispute: Dispute, folder: Path) -> None:
    """The company's tables come, after the cases did."""
    store, services = dispute.company.store, dispute.company.services
    clerk = dispute.company.user(Role.SALES_CLERK, None)
    for what, rows in (("products", PRODUCTS), ("batches", BATCHES), ("shipments", SHIPMENTS)):
        path = folder / f"{what}.csv"
        path.write_text(rows, encoding="utf-8")
        assert take_in(store, services, what, path, by=clerk, dry_run=False).written


def look_once(dispute: Dispute) -> int:
    """One look of the worker at what is due; how many cases that were."""
    number_feed(dispute.company.store)
    return follow_cases(dispute.company.store, dispute.company.services.sync, POLICY)


def point(dispute: Dispute, found: str, name: str) -> str:
    """What the check says of one point."""
    told = {one["point"]: one["result"] for one in dispute.data(found)["check_points"]}
    return str(told[name])


def customer(dispute: Dispute, manager: Principal, number: str) -> str:
    """A dealer with the company's number."""
    record = dispute.create(manager, "customer", name=number, customer_type="dealer")
    wire = {"action": "patch", "kind": "customer", "record": record, "base": 1}
    told = dispute.send(dispute.officer, {**wire, "set": {"number": number}}, writer="server")
    assert told["outcome"] == "applied"
    return record


def answered(dispute: Dispute, to: str = "C-1") -> str:
    """A case whose batch was shipped to one customer, as logistics says."""
    found = dispute.submitted()
    dispute.look()
    (trace,) = children(dispute.company.store, found, "batch_trace")
    values = {"market": "广州", "customer": to, "quantity": 30, "unit": "piece"}
    dispute.decide(
        dispute.reviewer(Role.LOGISTICS_OFFICER, None), trace.id, "shipped_to", values=values
    )
    dispute.look()
    return found


def test_x5_shipments_that_come_after_the_case_are_proposed_to_logistics(
    dispute: Dispute, tmp_path: Path
) -> None:
    found = dispute.submitted()
    dispute.look()
    (trace,) = children(dispute.company.store, found, "batch_trace")
    assert trace.data["proposed"] == []
    bring(dispute, tmp_path)
    dispute.look()
    assert [one["customer"] for one in dispute.data(trace.id)["proposed"]] == ["C-1"]


def test_x5_a_customer_whose_number_is_entered_later_is_known_as_the_accused(
    dispute: Dispute,
) -> None:
    found = answered(dispute)
    assert dispute.data(found)["derived_accused"] == "C-1"
    south = dispute.on_device(Role.REGION_MANAGER, "south")
    record = customer(dispute, south, "c 1")  # logistics wrote it otherwise
    dispute.look()
    assert dispute.data(found)["derived_accused"] == record


def test_k6_a_licence_that_is_entered_later_is_seen_without_a_touch_of_the_case(
    dispute: Dispute,
) -> None:
    manager = dispute.on_device(Role.REGION_MANAGER, "east")
    dealer = customer(dispute, manager, "C-1")
    found = answered(dispute)
    assert point(dispute, found, "not_licensed") == "yes"
    region = dispute.company.regions["shanghai"]
    licence = {"dealer": dealer, "regions": [region], "products": ["Tea"], "start": "2026-01-01"}
    dispute.create(manager, "licence", **licence)
    dispute.look()
    assert point(dispute, found, "not_licensed") == "no"


def test_x5_a_source_that_is_known_no_more_accuses_nobody(dispute: Dispute) -> None:
    found = answered(dispute)
    (trace,) = children(dispute.company.store, found, "batch_trace")
    logistics = dispute.reviewer(Role.LOGISTICS_OFFICER, None)
    dispute.wait(minutes=1)
    dispute.decide(logistics, trace.id, "asked_again")
    dispute.wait(minutes=1)
    dispute.decide(logistics, trace.id, "not_shipped")
    dispute.look()
    assert "derived_accused" not in dispute.data(found)
    assert dispute.data(found)["sources"] == []


def test_x4_only_what_something_new_bears_on_is_looked_at(dispute: Dispute) -> None:
    quiet, touched = dispute.submitted(), dispute.submitted()
    dispute.look()
    versions = {case: dispute.record(case).version for case in (quiet, touched)}
    assert look_once(dispute) == 0
    dispute.patch(dispute.seller, touched, place="仓库")
    assert look_once(dispute) == 1
    assert look_once(dispute) == 0
    assert dispute.record(quiet).version == versions[quiet]


def test_x4_other_rules_look_at_every_case_again_once(dispute: Dispute) -> None:
    dispute.submitted(), dispute.submitted()
    dispute.look()
    store, sync = dispute.company.store, dispute.company.services.sync
    newer = replace(POLICY, version=POLICY.version + 1)
    assert (follow_cases(store, sync, newer), follow_cases(store, sync, newer)) == (2, 0)


def test_x4_what_changed_before_a_crash_is_looked_at_after_it(dispute: Dispute) -> None:
    found, store = dispute.submitted(), dispute.company.store
    number_feed(store)
    now = dispute.company.services.clock.now()
    following.note_changes(store, following.rules_now(POLICY, load_tree(store)), now)
    store.rollback()
    assert is_behind(store, dispute.company.services.sync, POLICY)
    dispute.look()
    assert dispute.data(found)["check_points"]
    assert not is_behind(store, dispute.company.services.sync, POLICY)


def damage(dispute: Dispute, case: str) -> str:
    """Leaves of a case what no rule can work with; what it said."""
    store = dispute.company.store
    said = store.scalars(select(Record.data).where(Record.id == case)).one()
    left = f'{{"number":"{dispute.data(case)["number"]}","state":"submitted"}}'
    with transaction(store):
        store.execute(update(Record).where(Record.id == case).values(data=left))
    return said


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
def test_p8_an_administrator_is_told_which_case_cannot_be_looked_at_and_what_to_do(
    dispute: Dispute, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FIELDSTAMP_DATA", str(settings.data))
    monkeypatch.setenv("FIELDSTAMP_DATABASE", settings.database)
    found = dispute.submitted()
    number = dispute.data(found)["number"]
    assert CliRunner().invoke(cli, ["status"]).exit_code == 0
    damage(dispute, found)
    dispute.look()
    told = CliRunner().invoke(cli, ["status"])
    assert told.exit_code == 1
    assert f"cross_region_case {number} ({found}): KeyError (looking.py:" in told.output
    assert "Open each of them in the back" in told.output


def test_p8_a_case_that_cannot_be_looked_at_waits_by_itself_and_is_tried_again(
    dispute: Dispute,
) -> None:
    store = dispute.company.store
    broken, sound = dispute.submitted(), dispute.submitted()
    whole = damage(dispute, broken)
    broken_at = dispute.company.services.clock.now()
    dispute.look()
    assert dispute.data(sound)["check_points"]
    (stuck,) = stuck_looks(store)
    assert (stuck.record, stuck.kind, stuck.tries) == (broken, "cross_region_case", 1)
    assert (stuck.failure.split(":")[0], stuck.since) == ("KeyError (looking.py", broken_at)
    assert look_once(dispute) == 0
    with transaction(store):
        store.execute(update(Record).where(Record.id == broken).values(data=whole))
    dispute.wait(minutes=1)
    dispute.look()
    assert dispute.data(broken)["check_points"]
    assert stuck_looks(store) == []


def test_p8_a_customer_that_no_table_can_hold_keeps_no_case_from_being_followed(
    dispute: Dispute,
) -> None:
    found = answered(dispute, "x" * 200)
    assert dispute.data(found)["derived_accused"] == "x" * 200
    assert not is_behind(dispute.company.store, dispute.company.services.sync, POLICY)


def test_x4_a_case_that_is_over_is_followed_no_more(dispute: Dispute) -> None:
    found, store = dispute.submitted(), dispute.company.store
    dispute.look()
    assert store.scalar(select(func.count()).select_from(CaseBasis))
    dispute.take(dispute.officer, found, "not_accepted")
    dispute.look()
    assert store.scalar(select(func.count()).select_from(CaseBasis)) == 0
    assert store.scalar(select(func.count()).select_from(CaseLook)) == 0
