"""Bad networks, the same ones for the same seed: everything arrives once, nothing is made up."""

import pytest

from fieldstamp.testing import Faults, FaultyNet, FixedClock
from tests.sdk.conftest import Opener
from tests.sdk.office import Office
from tests.until import synced_at_last

BAD = Faults(drop_request=0.2, drop_answer=0.2, duplicate=0.1, cut=0.2, portal=0.05)


@pytest.mark.parametrize("seed", range(8))
def test_p2_over_a_bad_network_everything_arrives_exactly_once(
    open_client: Opener, office: Office, device_clock: FixedClock, seed: int
) -> None:
    client = open_client()
    client.enrol("CODE")
    net = FaultyNet(office, BAD, seed=seed)
    device = open_client(transport=net)
    photos = []
    for number in range(5):
        visit = device.create("visit", {"purpose": "routine", "note": str(number)})
        photos.append(device.attach(visit, bytes([number]) * 600_000))
        report = device.sync().run()
        assert report.synced == (report.pending == 0 and report.reason is None)
    synced_at_last(device, clock=device_clock)
    assert sorted(office.order) == list(range(1, 11))
    arrived = {upload.content for upload in office.uploads.values()}
    assert arrived == {device.original(photo.id) for photo in photos}


@pytest.mark.parametrize("seed", range(4))
def test_p2_synced_is_never_said_while_something_is_missing_on_the_other_side(
    open_client: Opener, office: Office, seed: int
) -> None:
    client = open_client()
    client.enrol("CODE")
    device = open_client(
        transport=FaultyNet(office, Faults(drop_answer=0.5, portal=0.3), seed=seed)
    )
    for number in range(20):
        visit = device.create("visit", {"purpose": "routine"})
        report = device.sync().run()
        if report.synced:
            assert len(office.mutations) == number + 1
            assert visit.id in {m["record"] for m in office.mutations.values()}
