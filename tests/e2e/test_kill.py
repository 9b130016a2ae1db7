"""SIGKILL of device and server in the middle of a sync. The long sweep is ``tests.e2e.kills``."""

from server.settings import Settings
from tests.e2e.kills import run, told

KILLS = 4


def test_p2_p3_m1_after_kills_inside_requests_all_arrived_exactly_once(settings: Settings) -> None:
    findings = run(settings, kills=KILLS, seed=3)
    assert findings.is_whole, told(findings)
    assert findings.kills["all"] == KILLS
    assert findings.kills["inside"] >= KILLS - 1
