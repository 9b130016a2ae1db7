"""Loads who acts, with roles and regions as they stand in the tables now. Decides nothing."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from sqlalchemy import ColumnElement, Select, bindparam, func, literal_column, select
from sqlalchemy.orm import Session as Store

from server.errors import Problem
from server.people.principal import Grant, Principal, Role
from server.people.tables import Device, Region, RoleGrant, User
from server.rows import Row, Rows, as_text

HELD = RoleGrant.__table__
GRANTED, BELOW = Region.__table__.alias("granted"), Region.__table__.alias("below")
GRANT = (HELD.c.role, HELD.c.region, BELOW.c.id.label("inner"))
"""A role, its region, and a region there: one row each, in the order of :func:`with_grants`."""


def with_grants(persons: Select[Any], user: ColumnElement[str]) -> Select[Any]:
    """``persons`` with a row for each region in which ``user`` holds a role (see GRANT)."""
    first: ColumnElement[int] = literal_column("1")
    beneath = func.substr(BELOW.c.path, first, func.length(GRANTED.c.path)) == GRANTED.c.path
    return (
        persons.outerjoin(HELD, HELD.c.user == user)
        .outerjoin(GRANTED, GRANTED.c.id == HELD.c.region)
        .outerjoin(BELOW, beneath)
        .order_by(HELD.c.key)
    )


OWN = User.__table__.c
PERSON = as_text(
    with_grants(select(OWN.name, OWN.home_region, OWN.zone, *GRANT), OWN.id).where(
        OWN.id == bindparam("person")
    )
)
"""Put together once: doing so costs more than asking."""


def load_grants(store: Store, user: str) -> tuple[Grant, ...]:
    """The roles of ``user``, each with its region and all regions below it."""
    return read_grants(Rows(store).select(PERSON, user))


def read_grants(rows: Iterable[Row]) -> tuple[Grant, ...]:
    """The grants in rows that end with the columns of :data:`GRANT`."""
    regions: dict[tuple[str, str | None], set[str]] = defaultdict(set)
    for *_others, role, region, inner in rows:
        if role is not None:
            regions[role, region].add(inner)
    return tuple(
        Grant(Role(role), None if region is None else frozenset(inner))
        for (role, region), inner in regions.items()
    )


def load_principal(store: Store, user: str, *, device: str | None) -> Principal:
    """Who ``user`` is today, outside any session: for work that waited. *Raises* ``not_found``."""
    rows = Rows(store).select(PERSON, user)
    if not rows:
        raise Problem("not_found")
    name, home_region, zone, *_grant = rows[0]
    bound = store.get(Device, device) if device else None
    return Principal(
        user=user,
        name=name,
        session="",
        device=device,
        grants=read_grants(rows),
        home_region=home_region,
        zone=zone,
        upload_only=bound is not None and bound.revoked_at is not None,
    )


def holding(role: Role) -> Select[str]:
    """The ids of those who hold ``role`` somewhere today, and may still sign in."""
    held = select(RoleGrant.user).join(User, User.id == RoleGrant.user)
    return held.where(RoleGrant.role == role.value, User.disabled_at.is_(None))
