"""Loads who acts, with roles and regions as they stand in the tables now. Decides nothing."""

from collections import defaultdict

from sqlalchemy import func, select
from sqlalchemy.orm import Session as Store
from sqlalchemy.orm import aliased

from server.errors import Problem
from server.people.keys import PublicKey
from server.people.principal import Grant, Principal, Role
from server.people.tables import Device, Region, RoleGrant, Session, User


def load_grants(store: Store, user: str) -> tuple[Grant, ...]:
    """The roles of ``user``, each with its region and all regions below it."""
    granted, below = aliased(Region), aliased(Region)
    beneath = func.substr(below.path, 1, func.length(granted.path)) == granted.path
    rows = store.execute(
        select(RoleGrant.role, RoleGrant.region, below.id)
        .outerjoin(granted, granted.id == RoleGrant.region)
        .outerjoin(below, beneath)
        .where(RoleGrant.user == user)
        .order_by(RoleGrant.key)
    )
    regions: dict[tuple[str, str | None], set[str]] = defaultdict(set)
    for role, region, inner in rows:
        regions[role, region].add(inner)
    return tuple(
        Grant(Role(role), None if region is None else frozenset(inner))
        for (role, region), inner in regions.items()
    )


def principal_of(store: Store, user: User, *, session: Session, device: Device | None) -> Principal:
    """The principal of ``user`` in ``session``. Nothing is taken from a token."""
    return Principal(
        user=user.id,
        name=user.name,
        session=session.id,
        device=session.device,
        grants=load_grants(store, user.id),
        home_region=user.home_region,
        zone=user.zone,
        upload_only=device is not None and device.revoked_at is not None,
        key=PublicKey(device.alg, device.public_key) if device else None,
        erase=device.erase if device else None,
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
