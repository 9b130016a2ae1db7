"""B4: what happened to a record and what was kept beside it, in the reader's words."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from server.backoffice import words
from server.backoffice.facts import Lens, Shown
from server.domain.evidence.queries import bearing_bytes, find_bytes
from server.errors import CODES
from server.extensions import db
from server.people.principal import Principal
from server.services import services
from server.sync.kinds import Data, RecordKind
from server.sync.queries import StoredRecord, StoredVersion


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldChange:
    """One field that a version changed."""

    title: str
    old: Shown
    new: Shown


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionView:
    """One version: who made it, from where, when, and what became of which field."""

    version: int
    who: str
    where: str
    """The device, or which side of the server."""
    at: str
    captured: str
    seal: str
    seal_words: str
    live: bool
    changes: tuple[FieldChange, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptView:
    """P6: a conflict or a parked mutation: whose values were kept aside, and why."""

    id: str
    kind: str
    """``conflict`` or ``parked``."""
    who: str
    at: str
    why: str
    is_open: bool
    photo: str
    """Id of a photo or signature that was refused, where its bytes have come all the same."""
    changes: tuple[FieldChange, ...]
    """Old is what stands, new is what was kept aside."""


def version_views(
    lens: Lens, kind: RecordKind, versions: tuple[StoredVersion, ...]
) -> tuple[VersionView, ...]:
    """The versions, the newest first."""
    return tuple(_version(lens, kind, version) for version in reversed(versions))


def _version(lens: Lens, kind: RecordKind, version: StoredVersion) -> VersionView:
    device = lens.names.devices.get(version.device or "")
    return VersionView(
        version=version.version,
        who=words.writer(lens, version.user),
        where=device or words.say(words.WRITERS, version.writer),
        at=lens.moment(version.at),
        captured=captured_at(lens, version.captured),
        seal=version.seal,
        seal_words=words.say(words.SEALS, version.seal),
        live=version.live,
        changes=_changes(lens, kind, version.changed),
    )


def captured_at(lens: Lens, captured: Mapping[str, Any]) -> str:
    """P9: what the device's clock said; empty where it said nothing readable."""
    try:
        return lens.moment(str(captured.get("wall", "")))
    except ValueError:
        return ""


def kept_views(
    lens: Lens, reader: Principal, kind: RecordKind, kept: tuple[StoredRecord, ...]
) -> tuple[KeptView, ...]:
    """What was kept, the newest first."""
    return tuple(_kept(lens, reader, kind, one) for one in reversed(kept))


def _kept(lens: Lens, reader: Principal, kind: RecordKind, one: StoredRecord) -> KeptView:
    data = one.data
    concerned = services().sync.registry.get(data["record_kind"]) or kind
    aside: Data = data["lost"] if one.kind == "conflict" else data["set"]
    stands: Data = data.get("kept", {})
    pairs = {
        name: (stands.get(name), aside.get(name))
        for name in [*aside, *(name for name in stands if name not in aside)]
    }
    return KeptView(
        id=one.id,
        kind=one.kind,
        who=words.writer(lens, data["user"]),
        at=lens.moment(one.created_at),
        why=CODES[data["code"]].title.say(lens.language) if data.get("code") in CODES else "",
        is_open=data.get("state") == "open",
        photo=_photo_of(reader, data),
        changes=_changes(lens, concerned, pairs),
    )


def _photo_of(reader: Principal, refused: Data) -> str:
    """P6: who judges a refused photo sees it."""
    own, record = services(), str(refused["record"])
    bears = refused["record_kind"] in bearing_bytes(own.sync.registry)
    if not bears or find_bytes(db.session(), own.sync, reader, record, "original") is None:
        return ""
    return record


def _changes(
    lens: Lens, kind: RecordKind, pairs: Mapping[str, tuple[Any, Any]]
) -> tuple[FieldChange, ...]:
    members = kind.json_schema["properties"]
    order = [*(name for name in members if name in pairs), *(pairs.keys() - members.keys())]
    return tuple(_change(lens, members.get(name, {}), name, pairs[name]) for name in order)


def _change(lens: Lens, schema: Mapping[str, Any], name: str, pair: tuple[Any, Any]) -> FieldChange:
    old, new = (lens.show(schema, value) for value in pair)
    return FieldChange(title=lens.title(schema, name), old=old, new=new)
