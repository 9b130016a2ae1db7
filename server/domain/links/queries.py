"""What is known of links: for the pages that they open, and for the office. Reads only."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from server.casework.queries import all_work
from server.domain.links.purposes import PURPOSES, Purpose
from server.domain.links.rules import Clock, x6_expiry, x6_is_open
from server.domain.links.tables import CaseLink, LinkOpening
from server.domain.queries import Photo, photos_of
from server.media.queries import Held, find_picture
from server.policy import Policy
from server.sync import queries
from server.sync.kinds import Registry
from server.sync.queries import StoredRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A link as it stands."""

    id: str
    purpose: Purpose
    record: str
    guest: str
    made_by: str
    made_at: datetime
    expires_at: datetime
    revoked_at: datetime | None
    left: timedelta | None
    """X8: how long the clock that it runs by has left while that stands still; None: it runs."""

    def over_at(self, now: datetime) -> datetime:
        """X6: when it is over, if the clock that it runs by goes on now where it stands still."""
        return self.expires_at if self.left is None else now + self.left

    def is_open(self, now: datetime) -> bool:
        """X6: whether something can be handed in."""
        return x6_is_open(self.over_at(now), self.revoked_at, now)


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """X6: when a link was opened, from which network, by what browser."""

    at: datetime
    network: str
    agent: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HandedIn:
    """What came by a link."""

    record: str
    number: str
    at: str
    photos: int
    verified: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What the office sees of a link."""

    link: Link
    openings: tuple[Opening, ...]
    handed_in: tuple[HandedIn, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """X6: what a link shows of its record: titles by language, and the values as text."""

    columns: tuple[dict[str, str], ...]
    rows: tuple[tuple[dict[str, str], ...], ...]


def hash_token(token: str) -> str:
    """What is kept of a token; it is long and random, so a plain hash cannot be turned back."""
    return hashlib.sha256(token.encode()).hexdigest()


def find_link(session: Session, token: str) -> Link | None:
    """The link that ``token`` opens, whether or not its term is over."""
    found = _links(session, CaseLink.token_hash == hash_token(token))
    return found[0] if found else None


def links_about(session: Session, record: str) -> tuple[Known, ...]:
    """Every link about ``record`` with who opened it and what came by it, the newest first."""
    links = _links(session, CaseLink.record == record)
    made = {link.purpose.made for link in links}
    children = [one for kind in made for one in queries.children(session, record, kind)]
    return tuple(
        Known(
            link=link,
            openings=_openings(session, link),
            handed_in=_handed_in(children, link.guest),
        )
        for link in links
    )


def handed_in(session: Session, link: Link) -> tuple[HandedIn, ...]:
    """What came by ``link``, in the order of arrival."""
    children = queries.children(session, link.record, link.purpose.made)
    return _handed_in(children, link.guest)


def shown_listing(session: Session, registry: Registry, link: Link) -> Listing:
    """X6: batches, products and quantities, and nothing else of the record."""
    record, purpose = queries.find_record(session, link.record), link.purpose
    listed = registry.kinds[purpose.kind].json_schema["properties"]
    data = record.data if record and record.live else None
    entries = [] if data is None else [data]
    if purpose.listed is not None:
        listed = listed[purpose.listed]["items"]["properties"]
        entries = [] if data is None else data.get(purpose.listed, [])
    known = [name for name in purpose.shown if name in listed]
    return Listing(
        columns=tuple(listed[name]["x-title"] for name in known),
        rows=tuple(tuple(_said(listed[name], one.get(name)) for name in known) for one in entries),
    )


def _said(declared: dict[str, Any], value: Any) -> dict[str, str]:
    """A value by language, in the words of its choice where it is one."""
    text = "" if value is None else str(value)
    choices: dict[str, dict[str, str]] = declared.get("x-choices", {})
    return choices.get(text, {"zh-CN": text, "en": text})


def shown_photos(session: Session, policy: Policy, link: Link) -> dict[str, Photo]:
    """X6: the photos of the record whose tags the policy shows, by names that say nothing."""
    if not link.purpose.copies:
        return {}
    return {
        hashlib.sha256(f"{link.id}\n{photo.record}".encode()).hexdigest()[:24]: photo
        for photo in photos_of(session, link.record)
        if photo.tag in policy.links.shown_tags and photo.content == "readable"
    }


def find_copy(session: Session, policy: Policy, link: Link, name: str, form: str) -> Held | None:
    """X6: a re-encoded copy (``preview`` or ``thumbnail``), which carries no EXIF; no original."""
    photo = shown_photos(session, policy, link).get(name)
    return None if photo is None else find_picture(session, photo.sha256, form)


def _links(session: Session, wanted: ColumnElement[bool]) -> list[Link]:
    rows = session.scalars(select(CaseLink).where(wanted).order_by(CaseLink.id.desc()))
    return [_link(session, row) for row in rows if row.purpose in PURPOSES]


def expiry(
    session: Session, purpose: Purpose, record: str, *, made_at: datetime, expires_at: datetime
) -> datetime:
    """X6: when a link is over that was made then and told to be over at ``expires_at``."""
    clocks = (
        Clock(opened_at=work.opened_at, due_at=work.due_at, closed_at=work.closed_at)
        for work in all_work(session, record)
        if work.task == purpose.task
    )
    return x6_expiry(made_at, expires_at, clocks)


def _link(session: Session, row: CaseLink) -> Link:
    purpose = PURPOSES[row.purpose]
    over = {"made_at": row.made_at, "expires_at": row.expires_at}
    expires_at = expiry(session, purpose, row.record, **over)
    return Link(
        id=row.id,
        purpose=purpose,
        record=row.record,
        guest=row.guest,
        made_by=row.made_by,
        made_at=row.made_at,
        expires_at=expires_at,
        revoked_at=row.revoked_at,
        left=_left(session, purpose, row.record, expires_at),
    )


def _left(
    session: Session, purpose: Purpose, record: str, expires_at: datetime
) -> timedelta | None:
    """X8: what the clock that is due at ``expires_at`` has left, where it stands still."""
    for work in all_work(session, record):
        mine = work.task == purpose.task and work.due_at == expires_at and work.closed_at is None
        if mine and work.paused_at is not None and work.missed_at is None:
            return work.due_at - work.paused_at
    return None


def _openings(session: Session, link: Link) -> tuple[Opening, ...]:
    rows = session.scalars(
        select(LinkOpening).where(LinkOpening.link == link.id).order_by(LinkOpening.key)
    )
    return tuple(Opening(at=row.at, network=row.network, agent=row.agent) for row in rows)


def _handed_in(children: Sequence[StoredRecord], guest: str) -> tuple[HandedIn, ...]:
    own = sorted((one for one in children if one.creator == guest), key=lambda one: one.created_at)
    return tuple(
        HandedIn(
            record=one.id,
            number=one.data["number"],
            at=one.created_at,
            photos=one.data["photos"],
            verified=one.data["verified"],
        )
        for one in own
    )
