"""Reads that join the two engines: which bytes a photo wants, what arrived, who may see them."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from server.clock import to_wire
from server.domain.evidence.schemas import MEDIA_TYPE
from server.media.engine import Media
from server.media.noting import Brought
from server.media.queries import Held, find_held, find_picture, find_verified
from server.media.similarity_search import pairs_about
from server.people.principal import Principal
from server.proof.acknowledgement import is_own, sign
from server.sync.engine import Sync
from server.sync.epochs import current_epoch
from server.sync.kinds import Data, Registry
from server.sync.queries import (
    StoredRecord,
    children_of,
    creation_received,
    find_record,
    find_records,
    kept_about,
    may_open,
)

PHOTO_DOMAIN = b"fieldstamp-photo-1\n"
ACKNOWLEDGED = frozenset({"photo", "sha256", "bytes", "epoch", "server_time", "sig"})
SHA256 = re.compile(r"[0-9a-f]{64}")
HASH_FIELDS = {"original": "sha256", "preview": "preview_sha256"}
UNKNOWN_TYPE = "application/octet-stream"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """The bytes that a record declares and the server is ready to take."""

    photo: str
    sha256: str
    type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """Bytes to hand out, and the type to hand them out as."""

    held: Held
    type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Declared:
    """What is said of a photo where it may be seen, and whose bytes of it are shown."""

    data: Data
    user: str | None
    """None: anybody's that have the hash."""


def bytes_wanted(session: Session, user: str, photo: str, part: str) -> Wanted | None:
    """What ``photo`` (or a signature) declares of ``part``: ``original`` or ``preview``.

    P6: bytes are taken for every create that this user sent and the server received, whatever
    its outcome; None for any other id, so that a foreign one looks like none (P5).
    """
    declared = creation_received(session, photo, user)
    sha256 = _hash_of(declared, part) if declared else ""
    if declared is None or not sha256:
        return None
    return Wanted(photo=photo, sha256=sha256, type=_type_of(declared))


def _hash_of(data: Data, part: str) -> str:
    """Empty where there is none: a mutation that was refused may hold anything."""
    found = data.get(HASH_FIELDS[part])
    return found if isinstance(found, str) and SHA256.fullmatch(found) else ""


def _type_of(data: Data) -> str:
    found = data.get("type")
    return found if isinstance(found, str) and re.fullmatch(MEDIA_TYPE, found) else UNKNOWN_TYPE


def find_bytes(
    session: Session, sync: Sync, reader: Principal, photo: str, form: str
) -> Found | None:
    """The bytes of ``photo`` as ``original``, ``preview`` or ``thumbnail``, by record right.

    None where the reader may not see the record, there is no such record, or no such bytes (P5).
    """
    declared = _shown(session, sync.registry, reader, photo)
    if declared is None:
        return None
    sha256 = _hash_of(declared.data, "original")
    original = find_held(session, photo, sha256, user=declared.user)
    if form == "original":
        return None if original is None else Found(held=original, type=_type_of(declared.data))
    made = find_picture(session, sha256, form) if original else None
    if made is not None:
        return Found(held=made, type="image/jpeg")
    small = find_held(session, photo, _hash_of(declared.data, "preview"), user=declared.user)
    return None if small is None else Found(held=small, type=UNKNOWN_TYPE)


def _shown(session: Session, registry: Registry, reader: Principal, photo: str) -> _Declared | None:
    """P5: by the right to see the record; where there is none, its refused create (P6).

    Of that only the bytes of its own sender are shown: to name a hash is not to have the bytes.
    """
    record = find_record(session, photo)
    if record is not None:
        may = may_open(registry, reader, record)
        return _Declared(data=record.data, user=None) if may else None
    for parked in kept_about(session, photo):
        if parked.data["action"] == "create" and may_open(registry, reader, parked):
            return _Declared(data=parked.data.get("set", {}), user=parked.data["user"])
    return None


