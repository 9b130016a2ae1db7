"""Small pictures that come back from the server: of photos that somebody gave guidance on.

A device that has freed an original, or never had it, can then show what the guidance is about. A
row is a wish until its ``sha256`` is there.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from fieldstamp import _answers, _replica, _uploads
from fieldstamp._blobs import Blobs
from fieldstamp._ports import Response
from fieldstamp._session import Session
from fieldstamp._store import Store, Transaction
from fieldstamp._values import Progress
from fieldstamp._wire import sha256_hex

_AT_ONCE = 20
_GUIDANCE = "guidance"


def wish(transaction: Transaction, record: str) -> None:
    """The preview of a photo, whose bytes are not here, is to come with the next sync."""
    transaction.run("INSERT OR REPLACE INTO preview (record) VALUES (?)", record)


def wish_for_guided(transaction: Transaction, pulled: Mapping[str, Any], *, blobs: Blobs) -> None:
    """Wishes for the photos of just pulled records on which there is guidance."""
    for record, data in pulled.items():
        above = _replica.find(transaction, str(data.get("parent"))) if "sha256" in data else None
        if data.get(_GUIDANCE) or (above and above.get(_GUIDANCE)):
            for photo in [record, *_photos_under(transaction, record)]:
                if _needs(transaction, photo, blobs):
                    wish(transaction, photo)


def _photos_under(transaction: Transaction, parent: str) -> list[str]:
    rows = transaction.rows(
        "SELECT id, data FROM record WHERE kind = 'photo' AND data LIKE ?", f"%{parent}%"
    )
    return [record for record, data in rows if json.loads(data).get("parent") == parent]


def _needs(transaction: Transaction, record: str, blobs: Blobs) -> bool:
    found = _replica.find(transaction, record)
    if found is None or "sha256" not in found.data:
        return False
    return held(transaction, record, blobs) is None


def held(transaction: Transaction, record: str, blobs: Blobs) -> str | None:
    """The SHA-256 of the best picture of a photo that is here: small copy, preview, original."""
    row = transaction.one("SELECT sha256 FROM preview WHERE record = ?", record)
    parts = [_uploads.find(transaction, record, part) for part in ("preview", "original")]
    own = [part.sha256 if part else None for part in parts]
    for sha256 in (own[0], row[0] if row else None, own[1]):
        if sha256 and blobs.is_here(sha256):
            return sha256
    return None


def named(transaction: Transaction) -> set[str]:
    """The SHA-256 of all bytes that should be on this device."""
    rows = transaction.rows(
        "SELECT sha256 FROM upload WHERE NOT freed UNION SELECT sha256 FROM preview"
    )
    return {sha256 for (sha256,) in rows if sha256}


class Previews:
    """The pictures of one store that come back."""

    def __init__(self, store: Store, session: Session, blobs: Blobs) -> None:
        self._store = store
        self._session = session
        self._blobs = blobs

    def fetch(self) -> Iterator[Progress]:
        """Brings some of what is wished for, and drops what left this device's scopes (P5)."""
        self._drop()
        with self._store.read() as transaction:
            rows = transaction.rows(
                "SELECT record FROM preview WHERE sha256 IS NULL ORDER BY record DESC LIMIT ?",
                _AT_ONCE,
            )
        for number, (record,) in enumerate(rows, start=1):
            path = f"/v1/media/{record}/preview"
            self._keep(record, self._session.send("GET", path, headers={}))
            yield Progress(phase="pull", item=record, done=number, total=len(rows))

    def _keep(self, record: str, response: Response) -> None:
        """What the server has not, or what is not whole, is no longer wished for.

        Another wish may come. Raises PortalError and ServerBusyError.
        """
        named = response.headers.get("etag", "").strip('"')
        whole = response.status == 200 and sha256_hex(response.body) == named
        if not whole and not _is_told(response):
            raise _answers.refusal(response)
        with self._store.write() as transaction:
            if whole:
                self._blobs.keep(response.body)
                set_to = "UPDATE preview SET sha256 = ? WHERE record = ?"
                transaction.run(set_to, named, record)
            elif response.status in {200, 404}:
                transaction.run("DELETE FROM preview WHERE record = ?", record)

    def _drop(self) -> None:
        with self._store.write() as transaction:
            gone = transaction.rows(
                "SELECT record, sha256 FROM preview WHERE record NOT IN (SELECT id FROM record)"
            )
            for record, sha256 in gone:
                transaction.run("DELETE FROM preview WHERE record = ?", record)
                if sha256 and not _is_used(transaction, sha256):
                    self._blobs.free(sha256)


def _is_told(response: Response) -> bool:
    """Whether the server itself says something of this picture."""
    kind = response.headers.get("content-type", "")
    is_problem = "problem+json" in kind and response.status not in {429, 503}
    return is_problem or (response.status == 200 and kind.startswith("image/"))


def _is_used(transaction: Transaction, sha256: str) -> bool:
    used = (
        "SELECT 1 FROM upload WHERE sha256 = ?1 UNION ALL SELECT 1 FROM preview WHERE sha256 = ?1"
    )
    return transaction.one(used, sha256) is not None
