"""What is known not to lead a record on is refused before it is sealed."""

from typing import Any

import pytest

from fieldstamp import Client, IllegalMoveError, InvalidFieldsError
from tests.sdk.conftest import Opener
from tests.sdk.office import KINDS, USER, Office, put

LEAK = "01930000-0000-7000-8000-0000000000b1"
WITHDRAW = {"to": "withdrawn", "field": "reason", "needs": [], "roles": ["rep"]}
VISITED = {"to": "withdrawn", "field": "revisit", "needs": [], "roles": ["service_officer"]}
STATES = {
    "reported": {"end": False, "moves": {"withdrawn": WITHDRAW}},
    "doing": {"end": False, "moves": {"visited": VISITED}},
    "withdrawn": {"end": True, "moves": {}},
}
FIELDS = {name: {"writers": ["device"]} for name in ("reason", "note", "revisit")}
FAULT = {
    "name": "fault",
    "schema": {"type": "object", "properties": {name: {"type": "string"} for name in FIELDS}},
    "fields": FIELDS | {"state": {"writers": []}, "sender": {"writers": []}},
    "lane": "normal",
}


@pytest.fixture
def states() -> dict[str, Any]:
    """What the server says of the states of a fault."""
    return {"states": STATES}


@pytest.fixture
def rep(office: Office, open_client: Opener, states: dict[str, Any]) -> Client:
    """A device that holds a reported fault of its user."""
    office.kinds = {"kinds": [*KINDS["kinds"], {**FAULT, **states}]}
    client = open_client()
    client.enrol("7K3M9QXD22")
    lead(office, client, state="reported")
    return client


def lead(office: Office, client: Client, *, version: int = 1, **data: Any) -> None:
    """The server says where the fault stands by now."""
    held = {"sender": USER, "note": "漏液", **data}
    office.pages.append({"items": [put(LEAK, held, version=version, kind="fault")]})
    client.sync().run()


def saved(client: Client) -> int:
    """How much was sealed."""
    return len(client.mutations())


def test_x9_what_leads_nowhere_is_refused_before_anything_is_sealed(
    rep: Client, office: Office
) -> None:
    lead(office, rep, version=2, state="doing")
    with pytest.raises(IllegalMoveError) as told:
        rep.patch(LEAK, {"reason": "误报", "note": "两件"})
    assert told.value.code == "illegal_move"
    assert told.value.fields == {"reason": "is not possible in this state"}
    draft = rep.edit(LEAK)
    draft["reason"] = "误报"
    with pytest.raises(IllegalMoveError):
        draft.__exit__(None, None, None)
    with pytest.raises(InvalidFieldsError):
        rep.create("fault", {"reason": "误报"})
    assert saved(rep) == 0
    assert rep.get(LEAK)["note"] == "漏液"
    assert rep.patch(LEAK, {"note": "两件"})["note"] == "两件"


def test_p6_x9_of_a_group_nothing_is_sealed_where_one_change_leads_nowhere(rep: Client) -> None:
    group = rep.group()
    group.patch(LEAK, {"reason": "误报"})
    group.patch(LEAK, {"reason": "看错了"})
    with pytest.raises(IllegalMoveError):
        group.__exit__(None, None, None)
    assert saved(rep) == 0


def test_x9_own_work_that_is_not_sent_yet_leads_on_as_well(rep: Client) -> None:
    rep.patch(LEAK, {"reason": "误报"})
    with pytest.raises(IllegalMoveError):
        rep.patch(LEAK, {"reason": "看错了"})
    assert rep.patch(LEAK, {"reason": "误报", "note": "两件"})["note"] == "两件"


def test_x9_what_is_another_roles_to_do_is_refused_with_that_reason(
    rep: Client, office: Office
) -> None:
    lead(office, rep, version=2, state="doing", sender="somebody")
    with pytest.raises(IllegalMoveError) as told:
        rep.patch(LEAK, {"revisit": "v1"})
    assert told.value.fields == {"revisit": "is for another role to do"}
    lead(office, rep, version=3, state="doing")
    assert rep.patch(LEAK, {"revisit": "v1"})["revisit"] == "v1"


@pytest.mark.parametrize("states", [{}, {"states": None}, {"states": {"doing": "?"}}], ids=str)
def test_an_older_server_or_one_that_cannot_be_read_refuses_no_move(
    rep: Client, office: Office
) -> None:
    lead(office, rep, version=2, state="doing")
    assert rep.patch(LEAK, {"reason": "误报"})["reason"] == "误报"


def test_a_state_that_this_device_does_not_know_refuses_no_move(
    rep: Client, office: Office
) -> None:
    lead(office, rep, version=2, state="a new one")
    assert rep.patch(LEAK, {"reason": "误报"})["reason"] == "误报"
