"""Writes into a photo's record what became of its bytes, through the same push as every writer."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy.orm import Session

from server.domain.evidence.queries import acknowledged_bytes
from server.domain.positions import with_flags
from server.media.adopting import adopt
from server.media.engine import Media
from server.media.queries import Due, find_verified
from server.media.settling import tell_due
from server.media.similarity_search import ask_comparison
from server.people.principal import Principal
from server.sync.engine import Sync
from server.sync.push import Envelope, push_batch
from server.sync.queries import StoredRecord, find_records

SERVER = Principal(user="server", name="server", session="")
TAKEN = frozenset({"applied", "merged"})
FAULT_FLAGS = {"missing": "bytes_missing", "differs": "bytes_differ"}
PLACE = frozenset({"lat", "lon"})


def tell_arrivals(session: Session, sync: Sync, media: Media) -> int:
    """Tells the records of photos and signatures what arrived for them; how many were told."""
    return tell_due(session, media, lambda batch: bytes_arrived(session, sync, batch))


def adopt_shown(
    session: Session, sync: Sync, media: Media, *, user: str, shown: Sequence[object]
) -> int:
    """Takes bytes that a restore has forgotten for verified again; how many.

    M4: only for the user whose photo declares them, who shows this server's own acknowledgement,
    and only where the bytes are here and have that hash.
    """
    adopted = 0
    for one in shown:
        brought = acknowledged_bytes(session, sync, user, one)
        if brought is not None and not find_verified(session, user, [brought.sha256]):
            adopted += adopt(session, media, brought)
    if adopted:
        tell_arrivals(session, sync, media)
    return adopted


def bytes_arrived(session: Session, sync: Sync, batch: Sequence[Due]) -> set[int]:
    """Brings the records' server-owned fields in step with their bytes; no record twice.

    Returns the keys of those that are so now; the others are to be tried again later. M4:
    ``verified`` comes here only from bytes that are durable and have the record's hash.
    """
    records = find_records(session, [due.photo for due in batch])
    known = [(due, records[due.photo]) for due in batch if due.photo in records]
    for due, record in known:
        if _is_own(record, due) and record.kind == "photo" and due.content is not None:
            # Before the telling, which may be the last.
            ask_comparison(session, due.photo, due.sha256)
    news = [(due, record, _changed(record, due)) for due, record in known]
    pushed = [(due, _patch(sync, record, said)) for due, record, said in news if said]
    done = {due.key for due, _, said in news if not said}
    if pushed:
        envelope = Envelope(sender=SERVER, writer="server")
        shown = _first_arrivals(session, sync, [record for _, record, said in news if said])
        patches = [patch for _, patch in pushed]
        results = push_batch(sync, session, envelope, [*patches, *shown]).results
        told = zip(pushed, results, strict=False)
        done |= {due.key for (due, _), result in told if result.get("outcome") in TAKEN}
    return done


def _first_arrivals(
    session: Session, sync: Sync, told: Sequence[StoredRecord]
) -> list[dict[str, Any]]:
    """F6: says of what is handed in that evidence of it has arrived, with the telling of that.

    So that whoever it is handed in to goes by what is here, not by what was announced.
    """
    above = find_records(session, {one.parent for one in told if one.parent})
    awaited = [one for one in above.values() if "arrived" in sync.registry.kinds[one.kind].fields]
    return [_patch(sync, one, {"arrived": True}) for one in awaited if "arrived" not in one.data]


def _patch(sync: Sync, record: StoredRecord, said: Mapping[str, Any]) -> dict[str, Any]:
    """What could not be shown for want of a decoder, and can be by now, has no reason any more."""
    mended = said.get("content") == "readable" and "content_reason" in record.data
    return {
        "id": sync.ids.new(),
        "action": "patch",
        "kind": record.kind,
        "record": record.id,
        "base": record.version,
        "set": said,
        "unset": ["content_reason"] if mended else [],
    }


def _is_own(record: StoredRecord, due: Due) -> bool:
    """Whether these bytes are what the record's own user declared of it."""
    return record.creator == due.user and record.data.get("sha256") == due.sha256


def _changed(record: StoredRecord, due: Due) -> dict[str, Any]:
    """The fields that are not yet as ``due`` says; none where the bytes are not this record's."""
    lesser = due.state == "refused" and record.data.get("state") == "verified"
    if not _is_own(record, due) or lesser or not record.live:
        return {}
    said = _said(due, is_photo=record.kind == "photo") | _faults(record, due)
    return {name: value for name, value in said.items() if record.data.get(name) != value}


def _said(due: Due, *, is_photo: bool) -> dict[str, Any]:
    if due.state != "verified" or due.content is None:
        return {"state": due.state}
    facts: dict[str, Any] = {
        "content": due.content,
        "content_type": due.type,
        "content_reason": due.reason,
        "width": due.width,
        "height": due.height,
        "frames": due.frames,
    }
    if is_photo:
        exif = _exif(due.claims or {}, due.dropped or {})
        facts |= {"sharpness": due.sharpness, "brightness": due.brightness, "exif": exif or None}
    return {"state": due.state} | {name: fact for name, fact in facts.items() if fact is not None}


def _faults(record: StoredRecord, due: Due) -> dict[str, Any]:
    """M4: what was found when the stored bytes were read again."""
    if due.fault is None:
        return {}
    return {"flags": with_flags(record.data, {FAULT_FLAGS[due.fault]})}


def _exif(claims: Mapping[str, str], dropped: Mapping[str, str]) -> dict[str, Any]:
    """What a file claims, and what of it made no sense, in the shape of the record's field."""
    place = {name: claims[name] for name in PLACE & claims.keys()}
    said: dict[str, Any] = {name: text for name, text in claims.items() if name not in PLACE}
    said |= {"position": place} if place else {}
    senseless = [{"claim": name, "why": why} for name, why in sorted(dropped.items())]
    return said | ({"dropped": senseless} if senseless else {})
