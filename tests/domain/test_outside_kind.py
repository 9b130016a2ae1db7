"""A kind that lives outside the server: pushed, validated, queued, pulled and shown."""

import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import orjson
import pytest

from server.app import create_app, open_store
from server.casework.items import OpenItem, Waits
from server.domain import queries, shapes
from server.domain.declaration import kind_from_schema
from server.extensions import db
from server.ids import IdMaker
from server.people.principal import Role
from server.settings import Settings
from server.sync.kinds import Author, Change, Data, Placement
from server.sync.pull import pull
from tests.company import Company, FixedClock
from tests.domain.desk import Desk
from tests.domain.records import photo

STATES = {"safe": ("稳固", "Safe"), "loose": ("松动", "Loose"), "falling": ("将倒", "Falling")}


class Rack(shapes.Shape):
    shelf = shapes.text("货架", "Shelf", limit=20, required=True)
    height_cm = shapes.integer("高度", "Height", least=1, most=400)
    state = shapes.choice("状态", "State", STATES)
    flags = shapes.flags({})


def place(_rack: Data, by: Author) -> Placement:
    scopes = frozenset({f"user:{by.user}", f"region:{by.home_region}"})
    return Placement(scopes=scopes, region=by.home_region)


def waits(change: Change) -> Waits:
    wanted = OpenItem(Role.REGION_MANAGER, "measure", timedelta(hours=1))
    return (wanted,) if change.before is None else None


RACK = kind_from_schema(
    Rack,
    "rack",
    zh="货架",
    en="Rack",
    place=place,
    waits=waits,
    office_roles=frozenset({Role.REGION_MANAGER}),
    summary=("shelf",),
    label="shelf",
    urgent_when={"state": frozenset({"loose", "falling"})},
)


@pytest.fixture
def desk(settings: Settings, clock: FixedClock) -> Iterator[Desk]:
    """The company on a server that also knows racks."""
    bits = random.Random(7)
    ids = IdMaker(clock, bits.getrandbits)
    app = create_app(settings, clock=clock, ids=ids, kinds=(RACK,))
    open_store(app)
    with app.app_context():
        company = Company(app)
        company.plant_regions()
        yield Desk(company)
        db.session.remove()
        db.engine.dispose()


def pulled(desk: Desk, reader: Any) -> dict[str, dict[str, Any]]:
    """What a device of ``reader`` gets, by record."""
    sync = desk.company.services.sync
    page = orjson.loads(pull(sync, desk.company.store, reader, cursor=None, limit=500))
    return {item["record"]: item for item in page["items"]}


def test_a_kind_from_outside_is_pushed_queued_pulled_and_shown(desk: Desk) -> None:
    rep, manager = desk.rep(), desk.reviewer()
    rack = desk.create(rep, "rack", shelf="A-3")
    shot = desk.create(rep, "photo", **photo(parent_kind="rack", parent=rack))
    assert desk.queue(manager) == [(rack, "measure")]
    registry = desk.company.services.sync.registry
    (row,) = queries.queue(
        desk.company.store, registry, manager, now=desk.company.services.clock.now()
    )
    assert (row.label, row.summary) == ("A-3", (("shelf", "A-3"),))
    assert [one.record for one in queries.photos_of(desk.company.store, rack)] == [shot]
    held = pulled(desk, rep)
    assert held[rack]["data"]["shelf"] == "A-3"
    assert held[shot]["kind"] == "photo"
    assert pulled(desk, desk.rep("guangzhou")) == {}


def test_a_kind_from_outside_is_validated(desk: Desk) -> None:
    values = {"shelf": "A", "height_cm": 401}
    result = desk.send(desk.rep(), {"action": "create", "kind": "rack", "set": values})
    assert result["problem"] == {"code": "validation", "fields": {"height_cm": "too_big:400"}}


def test_a_kind_from_outside_tells_devices_which_value_sends_a_change_ahead(desk: Desk) -> None:
    device = desk.company.rep()
    client = desk.company.app.test_client()
    answer = client.get("/v1/sync/kinds", headers=device.headers).get_json()
    lanes = {kind["name"]: kind["lane"] for kind in answer["kinds"]}
    assert lanes["rack"] == {"field": "state", "urgent": ["falling", "loose"]}
    assert lanes["visit"] == "normal"


@pytest.mark.parametrize("fields", [("state", "shelf"), ("colour",)])
def test_a_lane_follows_from_one_field_of_the_kind(fields: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="rack must be urgent by one field"):
        replace(RACK, urgent_when=dict.fromkeys(fields, frozenset({"loose"})))
