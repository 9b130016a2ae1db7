"""The replica of the SDK against the contract vectors: what is held after what was sent."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fieldstamp import _pages, _replica, _wire
from fieldstamp._store import Store, Transaction

CASES = json.loads(Path(__file__).with_name("vectors").joinpath("replica.json").read_text())[
    "cases"
]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """An empty store of a device."""
    store = Store(tmp_path / "field.db")
    yield store
    store.close()


def take_page(transaction: Transaction, told: dict[str, Any]) -> None:
    """A page of the feed."""
    page = _pages.read_page({"cursor": "c", "more": False, **told})
    assert isinstance(page, _pages.Page)
    _replica.apply_page(transaction, page)


def take_snapshot(transaction: Transaction, told: dict[str, Any]) -> None:
    """A page of a snapshot."""
    if transaction.value("snapshot") is None:
        _replica.begin_snapshot(transaction)
    rest = {"cursor": "tail", "more": not told["last"], "page": "next"}
    _replica.apply_snapshot(transaction, _pages.read_snapshot({**rest, **told}))


def take_outcome(transaction: Transaction, told: dict[str, Any]) -> None:
    """The data in the result of a push."""
    _replica.write_copy(
        transaction,
        record=told["record"],
        kind=told["kind"],
        version=told["data_version"],
        epoch=told["epoch"],
        data=_wire.dump(told["data"]).decode(),
    )


def take_repair(transaction: Transaction, told: dict[str, Any]) -> None:
    """The content of some buckets."""
    items = _pages.read_repair(told).items
    assert items is not None
    scope, buckets = told["scope"], told["buckets"]
    _replica.repair_buckets(transaction, scope, buckets, items, epoch=told["epoch"])


STEPS = {
    "page": take_page,
    "snapshot": take_snapshot,
    "outcome": take_outcome,
    "repair": take_repair,
}


def held(transaction: Transaction) -> dict[str, Any]:
    """Every record of the server in the store, as the vectors tell it."""
    pairs: dict[str, list[str]] = {}
    for record, scope in transaction.rows("SELECT record, scope FROM pair ORDER BY scope"):
        pairs.setdefault(record, []).append(scope)
    rows = transaction.rows("SELECT id, version, data, withdrawn FROM record")
    return {
        record: {
            "version": version,
            "data": json.loads(data),
            "scopes": pairs.get(record, []),
            "withdrawn": bool(withdrawn),
        }
        for record, version, data, withdrawn in rows
    }


@pytest.mark.parametrize("case", [pytest.param(case, id=case["name"]) for case in CASES])
def test_p7_a_device_holds_what_the_contract_says(store: Store, case: dict[str, Any]) -> None:
    for step in case["steps"]:
        [(sort, told)] = step.items()
        with store.write() as transaction:
            STEPS[sort](transaction, told)
    with store.read() as transaction:
        assert held(transaction) == case["holds"]
        told_sums = [(d["scope"], d["count"], d["sum"]) for d in case.get("digest", ())]
        assert _replica.mismatches(transaction, told_sums) == []
