"""Saving: what is sealed, what is refused, and where an edit starts."""

import datetime
import json
from decimal import Decimal
from typing import Any

import pytest

from fieldstamp import Client, InvalidFieldsError, NotEnrolledError, Position, UnknownRecordError
from fieldstamp.testing import FixedClock
from tests.sdk.conftest import Opener
from tests.sdk.office import USER, Office, put

VISIT = "01930000-0000-7000-8000-0000000000a1"


def body(client: Client) -> Any:
    return json.loads(client.mutations()[-1].body)


def test_saving_needs_no_network_at_all(client: Client, office: Office) -> None:
    before = list(office.requests)
    visit = client.create("visit", {"purpose": "routine"})
    client.patch(visit.id, {"note": "说明"})
    client.attach(visit, b"photo")
    client.withdraw(visit.id)
    client.status()
    client.outbox()
    assert office.requests == before


def test_a_mutation_says_who_when_and_from_where_it_started(
    client: Client, device_clock: FixedClock
) -> None:
    device_clock.pass_time(5)
    visit = client.create("visit", {"purpose": "routine"})
    assert body(client) == {
        "action": "create",
        "app": "0.1.0",
        "base": 0,
        "captured": {
            "boot": "boot-1",
            "monotonic_ms": 1_005_000,
            "offset_ms": 0,
            "wall": "2026-11-22T10:02:16.000+08:00",
        },
        "device": client.status().device,
        "epoch": "e-1",
        "id": client.mutations()[-1].id,
        "kind": "visit",
        "n": 1,
        "record": visit.id,
        "schema": 1,
        "set": {"purpose": "routine"},
        "user": USER,
    }


def test_p9_a_wall_clock_set_by_hand_shows_in_the_offset(
    client: Client, device_clock: FixedClock
) -> None:
    wrong = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
    device_clock.set_wall(wrong)
    client.create("visit", {"purpose": "routine"})
    heard = datetime.datetime(2026, 11, 22, 2, 2, 11, tzinfo=datetime.UTC)
    assert body(client)["captured"]["offset_ms"] == int((heard - wrong).total_seconds() * 1000)


def test_values_of_python_become_values_of_the_wire(client: Client) -> None:
    zone = datetime.timezone(datetime.timedelta(hours=8))
    customer = client.create("customer", {"name": " 南京路 "})
    client.create(
        "visit",
        {
            "purpose": "routine",
            "customer": customer,
            "amount": Decimal("12.50"),
            "at": datetime.datetime(2026, 11, 22, 10, tzinfo=zone),
            "day": datetime.date(2026, 11, 23),
            "place": Position(
                lat=Decimal("31.230416"), lon=Decimal("121.47"), accuracy_m=Decimal(8)
            ),
        },
    )
    assert body(client)["set"] == {
        "purpose": "routine",
        "customer": customer.id,
        "amount": "12.50",
        "at": "2026-11-22T10:00:00+08:00",
        "day": "2026-11-23",
        "place": {
            "lat": "31.230416",
            "lon": "121.47",
            "accuracy_m": "8",
            "age_s": 0,
            "provider": "unknown",
            "mocked": False,
        },
    }


@pytest.mark.parametrize(
    "value",
    [
        1.5,
        None,
        2**53,
        -(2**53),
        "a\0b",
        "\ud83d",
        {"Name": 1},
        {"a-b": 1},
        [1.0],
        datetime.datetime(2026, 1, 1),  # noqa: DTZ001
        Decimal("NaN"),
        object(),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_value_without_a_place_on_the_wire_is_refused_and_nothing_is_saved(
    client: Client, value: object
) -> None:
    with pytest.raises(InvalidFieldsError) as refused:
        client.create("anything", {"good": "kept out too", "bad": value})
    assert list(refused.value.fields)[0].startswith("bad")  # noqa: RUF015
    assert client.mutations() == []


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({}, "purpose"),
        ({"purpose": "holiday"}, "purpose"),
        ({"purpose": "routine", "note": "x" * 2001}, "note"),
        ({"purpose": "routine", "state": "done"}, "state"),
    ],
)
def test_a_known_kind_is_checked_offline(
    client: Client, fields: dict[str, Any], wrong: str
) -> None:
    with pytest.raises(InvalidFieldsError) as refused:
        client.create("visit", fields)
    assert list(refused.value.fields) == [wrong]
    assert client.mutations() == []


def test_a_pattern_may_name_the_dollar_sign(client: Client, office: Office) -> None:
    code = {"type": "string", "pattern": "^[a-z$]{2}$"}
    schema = {"type": "object", "properties": {"code": code}}
    fields = {"code": {"writers": ["device"]}}
    office.kinds = {"kinds": [{"name": "coded", "schema": schema, "fields": fields}]}
    client.sync().run()
    assert client.create("coded", {"code": "a$"})["code"] == "a$"
    for wrong in ("A$", "a$\n", "a$$"):
        with pytest.raises(InvalidFieldsError):
            client.create("coded", {"code": wrong})


