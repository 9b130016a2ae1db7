"""The queue of sealed mutations: what is sent next, what became of it, why something stays.

A mutation leaves the queue only when its final outcome is stored in the same transaction (P2, P3).
Nothing here speaks HTTP.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fieldstamp import _replica, _seal, _wire
from fieldstamp._answers import FINAL, Result, is_acknowledged
from fieldstamp._capture import chain_start
from fieldstamp._kinds import URGENT
from fieldstamp._store import Row, Transaction
from fieldstamp._values import Mutation

LARGEST_BATCH = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """One mutation that can be sent, without its body; ``n`` is its place in the queue."""

    n: int
    id: str
    record: str
    action: str
    lane: int
    bundle: str | None
    size: int
    aside: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """What settling a batch brought."""

    outcomes: Mapping[str, int]
    waiting: tuple[int, ...] = ()
    retry_after_s: float = 0
    forked: bool = False
    """Another store has sealed under the present device's name and number."""


def ready(transaction: Transaction) -> list[Ready]:
    """Everything without a final outcome, in order of n."""
    rows = transaction.rows(
        "SELECT n, id, record, action, lane, bundle, length(body) + length(seal), state = 'aside'"
        " FROM open_mutation ORDER BY n"
    )
    names = ("n", "id", "record", "action", "lane", "bundle", "size", "aside")
    return [Ready(**dict(zip(names, row, strict=True))) for row in rows]


def in_sending_order(transaction: Transaction, items: Sequence[Ready]) -> list[Ready]:
    """Urgent mutations and all they need first, then the rest; each part in order of n."""
    ahead = _urgent_closure(transaction, items)
    return sorted(items, key=lambda item: (item.n not in ahead, item.n))


def _urgent_closure(transaction: Transaction, items: Sequence[Ready]) -> set[int]:
    waiting = [item for item in items if item.lane == URGENT]
    if not waiting:
        return set()
    by_id = {item.id: item for item in items}
    by_record: dict[str, list[Ready]] = {}
    by_bundle: dict[str, list[Ready]] = {}
    for item in items:
        by_record.setdefault(item.record, []).append(item)
        if item.bundle:
            by_bundle.setdefault(item.bundle, []).append(item)
    ahead: set[int] = set()
    while waiting:
        item = waiting.pop()
        if item.n in ahead:
            continue
        ahead.add(item.n)
        waiting += [other for other in by_record[item.record] if other.n < item.n]
        waiting += by_bundle.get(item.bundle or "", [])
        for named in _named_in(transaction, item.n):
            waiting += [other for other in by_record.get(named, ()) if other.action == "create"]
            waiting += [by_id[named]] if named in by_id else []
    return ahead


def _named_in(transaction: Transaction, n: int) -> Iterator[str]:
    """The texts in a mutation's fields and ``after``: among them the ids of all it needs."""
    row = transaction.one("SELECT body FROM mutation WHERE n = ?", n)
    body = json.loads(row[0]) if row else {}
    open_values: list[Any] = [body.get("set", {}), body.get("after")]
    while open_values:
        value = open_values.pop()
        if isinstance(value, str):
            yield value
        elif isinstance(value, dict):
            open_values += value.values()
        elif isinstance(value, list):
            open_values += value


def batches(items: Sequence[Ready], *, most: int, most_bytes: int) -> Iterator[list[Ready]]:
    """Cuts ``items`` into batches within both limits, without cutting a group where it fits."""
    batch: list[Ready] = []
    size = 0
    for bundle in _bundles(items):
        bundle_size = sum(item.size + 1 for item in bundle)
        if batch and (len(batch) + len(bundle) > most or size + bundle_size > most_bytes):
            yield batch
            batch, size = [], 0
        batch += bundle
        size += bundle_size
    if batch:
        yield batch


def _bundles(items: Sequence[Ready]) -> Iterator[list[Ready]]:
    bundle: list[Ready] = []
    for item in items:
        if bundle and (item.bundle is None or item.bundle != bundle[0].bundle):
            yield bundle
            bundle = []
        bundle.append(item)
    if bundle:
        yield bundle


def envelope(transaction: Transaction, batch: Sequence[Ready], *, sent_at: str) -> bytes:
    """The body of a push: the very bytes that were sealed, each with its seal beside them."""
    sealed = []
    for item in batch:
        row = transaction.one("SELECT body, seal FROM mutation WHERE n = ?", item.n)
        if row is not None:
            sealed.append(row[0][:-1] + b',"seal":' + row[1] + b"}")
    head = {"acked_through": acked_through(transaction), "protocol": 1, "sent_at": sent_at}
    return b'{"mutations":[' + b",".join(sealed) + b"]," + _wire.dump(head)[1:]


def acked_through(transaction: Transaction) -> int:
    """The largest n such that every own mutation up to it has a stored final outcome."""
    row = transaction.one(
        "SELECT coalesce((SELECT min(n) - 1 FROM open_mutation), (SELECT max(n) FROM mutation), 0)"
    )
    return max(0, int(row[0]) - chain_start(transaction)) if row else 0


