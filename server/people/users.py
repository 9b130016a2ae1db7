"""People: created, named, given roles and passwords, disabled. Callers hold the transaction."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session as Store

from server.errors import Problem
from server.ids import IdMaker
from server.people import audit, devices, passwords
from server.people.principal import Role
from server.people.tables import Region, RoleGrant, User


@dataclass(frozen=True, slots=True, kw_only=True)
class NewUser:
    """What an administrator says about a person."""

    username: str
    name: str
    home_region: str | None = None
    zone: str = "Asia/Shanghai"
    language: str = "zh-CN"


def create_user(store: Store, ids: IdMaker, person: NewUser, *, now: datetime) -> User:
    """Stores a person without roles. *Raises* ``validation`` where the username is taken."""
    if find_user(store, person.username) is not None:
        raise Problem("validation", fields={"username": "taken"})
    user = User(
        id=ids.new(),
        username=person.username,
        name=person.name,
        home_region=person.home_region,
        zone=person.zone,
        language=person.language,
        created_at=now,
    )
    store.add(user)
    store.flush()
    audit.note(store, "user_created", at=now, user=user.id)
    return user


def find_user(store: Store, username: str) -> User | None:
    """The person with that username."""
    return store.scalar(select(User).where(User.username == username))


def need_user(store: Store, username: str) -> User:
    """The person with that username. *Raises* ``not_found``."""
    user = find_user(store, username)
    if user is None:
        raise Problem("not_found", detail=f"There is no user {username}.")
    return user


def list_users(store: Store) -> list[User]:
    """Everybody, by username."""
    return list(store.scalars(select(User).order_by(User.username)))


def set_password(store: Store, user: User, hashed: str, *, now: datetime) -> None:
    """Stores a hash made by :func:`passwords.hash_password`, which is slow, beforehand."""
    user.password = hashed
    audit.note(store, "password_set", at=now, user=user.id)


def check_password(store: Store, username: str, password: str) -> User | None:
    """The person whose name and password these are; equally slow for every other answer."""
    user = find_user(store, username)
    known = user is not None and user.disabled_at is None
    right = passwords.matches(user.password if user is not None and known else None, password)
    return user if right else None


def grant_role(store: Store, user: User, role: Role, *, region: str | None, now: datetime) -> None:
    """Gives ``role`` in ``region`` and below (None: the whole company); twice changes nothing.

    *Raises* ``not_found`` for an unknown region.
    """
    if region is not None and store.get(Region, region) is None:
        raise Problem("not_found")
    if _grant(store, user, role, region) is None:
        store.add(RoleGrant(user=user.id, role=role.value, region=region))
        audit.note(store, "role_granted", at=now, user=user.id)


def withdraw_role(
    store: Store, user: User, role: Role, *, region: str | None, now: datetime
) -> None:
    """Takes ``role`` in ``region`` away. *Raises* ``not_found`` where it was not held."""
    grant = _grant(store, user, role, region)
    if grant is None:
        raise Problem("not_found", detail=f"{user.username} does not have this role there.")
    store.delete(grant)
    audit.note(store, "role_withdrawn", at=now, user=user.id)


def _grant(store: Store, user: User, role: Role, region: str | None) -> RoleGrant | None:
    return store.scalar(
        select(RoleGrant).where(
            RoleGrant.user == user.id,
            RoleGrant.role == role.value,
            RoleGrant.region.is_not_distinct_from(region),
        )
    )


def disable_user(store: Store, user: User, *, now: datetime) -> None:
    """Shuts a person out and revokes their devices, which may still hand in their work (P6)."""
    if user.disabled_at is not None:
        return
    user.disabled_at = now
    audit.note(store, "user_disabled", at=now, user=user.id)
    for device in devices.list_devices(store, user=user.id):
        devices.revoke(store, device, erase="all", now=now)