def test_the_next_save_is_checked_by_the_kinds_that_came_last(
    client: Client, office: Office
) -> None:
    fields = {"code": {"writers": ["device"]}}
    for longest in (2, 1):
        code = {"type": "string", "maxLength": longest}
        schema = {"type": "object", "properties": {"code": code}}
        office.kinds = {"kinds": [{"name": "coded", "schema": schema, "fields": fields}]}
        client.sync().run()
        client.create("coded", {"code": "x" * longest})
        with pytest.raises(InvalidFieldsError):
            client.create("coded", {"code": "x" * (longest + 1)})


def test_a_schema_beyond_the_library_does_not_keep_anybody_from_saving(
    client: Client, office: Office
) -> None:
    office.kinds = {"kinds": [{"name": "odd", "schema": {"type": "object", "$ref": "#/nowhere"}}]}
    client.sync().run()
    assert client.create("odd", {"code": "x"}).pending


def test_a_patch_is_not_asked_for_fields_it_does_not_change(client: Client) -> None:
    visit = client.create("visit", {"purpose": "routine"})
    assert client.patch(visit.id, {"note": "later"})["note"] == "later"
    assert client.patch(visit.id, unset=["note"]).get("note") is None


def test_a_field_is_not_both_set_and_emptied(client: Client) -> None:
    visit = client.create("visit", {"purpose": "routine"})
    with pytest.raises(InvalidFieldsError):
        client.patch(visit.id, {"note": "x"}, unset=["note"])


def test_the_largest_mutation_is_checked_when_it_is_saved(client: Client) -> None:
    with pytest.raises(InvalidFieldsError) as refused:
        client.create("anything", {"note": "x" * 262144})
    assert refused.value.code == "too_large"


def test_before_the_first_login_saving_says_what_to_do(open_client: Opener) -> None:
    with pytest.raises(NotEnrolledError) as refused:
        open_client().create("visit", {"purpose": "routine"})
    assert "Log in" in refused.value.action


def test_p6_an_edit_keeps_the_base_it_started_from_whatever_is_pulled_meanwhile(
    client: Client, office: Office
) -> None:
    office.pages = [{"items": [put(VISIT, {"purpose": "routine"}, version=3)]}]
    client.sync().run()
    with client.edit(VISIT) as draft:
        draft["note"] = "mine"
        office.pages = [
            {"items": [put(VISIT, {"purpose": "routine", "note": "theirs"}, version=4)]}
        ]
        client.sync().run()
        assert draft["purpose"] == "routine"
    assert body(client)["base"] == 3


def test_p6_a_pull_changes_no_pending_mutation(client: Client, office: Office) -> None:
    office.pages = [{"items": [put(VISIT, {"purpose": "routine"}, version=3)]}]
    client.sync().run()
    client.patch(VISIT, {"note": "mine"})
    sealed = client.mutations()[-1].body
    office.script[VISIT] = lambda _m: {"outcome": "waiting"}
    office.pages = [{"items": [put(VISIT, {"purpose": "sale", "note": "theirs"}, version=9)]}]
    client.sync().run()
    assert client.mutations()[-1].body == sealed
    assert json.loads(sealed)["base"] == 3
    assert dict(client.get(VISIT).data) == {"purpose": "sale", "note": "mine"}


def test_an_edit_that_fails_or_changes_nothing_saves_nothing(client: Client) -> None:
    visit = client.create("visit", {"purpose": "routine"})
    with pytest.raises(ZeroDivisionError), client.edit(visit.id) as draft:
        draft["note"] = str(1 // 0)
    with client.edit(visit.id):
        pass
    assert len(client.mutations()) == 1


def test_a_group_has_consecutive_numbers_and_is_saved_whole_or_not_at_all(client: Client) -> None:
    with client.group() as group:
        visit = group.create("visit", {"purpose": "routine"})
        group.create("visit_report", {"visit": visit})
    bodies = [json.loads(mutation.body) for mutation in client.mutations()]
    assert [b["n"] for b in bodies] == [1, 2]
    assert bodies[0]["group"] == bodies[1]["group"]
    assert bodies[0]["group"]["of"] == 2
    group = client.group()
    group.create("visit_report", {})
    group.create("visit", {"purpose": "holiday"})
    with pytest.raises(InvalidFieldsError):
        group.__exit__(None, None, None)
    assert len(client.mutations()) == 2


def test_a_signature_holds_image_and_strokes_in_one_file(client: Client) -> None:
    png = b"\x89PNG\r\n\x1a\n" + b"\0\0\0\0IEND\xaeB`\x82"
    visit = client.create("visit", {"purpose": "routine"})
    signed = client.sign(visit, part="customer", signer="王", image=png, strokes=[[1, 2, 30]])
    assert b"[[1,2,30]]" in client.original(signed.id)
    assert signed["type"] == "image/png"
    drawn = client.sign(visit, part="rep", signer="李", strokes=[[1, 2, 30]])
    assert client.original(drawn.id) == b"[[1,2,30]]"
    with pytest.raises(InvalidFieldsError):
        client.sign(visit, part="rep", signer="李", image=b"GIF89a", strokes=[[1]])


def test_a_record_that_is_not_here_is_not_invented(client: Client) -> None:
    for ask in (client.get, client.withdraw, client.edit, client.original):
        with pytest.raises(UnknownRecordError):
            ask("01930000-0000-7000-8000-00000000dead")
