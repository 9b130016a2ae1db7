"""X5 for the outside: logistics' own system hears of a trace, and not where the goods went."""

import orjson
import pytest
from sqlalchemy import select

from server.outward.tables import Event
from server.people.principal import Role
from server.sync.queries import children
from tests.domain.disputes import Dispute
from tests.outward.site import Site


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
def test_k4_x5_a_trace_is_told_of_when_it_is_asked_and_when_it_is_answered(site: Site) -> None:
    dispute = Dispute(site.company)
    found = dispute.submitted()
    dispute.look()
    (trace,) = children(site.store, found, "batch_trace")
    site.work()
    shipped = {"market": "广州", "customer": "C-4711", "quantity": 30, "unit": "piece"}
    logistics = dispute.reviewer(Role.LOGISTICS_OFFICER, None)
    dispute.decide(logistics, trace.id, "shipped_to", values=shipped)
    site.after(minutes=1)
    site.store.rollback()
    told = list(site.store.scalars(select(Event).where(Event.record == trace.id)))
    assert [one.type for one in sorted(told, key=lambda one: one.key)] == [
        "case.created", "case.changed_state", "case.decided",
    ]  # fmt: skip
    bodies = [orjson.loads(str(one.body)) for one in told]
    assert {body["data"]["kind"] for body in bodies} == {"batch_trace"}
    assert not [one for one in told if "C-4711" in str(one.body)]