def bytes_beneath(
    session: Session, registry: Registry, records: Iterable[str]
) -> Mapping[str, list[StoredRecord]]:
    """Record → what is live beneath it and declares bytes, in the order of arrival.

    That is also what hangs beneath its reports, supplements and answers.
    """
    found: dict[str, list[StoredRecord]] = {record: [] for record in records}
    top = {record: record for record in found}
    for kind in sorted(_holding_bytes(registry)) if found else ():
        for record, beneath in children_of(session, found, kind).items():
            top |= {one.id: record for one in beneath}
    for kind in sorted(bearing_bytes(registry)) if found else ():
        for record, beneath in children_of(session, top, kind).items():
            found[top[record]] += beneath
    return found


def _holding_bytes(registry: Registry) -> frozenset[str]:
    """The kinds that hang beneath another record and may have photos of their own."""
    bearing = (registry.kinds[name] for name in bearing_bytes(registry))
    above = {parent for kind in bearing for parent in kind.references[str(kind.parent)]}
    return frozenset(name for name in above if registry.kinds[name].parent is not None)


def bearing_bytes(registry: Registry) -> frozenset[str]:
    """The kinds that hang beneath another record and declare bytes."""
    return frozenset(
        name
        for name, kind in registry.kinds.items()
        if kind.parent is not None and {"sha256", "state"} <= kind.fields.keys()
    )


def matches_about(
    session: Session, registry: Registry, reader: Principal, photos: Iterable[str]
) -> dict[str, list[StoredRecord]]:
    """B3: photo → what is known of other photos like it, the weightiest first.

    P5: only what ``reader`` may open, which is what is in reach of a role that covers both.
    """
    wanted = set(photos)
    pairs = pairs_about(session, wanted)
    found = find_records(session, [pair.record for pair in pairs])
    told: dict[str, list[StoredRecord]] = {photo: [] for photo in wanted}
    for pair in pairs:
        match = found.get(pair.record)
        if match is None or not may_open(registry, reader, match):
            continue
        for photo in {pair.photo, pair.earlier} & wanted:
            told[photo].append(match)
    return {photo: sorted(listed, key=_weight) for photo, listed in told.items()}


def _weight(match: StoredRecord) -> int:
    return -int(match.data["weight"])


def acknowledged_bytes(session: Session, sync: Sync, user: str, shown: object) -> Brought | None:
    """What a photo acknowledgement vouches for; None for one that this server did not give to
    the photo that ``user`` declared with these bytes."""
    if not isinstance(shown, dict) or shown.keys() != ACKNOWLEDGED:
        return None
    statement = {name: value for name, value in shown.items() if name != "sig"}
    if not is_own(sync.key, PHOTO_DOMAIN, statement, str(shown["sig"])):
        return None
    photo, sha256 = str(shown["photo"]), str(shown["sha256"])
    wanted = bytes_wanted(session, user, photo, "original")
    if wanted is None or wanted.sha256 != sha256:
        return None
    return Brought(user=user, photo=photo, part="original", sha256=sha256)


def acknowledge_photos(
    session: Session, sync: Sync, media: Media, user: str, hashes: Sequence[str]
) -> list[dict[str, object]]:
    """M4: the signed acknowledgements of the photos that ``user`` brought with these hashes.

    Each is {photo, sha256, bytes, epoch, server_time, sig}; ``sig`` is the server key's over
    ``fieldstamp-photo-1\\n`` ‖ SHA-256 (32 bytes) of the canonical JSON of the rest.
    """
    epoch, now = current_epoch(session), to_wire(media.clock.now())
    acks: list[dict[str, object]] = []
    for arrived in find_verified(session, user, hashes):
        if media.originals.head(arrived.sha256) != arrived.bytes:
            continue  # M4: the row alone does not vouch for bytes that a restore may have lost
        statement: dict[str, object] = {
            "photo": arrived.photo,
            "sha256": arrived.sha256,
            "bytes": arrived.bytes,
            "epoch": epoch,
            "server_time": now,
        }
        acks.append({**statement, "sig": sign(sync.key, PHOTO_DOMAIN, statement)})
    return acks
