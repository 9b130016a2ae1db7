"""A save of which only the last flush fails: what is seen of it afterwards lasts."""

from random import Random

import pytest

from fieldstamp import StoreError
from fieldstamp._store import Store
from tests.simulation.disk import Call, Machine, Verdict

DICE = [Random(seed) for seed in range(24)]


class LastFlush:
    """The flush that ends the next commit fails, and no other."""

    def __init__(self) -> None:
        self.before = ""
        self.has_failed = False

    def __call__(self, call: Call) -> Verdict:
        """The verdict on one call."""
        ends = (self.before, call.point) == ("device.rollback.truncate", "device.rollback.sync")
        self.before = call.point
        if not ends or self.has_failed:
            return Verdict.GO
        self.has_failed = True
        return Verdict.BROKEN


def test_p1_what_is_seen_of_a_save_that_failed_at_its_last_flush_survives_a_power_cut(
    phone: Machine,
) -> None:
    path = phone.folder / "field.db"
    store, failing = Store(path), LastFlush()
    with store.write() as saving:
        saving.keep("name", "before")
    phone.judge = failing
    with pytest.raises(StoreError), store.write() as saving:
        saving.keep("name", "after")
    assert failing.has_failed
    with store.read() as reading:
        seen = reading.value("name")
    moment = phone.tree.copy()
    store.close()
    for dice in DICE:
        phone.restart_from(moment, dice)
        again = Store(path)
        with again.read() as reading:
            found = reading.value("name")
        again.close()
        assert found == seen
