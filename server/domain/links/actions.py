"""What the office does with links, and what comes by them: the same push as every writer's."""

import base64
import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from server.casework.calendars import add_time
from server.casework.terms import calendar_of, length_of
from server.clock import to_wire
from server.db import transaction
from server.domain.links.purposes import PURPOSES, Purpose
from server.domain.links.queries import Link, hash_token
from server.domain.links.rules import x6_is_open
from server.domain.links.tables import CaseLink, LinkOpening
from server.domain.queries import label_of
from server.errors import Problem
from server.ids import derive_id, is_uuid7
from server.people import rights, users
from server.people.principal import Principal
from server.people.users import NewUser
from server.policy import Policy, Term
from server.sync import queries
from server.sync.engine import Sync
from server.sync.push import Envelope, push_batch
from server.sync.queries import StoredRecord, find_record

TOKEN_BYTES = 18
"""144 bits, which nobody guesses."""
LONGEST_AGENT = 200
TAKEN = frozenset({"applied", "merged"})
NETWORK_BITS = {4: 24, 6: 48}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """A link that the office asks for."""

    purpose: str
    record: str
    expires_at: datetime
    by: Principal


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A new link; the token is told once, here."""

    link: str
    token: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """A photo as the guest's phone declares it; ``id`` is made there."""

    id: str
    sha256: str
    bytes: int
    type: str
    source: str
    captured: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What is handed in at once: words, and the photos that follow. ``id`` is made by the phone."""

    id: str
    text: str
    photos: tuple[Declared, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """What the server keeps: its number, and the record of each photo by the phone's id."""

    record: str
    number: str
    at: str
    photos: Mapping[str, str]


def make_link(session: Session, sync: Sync, wish: Wish) -> Made:
    """X6: a link to one record, for one purpose, until a time; in the caller's transaction.

    The caller puts ``token`` into an address and hands it to whom it is for; it is not kept.
    *Raises* ``not_found`` for a record that ``by`` may not open or that the purpose is not for,
    ``forbidden`` without the role, ``validation`` for a term that is over.
    """
    purpose, record = _wanted(session, sync, wish)
    now = sync.clock.now()
    if not x6_is_open(wish.expires_at, None, now):
        raise Problem("validation", fields={"expires_at": f"order:{to_wire(now)}"})
    token = base64.urlsafe_b64encode(sync.ids.secret(TOKEN_BYTES)).decode()
    link = sync.ids.new()
    kind = sync.registry.kinds[purpose.kind]
    person = NewUser(username=f"link-{link}", name=label_of(kind, record), zone=wish.by.zone)
    guest = users.create_user(session, sync.ids, person, now=now)
    session.add(
        CaseLink(
            id=link,
            token_hash=hash_token(token),
            purpose=purpose.name,
            record=record.id,
            guest=guest.id,
            made_by=wish.by.user,
            made_at=now,
            expires_at=wish.expires_at,
        )
    )
    session.flush()
    return Made(link=link, token=token)


def _wanted(session: Session, sync: Sync, wish: Wish) -> tuple[Purpose, StoredRecord]:
    purpose, record = PURPOSES.get(wish.purpose), find_record(session, wish.record)
    if purpose is None or record is None or not record.live or record.kind != purpose.kind:
        raise Problem("not_found")
    if not queries.may_open(sync.registry, wish.by, record):
        raise Problem("not_found")
    if not wish.by.has(purpose.makers, record.region):
        raise Problem("forbidden")
    return purpose, record


def expiry_of(policy: Policy, purpose: Purpose, noticed_at: datetime) -> datetime:
    """X6: when a link is over whose holder was given notice at ``noticed_at``."""
    term: Term = getattr(policy.terms, purpose.term)
    return add_time(calendar_of(policy, term), noticed_at, length_of(term))


def revoke_link(session: Session, sync: Sync, link: str, by: Principal) -> None:
    """Ends a link before its term; in the caller's transaction. What came by it stays.

    *Raises* ``not_found``, also where ``by`` has no right to make such a link.
    """
    row = session.get(CaseLink, link)
    record = find_record(session, row.record) if row else None
    makers = PURPOSES[row.purpose].makers if row else frozenset()
    if row is None or record is None or not by.has(makers, record.region):
        raise Problem("not_found")
    if row.revoked_at is None:
        row.revoked_at, row.revoked_by = sync.clock.now(), by.user


def note_opening(session: Session, link: Link, *, address: str, agent: str, at: datetime) -> None:
    """X6: notes, in a transaction of its own, that somebody opened the link."""
    opening = LinkOpening(
        link=link.id, at=at, network=_network_of(address), agent=agent[:LONGEST_AGENT]
    )
    with transaction(session):
        session.add(opening)


