"""Where everything saved stands, told for people: the outbox, what needs someone, the status.

Reads only; whatever is not at its end has a reason here (P8).
"""

import json
from collections.abc import Iterator
from typing import Any

from fieldstamp import _pace, _words
from fieldstamp._ports import Clock
from fieldstamp._store import Transaction
from fieldstamp._values import NeedsYou, OutboxItem, Status


def outbox(transaction: Transaction, language: str) -> list[OutboxItem]:
    """Everything that has not reached its end, mutations first, each with its reason."""
    return [*_mutations(transaction, language), *_uploads(transaction, language)]


def _mutations(transaction: Transaction, language: str) -> Iterator[OutboxItem]:
    rows = transaction.rows(
        "SELECT id, kind, record, state, problem, saved_at, length(body) FROM open_mutation"
        " ORDER BY n"
    )
    for mutation, kind, record, state, problem, saved_at, size in rows:
        reason, action = _explained(state, problem, language)
        yield OutboxItem(
            id=mutation,
            what="mutation",
            kind=kind,
            record=record,
            state=state,
            reason=reason,
            action=action,
            saved_at=saved_at,
            bytes_total=size,
        )


def _uploads(transaction: Transaction, language: str) -> Iterator[OutboxItem]:
    rows = transaction.rows(
        "SELECT u.record, u.part, m.kind, u.state, u.problem, m.saved_at, u.bytes, u.taken,"
        " m.state = 'ready' OR m.state = 'aside', u.url IS NOT NULL"
        " FROM open_upload u JOIN mutation m ON m.n = u.n ORDER BY u.n"
    )
    for record, part, kind, state, problem, saved_at, size, taken, is_held, begun in rows:
        told = state if state != "ready" else "held" if is_held else "sending" if begun else state
        reason, action = _explained(told, problem, language)
        yield OutboxItem(
            id=f"{record}/{part}",
            what="upload",
            kind=kind,
            record=record,
            state=told,
            reason=reason,
            action=action,
            saved_at=saved_at,
            bytes_total=size,
            bytes_taken=taken,
        )


def _explained(state: str, problem: str | None, language: str) -> tuple[str, str]:
    """Our own words where there are some, else those of the server."""
    told = json.loads(problem) if problem else {}
    code = str(told.get("code", state))
    reason = _words.reason(code, language) or told.get("title") or _words.reason(state, language)
    action = _words.action(code, language) or told.get("action") or _words.action(state, language)
    return reason or code, action or ""


def needs_you(transaction: Transaction, language: str) -> tuple[NeedsYou, ...]:
    """What does not move on without a person."""
    return (
        *_paused(transaction, language),
        *_stuck(transaction, language),
        *_rejected(transaction, language),
    )


def _paused(transaction: Transaction, language: str) -> Iterator[NeedsYou]:
    codes = [transaction.value("paused"), transaction.value("forked")]
    for code in filter(None, codes):
        reason, action = _explained("login_needed", json.dumps({"code": code}), language)
        yield NeedsYou(id="", kind="device", record="", code=code, title=reason, action=action)


def _stuck(transaction: Transaction, language: str) -> Iterator[NeedsYou]:
    rows = transaction.rows(
        "SELECT id, kind, record, state, problem FROM mutation WHERE state = 'aside'"
        " UNION ALL SELECT u.record || '/' || u.part, m.kind, u.record, u.state, u.problem"
        " FROM upload u JOIN mutation m ON m.n = u.n WHERE u.state = 'stopped'"
    )
    for stuck, kind, record, state, problem in rows:
        code = json.loads(problem or "{}").get("code", state)
        reason, action = _explained(state, problem, language)
        yield NeedsYou(id=stuck, kind=kind, record=record, code=code, title=reason, action=action)


def _rejected(transaction: Transaction, language: str) -> Iterator[NeedsYou]:
    """Refused work stays in sight until it is sent again in another form, or dismissed."""
    rows = transaction.rows(
        "SELECT m.id, m.kind, m.record, m.problem, r.data FROM mutation m"
        " LEFT JOIN record r ON r.id = m.id AND r.kind = 'parked'"
        " WHERE m.state = 'rejected'"
        " AND NOT EXISTS (SELECT 1 FROM mutation c WHERE c.restores = m.id) ORDER BY m.n"
    )
    for mutation, kind, record, problem, parked in rows:
        if parked and json.loads(parked).get("state", "open") != "open":
            continue
        told: dict[str, Any] = json.loads(problem or "{}")
        reason, action = _explained("rejected", problem, language)
        yield NeedsYou(
            id=mutation,
            kind=kind,
            record=record,
            code=str(told.get("code", "rejected")),
            title=reason,
            action=action,
            fields={name: str(text) for name, text in (told.get("fields") or {}).items()},
        )


def open_counts(transaction: Transaction) -> tuple[int, int, int]:
    """Mutations without a final outcome, uploads not at their end, and bytes still to send."""
    mutations = transaction.one("SELECT count(*) FROM open_mutation")
    uploads = transaction.one("SELECT count(*), coalesce(sum(bytes - taken), 0) FROM open_upload")
    return (mutations or (0,))[0], *(uploads or (0, 0))


def status(transaction: Transaction, clock: Clock, language: str) -> Status:
    """Where this store stands."""
    account = transaction.value("account") or {}
    mutations, uploads, size = open_counts(transaction)
    oldest = transaction.one("SELECT saved_at FROM open_mutation ORDER BY n")
    return Status(
        enrolled=bool(account) and transaction.value("hello") is not None,
        user=account.get("user"),
        device=account.get("device") or transaction.value("device"),
        server=account.get("server"),
        pending_mutations=mutations,
        pending_uploads=uploads,
        pending_bytes=size,
        oldest_pending=oldest[0] if oldest else None,
        needs_you=needs_you(transaction, language),
        paused=transaction.value("paused"),
        synced=not mutations and not uploads and bool(transaction.value("synced")),
        retry_in_s=_pace.left_s(_pace.read(transaction.value("wait")), clock),
        stalls=int(transaction.value("stalls") or 0),
    )


def note_stall(transaction: Transaction, clock: Clock) -> bool:
    """P8: whether something waits and its next try is overdue; counts each time it does."""
    mutations, uploads, _ = open_counts(transaction)
    wait = _pace.read(transaction.value("wait"))
    stalled = bool(mutations or uploads) and _pace.is_overdue(wait, clock)
    if stalled:
        transaction.keep("stalls", int(transaction.value("stalls") or 0) + 1)
    return stalled
