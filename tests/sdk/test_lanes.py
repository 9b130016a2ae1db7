"""Lanes: which changes are sent ahead where a field of their record decides."""

from collections.abc import Callable
from typing import Any

import pytest

from fieldstamp import Client
from tests.sdk.conftest import Opener
from tests.sdk.office import VISIT, Office, put

BY_SEVERITY = {"field": "severity", "urgent": ["high", "extreme"]}


def kinds(lane: Any) -> Any:
    return {"kinds": [VISIT, {"name": "fault", "lane": lane}]}


@pytest.fixture
def client(open_client: Opener, office: Office) -> Client:
    """An enrolled device to which faults are urgent by their severity; a push takes one change."""
    office.kinds = kinds(BY_SEVERITY)
    office.largest_push = 1
    client = open_client()
    client.enrol("7K3M9QXD22")
    return client


def fault(client: Client, severity: str) -> str:
    return client.create("fault", {"severity": severity}).id


def pulled_fault(client: Client, office: Office, severity: str) -> str:
    """A fault of another device, which this one has only from the server."""
    record = "01930000-0000-7000-8000-00000000fa17"
    office.pages = [{"items": [put(record, {"severity": severity}, kind="fault")]}]
    assert client.sync().run().synced
    return record


def sent_order(client: Client, office: Office) -> list[int]:
    """The numbers of what waits, in the order in which it arrives."""
    office.order.clear()
    assert client.sync().run().synced
    return office.order


def test_an_urgent_value_overtakes_ordinary_changes(client: Client, office: Office) -> None:
    client.create("visit", {"purpose": "routine"})
    fault(client, "low")
    fault(client, "high")
    fault(client, "extreme")
    assert sent_order(client, office) == [3, 4, 1, 2]


def test_earlier_changes_of_a_record_that_becomes_urgent_go_along_in_order(
    client: Client, office: Office
) -> None:
    client.create("visit", {"purpose": "routine"})
    record = fault(client, "low")
    client.patch(record, {"note": "leaks"})
    client.create("visit", {"purpose": "sale"})
    client.patch(record, {"severity": "high"})
    assert sent_order(client, office) == [2, 3, 5, 1, 4]


def test_a_patch_of_a_record_that_the_server_holds_as_urgent_is_urgent(
    client: Client, office: Office
) -> None:
    record = pulled_fault(client, office, "high")
    client.create("visit", {"purpose": "routine"})
    client.patch(record, {"note": "leaks"})
    assert sent_order(client, office) == [2, 1]


def test_a_withdrawal_of_an_urgent_record_is_urgent(client: Client, office: Office) -> None:
    record = pulled_fault(client, office, "high")
    client.create("visit", {"purpose": "routine"})
    client.withdraw(record)
    assert sent_order(client, office) == [2, 1]


def test_own_edits_decide_the_lane_of_later_ones(client: Client, office: Office) -> None:
    record = pulled_fault(client, office, "low")
    client.patch(record, {"severity": "high"})
    client.create("visit", {"purpose": "routine"})
    client.patch(record, {"note": "leaks"})
    assert sent_order(client, office) == [1, 3, 2]


@pytest.mark.parametrize(
    "soften",
    [
        lambda client, record: client.patch(record, {"severity": "low"}),
        lambda client, record: client.patch(record, unset=["severity"]),
    ],
    ids=["set", "unset"],
)
def test_what_ends_the_urgency_and_what_follows_is_ordinary(
    client: Client, office: Office, soften: Callable[[Client, str], object]
) -> None:
    record = pulled_fault(client, office, "high")
    client.create("visit", {"purpose": "routine"})
    soften(client, record)
    client.patch(record, {"note": "dry"})
    assert sent_order(client, office) == [1, 2, 3]


@pytest.mark.parametrize(
    "lane",
    [None, 7, "later", {}, {"field": "severity"}, {"field": ["severity"], "urgent": ["high"]},
     {"field": "severity", "urgent": "high"}],
)  # fmt: skip
def test_p8_a_lane_that_cannot_be_read_is_the_normal_one(
    open_client: Opener, office: Office, lane: Any
) -> None:
    office.kinds = kinds(lane)
    office.largest_push = 1
    client = open_client()
    client.enrol("7K3M9QXD22")
    client.create("visit", {"purpose": "routine"})
    fault(client, "high")
    assert sent_order(client, office) == [1, 2]