def _network_of(address: str) -> str:
    try:
        version = ipaddress.ip_address(address).version
        return str(ipaddress.ip_network((address, NETWORK_BITS[version]), strict=False))
    except ValueError:
        return ""


def hand_in(session: Session, sync: Sync, policy: Policy, link: Link, given: Given) -> Received:
    """X6: writes what the guest hands in as records beneath the link's; a repetition is answered
    like the first time, also when the term is over by then.

    *Raises* ``link_over`` where it arrives late, ``validation``, ``mutation_reused`` for other
    content under a known id (which is kept), ``unavailable``.
    """
    _check(given)
    record = derive_id(link.id, given.id)
    if find_record(session, record) is None:
        if not link.is_open(sync.clock.now()):
            raise Problem("link_over")
        _check_room(session, policy, link, given)
    given = _with_sound_claims(sync, given)
    records = {photo.id: derive_id(link.id, photo.id) for photo in given.photos}
    mutations = _mutations(link, given, record, records)
    _check_shapes(sync, mutations)
    _push(session, sync, link, mutations)
    made = queries.find_records(session, [record])[record]
    return Received(record=record, number=made.data["number"], at=made.created_at, photos=records)


def _check(given: Given) -> None:
    ids = [given.id, *(photo.id for photo in given.photos)]
    if not all(map(is_uuid7, ids)) or len(set(ids)) != len(ids):
        raise Problem("validation", fields={"id": "id"})
    if not given.text.strip() and not given.photos:
        raise Problem("validation", fields={"text": "required"})


def _with_sound_claims(sync: Sync, given: Given) -> Given:
    """P9: a clock that is wrong by centuries keeps nobody from handing in."""
    check = sync.registry.kinds["photo"].check_patch
    photos = tuple(
        replace(photo, captured=None) if check({"captured": photo.captured}) else photo
        for photo in given.photos
    )
    return replace(given, photos=photos)


def _check_shapes(sync: Sync, mutations: list[dict[str, Any]]) -> None:
    """All of it is taken or nothing, so that a wrong photo leaves no half of a hand-in."""
    for mutation in mutations:
        wrong = sync.registry.kinds[mutation["kind"]].check_create(mutation["set"])
        if wrong:
            raise Problem("validation", fields=wrong)


def _check_room(session: Session, policy: Policy, link: Link, given: Given) -> None:
    """Nobody fills the disk by a link."""
    limits = policy.links
    largest = limits.photo_mb * 1024 * 1024
    if any(photo.bytes > largest for photo in given.photos):
        raise Problem("validation", fields={"photos.bytes": f"too_big:{largest}"})
    came = queries.children(session, link.record, link.purpose.made)
    own = [one for one in came if one.creator == link.guest]
    if len(own) >= limits.hand_ins:
        raise Problem("validation", fields={"id": f"too_many:{limits.hand_ins}"})
    photos = len(given.photos) + sum(one.data["photos"] for one in own)
    if photos > limits.photos:
        raise Problem("validation", fields={"photos": f"too_many:{limits.photos}"})


def _mutations(
    link: Link, given: Given, record: str, photos: Mapping[str, str]
) -> list[dict[str, Any]]:
    """The same for the same link and content, so that a repetition has no effect (P2).

    The ids of records follow from link and phone, so that no phone can name another's record.
    """
    made: dict[str, Any] = {link.purpose.beneath: link.record, "photos": len(given.photos)}
    if given.text:
        made["text"] = given.text
    values = {record: (link.purpose.made, made)}
    for photo in given.photos:
        values[photos[photo.id]] = ("photo", _photo(link, record, photo))
    return [
        {
            "id": derive_id(link.id, id_),
            "action": "create",
            "kind": kind,
            "record": id_,
            "base": 0,
            "set": fields,
        }
        for id_, (kind, fields) in values.items()
    ]


def _photo(link: Link, parent: str, photo: Declared) -> dict[str, Any]:
    claimed = {"captured": photo.captured} if photo.captured else {}
    return {
        "parent_kind": link.purpose.made,
        "parent": parent,
        "sha256": photo.sha256,
        "bytes": photo.bytes,
        "type": photo.type,
        "source": photo.source,
        "tag": "document" if photo.type == "application/pdf" else "other",
        **claimed,
    }


def _push(session: Session, sync: Sync, link: Link, mutations: list[dict[str, Any]]) -> None:
    guest = rights.load_principal(session, link.guest, device=None)
    results = push_batch(sync, session, Envelope(sender=guest, writer="guest"), mutations).results
    for result in results:
        if result.get("outcome") in TAKEN:
            continue
        problem = result.get("problem")
        if problem is None:
            raise Problem("unavailable")
        raise Problem(problem["code"], fields=problem.get("fields"))
