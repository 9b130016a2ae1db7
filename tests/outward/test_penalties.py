"""X14 for the outside: a penalty is told of like every case, and what it says is not."""

import orjson
import pytest
from sqlalchemy import select

from server.domain.cases.penalty_actions import Proposal, propose_penalty
from server.outward.tables import Event
from server.people.principal import Role
from tests.domain.disputes import Dispute
from tests.outward.site import Site


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
def test_k4_x14_a_penalty_is_told_of_from_its_proposal_on_without_what_it_says(site: Site) -> None:
    dispute = Dispute(site.company)
    case = dispute.submitted()
    dispute.take(dispute.officer, case, "accepted", "nobody_accused", "facts_verified", "upheld")
    services = site.company.services
    said = Proposal(
        id=services.ids.new(), case=case, rests_on=dispute.data(case)["decided_at"],
        sort="fine", amount="4711", currency="CNY", party="广州丰源贸易", reason="首次窜货",
    )  # fmt: skip
    penalty = propose_penalty(site.store, services.sync, dispute.officer, said)
    site.work()
    dispute.take(dispute.reviewer(Role.GENERAL_MANAGER, None), penalty, "approved")
    site.after(minutes=1)
    site.store.rollback()
    told = list(site.store.scalars(select(Event).where(Event.record == penalty)))
    assert [one.type for one in sorted(told, key=lambda one: one.key)] == [
        "case.created", "case.changed_state", "case.decided",
    ]  # fmt: skip
    bodies = [orjson.loads(str(one.body)) for one in told]
    assert {body["data"]["kind"] for body in bodies} == {"penalty"}
    whole = " ".join(str(one.body) for one in told)
    assert not [secret for secret in ("4711", "广州丰源贸易", "首次窜货") if secret in whole]
