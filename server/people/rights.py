"""Loads who acts, with roles and regions as they stand in the tables now. Decides nothing."""

from collections import defaultdict
from typing import Any

from sqlalchemy import Select, bindparam, func, select
from sqlalchemy.orm import Session as Store

from server.errors import Problem
from server.people.principal import Grant, Principal, Role
from server.people.tables import Device, Region, RoleGrant, User


def _select_grants() -> Select[Any]:
    held = RoleGrant.__table__
    granted, below = Region.__table__.alias("granted"), Region.__table__.alias("below")
    beneath = func.substr(below.c.path, 1, func.length(granted.c.path)) == granted.c.path
    return (
        select(held.c.role, held.c.region, below.c.id)
        .outerjoin(granted, granted.c.id == held.c.region)
        .outerjoin(below, beneath)
        .where(held.c.user == bindparam("person"))
        .order_by(held.c.key)
    )


GRANTS = _select_grants()
"""Put together once: doing so costs more than asking, and every request asks."""


def load_grants(store: Store, user: str) -> tuple[Grant, ...]:
    """The roles of ``user``, each with its region and all regions below it."""
    regions: dict[tuple[str, str | None], set[str]] = defaultdict(set)
    for role, region, inner in store.connection().execute(GRANTS, {"person": user}):
        regions[role, region].add(inner)
    return tuple(
        Grant(Role(role), None if region is None else frozenset(inner))
        for (role, region), inner in regions.items()
    )


def load_principal(store: Store, user: str, *, device: str | None) -> Principal:
    """Who ``user`` is today, outside any session: for work that waited. *Raises* ``not_found``."""
    person = store.get(User, user)
    if person is None:
        raise Problem("not_found")
    bound = store.get(Device, device) if device else None
    return Principal(
        user=person.id,
        name=person.name,
        session="",
        device=device,
        grants=load_grants(store, person.id),
        home_region=person.home_region,
        zone=person.zone,
        upload_only=bound is not None and bound.revoked_at is not None,
    )
