"""What is known of bytes on their way: rows that move forward only. Nothing here speaks HTTP.

An upload is ``verified`` only when the server said so of those very bytes (M4). What a row says of
an offset is only a hint: the server's is the truth (M1).
"""

import json
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import astuple, dataclass, replace
from typing import Any

from fieldstamp._store import Transaction

_MOST_REFUSALS = 3
_UPLOAD = (
    "SELECT u.record, u.part, u.sha256, u.bytes, u.type, u.key, u.url, u.state, u.refusals"
    " FROM upload u"
)


@dataclass(frozen=True, slots=True)
class Upload:
    """One file on its way."""

    record: str
    part: str
    sha256: str
    bytes: int
    type: str
    key: str
    url: str | None = None
    state: str = "ready"
    refusals: int = 0


def add(transaction: Transaction, upload: Upload, *, n: int) -> None:
    """Queues bytes in the transaction that saves mutation ``n``, which names them."""
    transaction.run(
        "INSERT INTO upload (record, part, sha256, bytes, type, key, url, state, refusals, n)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        *astuple(upload),
        n,
    )


def due(transaction: Transaction) -> list[Upload]:
    """What can be sent now: previews first, and only after the server received the record."""
    rows = transaction.rows(
        f"{_UPLOAD} JOIN mutation m ON m.n = u.n"
        " WHERE u.state = 'ready' AND m.state NOT IN ('ready', 'aside')"
        " ORDER BY u.part = 'original', m.lane, u.n"
    )
    return [Upload(*row) for row in rows]


def find(transaction: Transaction, record: str, part: str) -> Upload | None:
    """One upload, or None."""
    row = transaction.one(f"{_UPLOAD} WHERE record = ? AND part = ?", record, part)
    return None if row is None else Upload(*row)


def unacknowledged(transaction: Transaction) -> list[str]:
    """Hashes of originals that are with the server and for which it has signed nothing yet."""
    rows = transaction.rows(
        "SELECT DISTINCT sha256 FROM upload WHERE part = 'original'"
        " AND (state = 'sent' OR (state = 'verified' AND ack IS NULL))"
    )
    return [row[0] for row in rows]


def note_states(
    transaction: Transaction, said: Mapping[str, Any], *, new_key: Callable[[], str]
) -> int:
    """Takes over what just pulled data, by record, say of their bytes; counts those that hold."""
    verified = 0
    for record, data in said.items():
        if "sha256" not in data:
            continue
        upload = find(transaction, record, "original")
        if upload is None or upload.state == "verified" or upload.sha256 != data["sha256"]:
            continue
        if data.get("state") == "verified":
            mark(transaction, upload, state="verified")
            verified += 1
        elif data.get("state") == "refused" and upload.state == "sent":
            again = replace(upload, key=new_key(), refusals=upload.refusals + 1)
            start_again(transaction, again)
    return verified


def note_acks(
    transaction: Transaction, acks: Iterable[Mapping[str, Any]], *, epoch: str, server_ms: int
) -> int:
    """Stores the photo acknowledgements of this epoch; returns how many uploads they verified."""
    verified = 0
    for ack in acks:
        upload = find(transaction, str(ack.get("photo")), "original")
        if upload is None or ack.get("epoch") != epoch:
            continue
        if (ack.get("sha256"), ack.get("bytes")) == (upload.sha256, upload.bytes):
            verified += upload.state != "verified"
            mark(transaction, upload, state="verified")
            transaction.run(
                "UPDATE upload SET ack = ?, acked_ms = ?, shown = NULL"
                " WHERE record = ? AND part = 'original'",
                json.dumps(ack, ensure_ascii=False),
                server_ms,
                upload.record,
            )
    return verified


def reopen(transaction: Transaction, *, new_key: Callable[[], str]) -> None:
    """After a new epoch nothing counts as verified before the server says so again.

    The acknowledgements of the epoch before are kept to be shown: a server that has the bytes and
    has forgotten them takes them back by them. What was freed here cannot be sent again, and
    stays verified.
    """
    transaction.run(
        "UPDATE upload SET shown = coalesce(ack, shown), ack = NULL, acked_ms = NULL,"
        " state = CASE freed WHEN 0 THEN 'sent' ELSE state END"
        " WHERE part = 'original' AND state = 'verified'"
    )
    _restart(transaction, " WHERE part <> 'original' AND state = 'sent'", (), new_key=new_key)


