"""Records as items of a page; bodies go out as they are stored, byte for byte."""

from collections.abc import Iterable, Sequence

import orjson

from server.people.principal import Principal
from server.sync.batch import LIVE
from server.sync.rows import Row, Rows

RECORD_COLUMNS = "key, id, kind, version, state, parent, scopes, hash, data, aged"


def records_by_key(rows: Rows, keys: Iterable[int]) -> dict[int, Row]:
    """Rows of :data:`RECORD_COLUMNS` by key."""
    wanted = sorted(set(keys))
    if not wanted:
        return {}
    found = rows.select(
        f"SELECT {RECORD_COLUMNS} FROM record WHERE {rows.among('key')}", rows.listed(wanted)
    )
    return {row[0]: row for row in found}


def held_scopes(record: Row, reader: Principal) -> list[str]:
    """The record's scopes ∩ the reader's; what has aged is held by no device (P5)."""
    if record[9]:
        return []
    return [name for name in orjson.loads(record[6]) if name in reader.scopes]


def item_text(record: Row, held: Sequence[str], *, left: str = "") -> str:
    """A put, a withdrawal, or a leave (from the scope ``left``) where ``held`` is empty."""
    _key, id_, kind, version, state, _parent, _scopes, data_hash, data, aged = record
    if not held:
        reason = ',"reason":"aged"' if aged else ""
        return f'{{"item":"leave","kind":"{kind}","record":"{id_}","scope":"{left}"{reason}}}'
    pairs = orjson.dumps(held).decode()
    if state != LIVE:
        return (
            f'{{"item":"withdrawn","kind":"{kind}","record":"{id_}",'
            f'"version":{version},"scopes":{pairs}}}'
        )
    return (
        f'{{"item":"put","kind":"{kind}","record":"{id_}","version":{version},'
        f'"scopes":{pairs},"hash":"{data_hash}","data":{data}}}'
    )
