"""Incidents 1 and 13: work dropped, or left lying, because the way to the server failed."""

import random

import pytest

from fieldstamp import Client, OfflineError, Response
from fieldstamp.testing import FixedClock
from tests.company import Company
from tests.fleet import Fleet, jpeg, shop, synced, visit
from tests.incidents.faults import (
    PORTAL,
    Line,
    Trouble,
    answered,
    lost_on_the_way_back,
    refusal,
    unreachable,
)
from tests.incidents.otherside import OtherSide
from tests.phones import issue_code

ANSWERS = {
    "portal": PORTAL,
    "bare_500": Response(status=500, headers={"content-type": "text/plain"}, body=b"oops"),
    "too_large": refusal(413, "too_large"),
    "not_found": refusal(404, "not_found"),
    "log_in_again": refusal(401, "token_spent"),
    "busy": refusal(503, "unavailable", **{"retry-after": "5"}),
}
TROUBLES: dict[str, Trouble] = {
    "unreachable": unreachable,
    "answer_lost": lost_on_the_way_back,
    **{f"{name}_before": answered(one, after=False) for name, one in ANSWERS.items()},
    **{f"{name}_after": answered(one, after=True) for name, one in ANSWERS.items()},
}


def mend(device: Client, clock: FixedClock, times: int = 4) -> None:
    """Time passes, a person does what the outbox asks for, and the device syncs."""
    for _ in range(times):
        clock.pass_time(3600)
        for item in device.outbox():
            if item.state == "stopped":
                device.retry(item.record)
        if device.sync().run().synced:
            return
    raise AssertionError(device.outbox())


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("on", ["/", "/v1/sync/push", "/v1/media/"])
@pytest.mark.parametrize("trouble", TROUBLES.values(), ids=TROUBLES.keys())
def test_incident_1_what_could_not_be_sent_is_not_removed_from_the_device(
    fleet: Fleet, rep: str, line: Line, other_side: OtherSide, trouble: Trouble, on: str
) -> None:
    clock, content = FixedClock(), jpeg()
    device = fleet.enrol(rep, line, clock=clock)
    photo = device.attach(visit(device, shop(device)), content)
    before = [mutation.body for mutation in device.mutations()]
    line.trouble, line.on = trouble, on
    for _ in range(3):
        clock.pass_time(3600)
        if device.sync().run().synced:  # the pull said what the lost answers had not
            assert other_side.original(photo.id) == content
        assert device.free_originals() == 0
    device.close()
    device = fleet.open("device0", line, clock=clock)
    assert [mutation.body for mutation in device.mutations()] == before
    assert device.original(photo.id) == content
    assert all(item.reason and item.action for item in device.outbox())
    line.trouble = None
    mend(device, clock)
    assert [mutation.outcome for mutation in device.mutations()] == ["applied"] * 3
    assert all(mutation.ack for mutation in device.mutations())
    assert other_side.original(photo.id) == content


def test_incident_13_a_program_that_was_started_offline_syncs_once_there_is_a_network(
    fleet: Fleet, rep: str, line: Line, company: Company, other_side: OtherSide
) -> None:
    line.trouble = unreachable
    device = fleet.open("fresh", line)
    with pytest.raises(OfflineError):
        device.enrol("7K3M9QXD22")
    assert device.sync().run().reason == "not_enrolled"
    line.trouble = None
    device.enrol(issue_code(company, rep), name="phone")
    line.trouble = unreachable
    made = shop(device)
    assert device.sync().run().reason == "offline"
    line.trouble = None
    synced(device)
    assert other_side.live("customer") == [made]


@pytest.mark.parametrize("seed", range(6))
def test_incident_13_whatever_went_wrong_before_the_sync_button_works_afterwards(
    fleet: Fleet, rep: str, line: Line, other_side: OtherSide, seed: int
) -> None:
    chance, clock = random.Random(seed), FixedClock()
    device = fleet.enrol(rep, line, clock=clock)
    photos = {}
    for _ in range(8):
        line.trouble = chance.choice([None, *TROUBLES.values()])
        content = jpeg()
        photos[device.attach(visit(device, shop(device)), content).id] = content
        device.sync(background=chance.random() < 0.5).run()
        clock.pass_time(chance.choice([0, 3, 4000]))
    line.trouble = None
    mend(device, clock, times=3)
    assert {photo: other_side.original(photo) for photo in photos} == photos
    assert len(other_side.live("customer")) == 8
