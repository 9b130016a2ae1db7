"""Who holds a role where something lies, and their addresses for e-mail. Knows no content."""

import re
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session as Store

from server.errors import Problem
from server.people import audit
from server.people.principal import Role
from server.people.rights import load_grants
from server.people.tables import RoleGrant, User

FORM = re.compile(r"[^\s@<>,;:\"()\[\]\\]{1,64}@[A-Za-z0-9.-]{1,190}", re.ASCII)
"""One plain address; quoted forms and lists are refused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Addressee:
    """A person who can be written to."""

    user: str
    email: str
    language: str


def set_email(store: Store, user: User, email: str | None, *, now: datetime) -> None:
    """Sets or removes a person's address. *Raises* ``validation``."""
    if email is not None and not FORM.fullmatch(email):
        raise Problem("validation", fields={"email": "format"})
    user.email = email
    audit.note(store, "email_set", at=now, user=user.id)


def addressees(store: Store, role: Role, region: str | None) -> list[Addressee]:
    """Those with an address who hold ``role`` where ``region`` lies, by username."""
    holding = (
        select(User)
        .join(RoleGrant, RoleGrant.user == User.id)
        .where(RoleGrant.role == role.value, User.email.is_not(None), User.disabled_at.is_(None))
        .distinct()
        .order_by(User.username)
    )
    return [
        Addressee(user=person.id, email=person.email or "", language=person.language)
        for person in store.scalars(holding)
        if any(
            grant.role == role and grant.covers(region) for grant in load_grants(store, person.id)
        )
    ]


def find_addressee(store: Store, user: str) -> Addressee | None:
    """The person as they can be written to today; None where they no longer can."""
    person = store.get(User, user)
    if person is None or person.email is None or person.disabled_at is not None:
        return None
    return Addressee(user=person.id, email=person.email, language=person.language)
