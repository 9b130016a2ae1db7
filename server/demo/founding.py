"""Writes the demonstration company into a store, through the doors that every company uses."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any

from sqlalchemy.orm import Session as Store

from server.db import transaction
from server.demo.company import PASSWORD, PEOPLE, PLACES, CustomerFile, invent_customers
from server.ids import IdMaker
from server.people import passwords, regions, rights, users
from server.people.principal import Principal, Role
from server.people.users import NewUser
from server.services import Services
from server.sync.push import Envelope, push_batch
from server.sync.wire import MAX_BATCH


@dataclass(frozen=True, slots=True, kw_only=True)
class Founded:
    """What the company was given: keys of places, usernames and customers, each with its id."""

    places: Mapping[str, str]
    people: Mapping[str, str]
    customers: Mapping[str, CustomerFile]


def found_company(store: Store, services: Services, *, now: datetime) -> Founded:
    """Regions, one person per role and more reps, and customers entered by the sales clerk."""
    hashed = passwords.hash_password(PASSWORD)
    with transaction(store):
        places = _plant_regions(store, services.ids)
        people = _hire_people(store, services.ids, places, hashed, now=now)
    clerk = rights.load_principal(store, people[Role.SALES_CLERK.value], device=None)
    customers = {services.ids.new(): customer for customer in invent_customers()}
    _enter_customers(store, services, clerk, _creates(services.ids, customers, places, people))
    return Founded(places=places, people=people, customers=customers)


def _plant_regions(store: Store, ids: IdMaker) -> dict[str, str]:
    planted: dict[str, str] = {}
    for place in PLACES:
        above = planted[place.parent] if place.parent else None
        region = regions.add_region(
            store, ids, level=place.level, name_zh=place.zh, name_en=place.en, parent=above
        )
        planted[place.key] = region.id
    return planted


def _hire_people(
    store: Store, ids: IdMaker, places: Mapping[str, str], hashed: str, *, now: datetime
) -> dict[str, str]:
    hired: dict[str, str] = {}
    for person in PEOPLE:
        home = places[person.home] if person.home else None
        new = NewUser(username=person.username, name=person.name, home_region=home)
        user = users.create_user(store, ids, new, now=now)
        users.set_password(store, user, hashed, now=now)
        for role, place in person.grants:
            users.grant_role(store, user, role, region=places[place] if place else None, now=now)
        hired[person.username] = user.id
    return hired


def _creates(
    ids: IdMaker,
    customers: Mapping[str, CustomerFile],
    places: Mapping[str, str],
    people: Mapping[str, str],
) -> Iterator[dict[str, Any]]:
    for record, customer in customers.items():
        placed = {"owner": people[customer.owner], "region": places[customer.place]}
        yield {
            "id": ids.new(),
            "action": "create",
            "kind": "customer",
            "record": record,
            "set": customer.fields | placed,
        }


def _enter_customers(
    store: Store, services: Services, clerk: Principal, creates: Iterable[dict[str, Any]]
) -> None:
    """As ``server``, because a customer's name and address belong to whoever stands before it."""
    waiting = iter(creates)
    while batch := list(islice(waiting, MAX_BATCH)):
        envelope = Envelope(sender=clerk, writer="server")
        _need_applied(push_batch(services.sync, store, envelope, batch).results)


def _need_applied(results: Sequence[Mapping[str, Any]]) -> None:
    for result in results:
        if result.get("outcome") != "applied":
            raise RuntimeError(f"a customer was not taken: {result}")