def settle(
    transaction: Transaction,
    batch: Sequence[Ready],
    results: Mapping[str, Result],
    *,
    epoch: str,
    key: _seal.PublicKey,
    server_ms: int,
) -> Settled:
    """Stores what became of a batch; what the answer does not settle stays as it was (P8)."""
    outcomes: dict[str, int] = {}
    waiting: list[int] = []
    retry_after_s, forked = 0.0, False
    present = chain_start(transaction)
    for item in batch:
        result = results.get(item.id)
        outcome = None if result is None else result.outcome
        if result is None or outcome is None or not _believed(transaction, item, result, key):
            retry_after_s = max(retry_after_s, result.after_s if result else 0)
            continue
        outcomes[outcome] = outcomes.get(outcome, 0) + 1
        forked = forked or (result.raw.get("fork") is True and item.n > present)
        _store_outcome(transaction, item, result, server_ms)
        _store_effect(transaction, item, result, epoch)
        if outcome == "waiting":
            waiting.append(item.n)
    return Settled(
        outcomes=outcomes,
        waiting=tuple(waiting),
        retry_after_s=retry_after_s,
        forked=forked,
    )


def _believed(transaction: Transaction, item: Ready, result: Result, key: _seal.PublicKey) -> bool:
    """A final outcome counts only with the server's signature over this very mutation."""
    if result.outcome not in FINAL:
        return True
    row = transaction.one("SELECT digest FROM mutation WHERE n = ?", item.n)
    if row is not None and is_acknowledged(result, digest=row[0], key=key):
        return True
    problem = {"code": "bad_ack"}
    transaction.run("UPDATE mutation SET problem = ? WHERE n = ?", json.dumps(problem), item.n)
    return False


def _store_outcome(transaction: Transaction, item: Ready, result: Result, server_ms: int) -> None:
    final = result.outcome in FINAL
    transaction.run(
        "UPDATE mutation SET state = ?, result = ?, version = ?, problem = ?, settled_ms = ?"
        " WHERE n = ?",
        result.outcome,
        json.dumps(result.raw, ensure_ascii=False),
        result.version,
        json.dumps(result.problem, ensure_ascii=False) if result.problem else None,
        server_ms if final else None,
        item.n,
    )
    if result.ack is not None and final:
        transaction.run(
            "INSERT OR IGNORE INTO ack (mutation, epoch, ack) VALUES (?, ?, ?)",
            item.id,
            str(result.ack.get("epoch", "")),
            _wire.dump(result.ack).decode(),
        )


def _store_effect(transaction: Transaction, item: Ready, result: Result, epoch: str) -> None:
    """Only an own edit that the server took stays laid over, until its version is here."""
    if result.outcome in {"conflict", "rejected"}:
        transaction.run("UPDATE mutation SET laid = 0 WHERE n = ?", item.n)
    if result.data is not None and result.data_version is not None:
        row = transaction.one("SELECT kind FROM mutation WHERE n = ?", item.n)
        _replica.write_copy(
            transaction,
            record=item.record,
            kind=row[0] if row else "",
            version=result.data_version,
            epoch=epoch,
            data=_wire.dump(result.data).decode(),
        )
    else:
        _replica.uncover(transaction, item.record, epoch=epoch)


def set_aside(transaction: Transaction, item: Ready, problem: Mapping[str, object]) -> None:
    """Takes one mutation out of the others' way, visibly; it is tried alone at each sync."""
    transaction.run(
        "UPDATE mutation SET state = 'aside', problem = ? WHERE n = ?",
        json.dumps(problem, ensure_ascii=False),
        item.n,
    )


def reopen(transaction: Transaction) -> int:
    """Where the server has lost what it acknowledged, every mutation is unsent again.

    P6: all of them, since nobody here knows how old the store is that came back; what it still
    has, it answers as before (P2). Acknowledgements are kept. Returns how many were reopened.
    """
    return transaction.run(
        "UPDATE mutation SET state = 'ready', laid = 1, result = NULL, version = NULL,"
        " problem = NULL, settled_ms = NULL WHERE settled_ms IS NOT NULL"
    )


_MUTATION = (
    "SELECT m.id, m.action, m.kind, m.record, m.body, m.digest, m.seal, m.saved_at, m.state,"
    " m.version, (SELECT ack FROM ack WHERE mutation = m.id ORDER BY place DESC LIMIT 1)"
    " FROM mutation m"
)


def evidence(transaction: Transaction, record: str | None) -> list[Mutation]:
    """Every mutation of this device, or of one record, in order of n."""
    chosen = " WHERE m.record = coalesce(?, m.record) ORDER BY m.n"
    return [_mutation(row) for row in transaction.rows(_MUTATION + chosen, record)]


def _mutation(row: Row) -> Mutation:
    body, seal = json.loads(row[4]), json.loads(row[6])
    return Mutation(
        id=row[0],
        device=body["device"],
        n=body["n"],
        action=row[1],
        kind=row[2],
        record=row[3],
        body=row[4],
        digest=row[5],
        prev=seal["prev"],
        signature=seal["sig"],
        saved_at=row[7],
        state=row[8],
        outcome=row[8] if row[8] in FINAL | {"waiting"} else None,
        version=row[9],
        ack=json.loads(row[10]) if row[10] else None,
    )
