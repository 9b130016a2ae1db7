"""What the server may send of records: pages of the feed, of a snapshot, repaired buckets. Pure.

Shapes are checked before anything is believed, and each record's data against its hash, so that a
page is applied whole or not at all.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from fieldstamp import _wire
from fieldstamp._answers import listed, text_of, typed
from fieldstamp._errors import PortalError, ServerFailedError

_HASH = re.compile(r"[0-9a-f]{16}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One item of a page."""

    item: str
    kind: str
    record: str
    version: int = 0
    scopes: tuple[str, ...] = ()
    scope: str = ""
    hash: str = ""
    data: _wire.JsonObject = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One page of the feed."""

    epoch: str
    cursor: str
    more: bool
    backfilling: tuple[str, ...]
    events: tuple[tuple[str, str], ...]
    items: tuple[Item, ...]
    digest: tuple[tuple[str, int, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotPage:
    """One page of the replacement; ``page`` asks for the next one, None on the last."""

    epoch: str
    cursor: str
    page: str | None
    items: tuple[Item, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Resync:
    """The cursor is of no use: everything must be replaced."""

    reason: str
    epoch: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Breakdown:
    """Count and sum of a scope by the last byte of the id."""

    epoch: str
    buckets: Mapping[str, tuple[int, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Repair:
    """All that the asked buckets hold; None: too much, a snapshot must bring it."""

    epoch: str
    items: tuple[Item, ...] | None


def read_page(body: _wire.JsonObject) -> Page | Resync:
    """A page of the feed, or why everything must be replaced."""
    asked = body.get("resync_required")
    if asked:
        reason = asked.get("reason") if isinstance(asked, dict) else asked
        epoch = body.get("epoch")
        return Resync(reason=str(reason), epoch=epoch if isinstance(epoch, str) else None)
    return Page(
        epoch=text_of(body, "epoch"),
        cursor=text_of(body, "cursor"),
        more=typed(body, "more", bool),
        backfilling=tuple(str(scope) for scope in listed(body, "backfilling")),
        events=tuple(_event(entry) for entry in listed(body, "events")),
        items=_items(body),
        digest=tuple(_digest(entry) for entry in listed(body, "digest")),
    )


def read_snapshot(body: _wire.JsonObject) -> SnapshotPage:
    """A page of a snapshot."""
    return SnapshotPage(
        epoch=text_of(body, "epoch"),
        cursor=text_of(body, "cursor"),
        page=text_of(body, "page") if typed(body, "more", bool) else None,
        items=_items(body),
    )


def read_breakdown(body: _wire.JsonObject) -> Breakdown:
    """A scope's digest by buckets."""
    buckets = typed(body, "buckets", list)
    return Breakdown(
        epoch=text_of(body, "epoch"),
        buckets={
            text_of(entry, "bucket"): (typed(entry, "count", int), text_of(entry, "sum"))
            for entry in buckets
        },
    )


def read_repair(body: _wire.JsonObject) -> Repair:
    """What the asked buckets hold."""
    whole = None if body.get("resync_required") else _items(body)
    return Repair(epoch=text_of(body, "epoch"), items=whole)


def _items(body: _wire.JsonObject) -> tuple[Item, ...]:
    return tuple(_item(entry) for entry in typed(body, "items", list))


def _event(entry: Any) -> tuple[str, str]:
    return text_of(entry, "event"), text_of(entry, "scope")


def _digest(entry: Any) -> tuple[str, int, str]:
    return text_of(entry, "scope"), typed(entry, "count", int), text_of(entry, "sum")


def _item(entry: Any) -> Item:
    item, kind, record = text_of(entry, "item"), text_of(entry, "kind"), text_of(entry, "record")
    if item == "leave":
        return Item(item=item, kind=kind, record=record, scope=text_of(entry, "scope"))
    if item not in {"put", "withdrawn"}:
        raise PortalError(f"a page holds an unknown item {item!r}")
    scopes = tuple(str(scope) for scope in typed(entry, "scopes", list))
    version = typed(entry, "version", int)
    if item == "withdrawn":
        return Item(item=item, kind=kind, record=record, version=version, scopes=scopes)
    data, content = typed(entry, "data", dict), text_of(entry, "hash")
    if not _HASH.fullmatch(content) or _wire.record_hash(data) != content:
        raise ServerFailedError(f"record {record} did not arrive whole", code="page_damaged")
    return Item(
        item=item,
        kind=kind,
        record=record,
        version=version,
        scopes=scopes,
        hash=content,
        data=data,
    )
