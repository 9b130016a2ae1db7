"""When the next try makes sense, whatever the clocks do."""

import datetime

import pytest

from fieldstamp import Client, _pace
from fieldstamp.testing import FixedClock, SeededEntropy
from tests.sdk.conftest import Opener
from tests.sdk.office import Office


class Most:
    """Chance at its upper end."""

    def secret(self, size: int) -> bytes:
        return b"\xff" * size

    def fraction(self) -> float:
        return 1.0


def failed(times: int, clock: FixedClock) -> _pace.Wait:
    wait = None
    for _ in range(times):
        wait = _pace.after_failure(wait, asked_s=None, clock=clock, entropy=Most())
    assert wait is not None
    return wait


@pytest.mark.parametrize(
    ("times", "seconds"), [(1, 4), (2, 8), (3, 16), (8, 512), (9, 900), (5000, 900)]
)
def test_p8_waits_double_up_to_a_quarter_of_an_hour(times: int, seconds: float) -> None:
    assert failed(times, FixedClock()).delay_s == seconds


def test_p8_devices_do_not_come_back_all_at_once() -> None:
    clock, entropy = FixedClock(), SeededEntropy(3)
    waits = [
        _pace.after_failure(failed(9, clock), asked_s=None, clock=clock, entropy=entropy).delay_s
        for _ in range(50)
    ]
    assert min(waits) < 200
    assert max(waits) > 700


def test_p8_what_the_server_asks_for_is_the_least() -> None:
    clock = FixedClock()
    wait = _pace.after_failure(None, asked_s=600, clock=clock, entropy=Most())
    assert (wait.delay_s, wait.asked_s) == (600, 600)


def test_p8_a_person_waits_for_what_the_server_asked_and_no_longer() -> None:
    clock = FixedClock()
    wait = _pace.after_failure(failed(8, clock), asked_s=30, clock=clock, entropy=Most())
    clock.pass_time(20)
    assert (_pace.asked_left_s(wait, clock), _pace.left_s(wait, clock)) == (10, 880)
    clock.pass_time(10)
    assert (_pace.asked_left_s(wait, clock), _pace.left_s(wait, clock)) == (0, 870)


def test_p8_a_wait_passes_also_over_a_restart() -> None:
    clock = FixedClock()
    wait = _pace.read(failed(9, clock).kept())
    clock.pass_time(100)
    assert _pace.left_s(wait, clock) == 800
    clock.restart()
    assert _pace.left_s(wait, clock) == 800
    clock.pass_time(900)
    assert _pace.left_s(wait, clock) == 0


def test_p9_a_wall_clock_that_was_set_back_holds_nothing_up() -> None:
    clock = FixedClock()
    wait = failed(9, clock)
    clock.restart()
    clock.set_wall(datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC))
    assert _pace.left_s(wait, clock) == 0


def test_p8_success_starts_from_the_beginning_and_follows_the_servers_backoff() -> None:
    clock = FixedClock()
    wait = _pace.after_success(backoff_s=60, clock=clock)
    assert (wait.attempt, wait.delay_s, wait.asked_s) == (0, 60, 0)


def test_p8_what_nobody_tries_to_send_is_found_counted_and_sent(
    client: Client, office: Office, device_clock: FixedClock
) -> None:
    client.sync().run()
    assert client.watch() is None
    device_clock.pass_time(10_000)
    assert client.watch() is None, "nothing waits"
    client.create("visit", {"purpose": "routine"})
    client.sync().run()
    client.create("visit", {"purpose": "routine"})
    device_clock.pass_time(100)
    assert client.watch() is None, "the next try is not overdue yet"
    device_clock.pass_time(60)
    report = client.watch()
    assert report is not None
    assert (report.synced, client.status().stalls) == (True, 1)


def test_p8_a_sync_that_was_begun_and_left_does_not_hold_the_store(
    client: Client, open_client: Opener
) -> None:
    client.create("visit", {"purpose": "routine"})
    left = client.sync()
    next(iter(left))
    assert open_client().sync().run().reason == "store_busy"
    assert client.sync().run().synced
    again = client.sync()
    next(iter(again))
    again.close()
    assert open_client().sync().run().synced


def test_p9_a_wall_clock_set_back_does_not_hide_a_stall(
    client: Client, office: Office, device_clock: FixedClock
) -> None:
    client.sync().run()
    client.create("visit", {"purpose": "routine"})
    device_clock.restart()
    device_clock.set_wall(device_clock.now() - datetime.timedelta(days=300))
    assert client.watch() is not None