def take_unknown(transaction: Transaction) -> int:
    """Uploads that the server knows no photo for, though it had acknowledged its mutation.

    They begin anew. Returns how many they were.
    """
    return transaction.run(
        "UPDATE upload SET problem = NULL, url = NULL"
        " WHERE state = 'ready' AND json_extract(problem, '$.code') = 'not_found'"
    )


def to_show(transaction: Transaction, hashes: Collection[str]) -> list[Any]:
    """The acknowledgements of an earlier epoch for these bytes."""
    rows = transaction.rows("SELECT sha256, shown FROM upload WHERE shown IS NOT NULL")
    return [json.loads(shown) for sha256, shown in rows if sha256 in hashes]


def send_lost(transaction: Transaction, *, new_key: Callable[[], str]) -> int:
    """Sends again what was sent and what the server has not acknowledged; returns how many."""
    where = " WHERE part = 'original' AND state = 'sent' AND ack IS NULL"
    return _restart(transaction, where, (), new_key=new_key)


def to_free(transaction: Transaction, *, before_ms: int) -> list[str]:
    """The SHA-256 of originals that were acknowledged before ``before_ms``.

    Bytes that any other upload still needs are not among them.
    """
    rows = transaction.rows(
        "SELECT sha256 FROM upload GROUP BY sha256 HAVING min(freed) = 0 AND min("
        " part = 'original' AND state = 'verified' AND coalesce(acked_ms < ?, 0)) = 1",
        before_ms,
    )
    return [sha256 for (sha256,) in rows]


def note_freed(transaction: Transaction, sha256: str) -> None:
    """Remembers that these bytes are not kept on this device any more."""
    transaction.run("UPDATE upload SET freed = 1 WHERE sha256 = ?", sha256)


def restart(transaction: Transaction, record: str, *, new_key: Callable[[], str]) -> int:
    """Sends the stopped uploads of a record again from the start; returns how many."""
    where = " WHERE record = ? AND state = 'stopped'"
    return _restart(transaction, where, (record,), new_key=new_key)


def _restart(
    transaction: Transaction, where: str, values: tuple[str, ...], *, new_key: Callable[[], str]
) -> int:
    rows = transaction.rows(_UPLOAD + where, *values)
    for row in rows:
        start_again(transaction, replace(Upload(*row), key=new_key(), refusals=0))
    return len(rows)


def start_again(transaction: Transaction, upload: Upload) -> bool:
    """Keeps ``upload`` as one that begins anew; False where it was refused too often to go on."""
    goes_on = upload.refusals < _MOST_REFUSALS
    transaction.run(
        "UPDATE upload SET key = ?, url = NULL, taken = 0, refusals = ?, ack = NULL,"
        " acked_ms = NULL"
        " WHERE record = ? AND part = ?",
        upload.key,
        upload.refusals,
        upload.record,
        upload.part,
    )
    problem = {"code": "refused"} if upload.refusals else None
    mark(transaction, upload, state="ready" if goes_on else "stopped", problem=problem)
    return goes_on


def keep_place(transaction: Transaction, upload: Upload, *, taken: int) -> None:
    """Remembers where an upload lives on the server, and how far it was."""
    transaction.run(
        "UPDATE upload SET url = ?, taken = ? WHERE record = ? AND part = ?",
        upload.url,
        taken,
        upload.record,
        upload.part,
    )


def mark(
    transaction: Transaction,
    upload: Upload,
    *,
    state: str,
    problem: Mapping[str, str] | None = None,
) -> None:
    """Moves an upload to ``state``, with the reason where it stays."""
    transaction.run(
        "UPDATE upload SET state = ?, problem = ? WHERE record = ? AND part = ?",
        state,
        json.dumps(problem, ensure_ascii=False) if problem else None,
        upload.record,
        upload.part,
    )
