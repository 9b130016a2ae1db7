"""Records as items of a page; bodies go out as they are stored, byte for byte."""

from collections.abc import Iterable
from functools import lru_cache

import orjson

from server.people.principal import Principal
from server.rows import Row, Rows
from server.sync.batch import LIVE

RECORD_COLUMNS = (
    "record.key, record.id, record.kind, record.version, record.state, record.parent,"
    " record.scopes, record.hash, record.data, record.aged"
)
RECORD_WIDTH = 10


def records_by_key(rows: Rows, keys: Iterable[int]) -> dict[int, Row]:
    """Rows of :data:`RECORD_COLUMNS` by key."""
    wanted = sorted(set(keys))
    if not wanted:
        return {}
    found = rows.select(
        f"SELECT {RECORD_COLUMNS} FROM record WHERE {rows.among('key')}", rows.listed(wanted)
    )
    return {row[0]: row for row in found}


def held_scopes(record: Row, reader: Principal) -> tuple[str, ...]:
    """The record's scopes ∩ the reader's; what has aged is held by no device (P5)."""
    return () if record[9] else _shared(record[6], reader.scopes)


@lru_cache(maxsize=256)
def _shared(listed: str, scopes: frozenset[str]) -> tuple[str, ...]:
    """Of the scopes ``listed`` as JSON those among ``scopes``; most of a page list the same."""
    return tuple(name for name in orjson.loads(listed) if name in scopes)


@lru_cache(maxsize=256)
def _as_json(names: tuple[str, ...]) -> str:
    return orjson.dumps(names).decode()


def item_text(record: Row, held: tuple[str, ...], *, left: str = "") -> str:
    """A put, a withdrawal, or a leave (from the scope ``left``) where ``held`` is empty."""
    _key, id_, kind, version, state, _parent, _scopes, data_hash, data, aged = record
    if not held:
        reason = ',"reason":"aged"' if aged else ""
        return f'{{"item":"leave","kind":"{kind}","record":"{id_}","scope":"{left}"{reason}}}'
    pairs = _as_json(held)
    if state != LIVE:
        return (
            f'{{"item":"withdrawn","kind":"{kind}","record":"{id_}",'
            f'"version":{version},"scopes":{pairs}}}'
        )
    return (
        f'{{"item":"put","kind":"{kind}","record":"{id_}","version":{version},'
        f'"scopes":{pairs},"hash":"{data_hash}","data":{data}}}'
    )
