"""A signed case on a real store, and the people who take it further."""

from datetime import timedelta
from typing import Any

from server.casework.clocks import tick
from server.casework.queries import open_work
from server.domain.cases.actions import follow_cases
from server.people.principal import Principal, Role
from server.sync.feed import number_feed
from tests.company import Company
from tests.domain.desk import Desk
from tests.domain.records import POLICY, case, photo, signature


class Dispute(Desk):
    """A signed case, and the people who take it further."""

    def __init__(self, company: Company) -> None:
        super().__init__(company)
        self.seller = self.rep()
        self.officer = self.reviewer(Role.MARKET_OFFICER, None)
        self.manager = self.reviewer()
        self.market = str(self.seller.home_region)

    def find(self, **given: Any) -> str:
        """A case that nobody has signed."""
        return self.create(
            self.seller, "cross_region_case", **case(affected_market=self.market, **given)
        )

    def sign(self, found: str, *parts: str) -> None:
        """Signatures in ``parts``."""
        for part in parts:
            self.create(self.seller, "signature", **signature(part, parent=found))

    def submitted(self, **given: Any) -> str:
        """A case that waits for its intake."""
        found = self.find(**given)
        self.sign(found, "affected_dealer", "region_manager")
        return found

    def server_writes(self, found: str, **values: Any) -> None:
        """What the server finds out about a case."""
        now = self.record(found)
        wire = {"action": "patch", "kind": now.kind, "record": found, "base": now.version}
        result = self.send(self.officer, {**wire, "set": values}, writer="server")
        assert result["outcome"] in {"applied", "merged"}, result

    def inside(self, *parts: str) -> str:
        """A submitted case of goods that stayed inside one sales centre."""
        found = self.submitted()
        self.server_writes(found, inside_centre=True)
        self.sign(found, *parts)
        return found

    def take(self, by: Principal, found: str, *verdicts: str) -> None:
        """Moves, one after the other, each at its own moment."""
        for verdict in verdicts:
            self.advance(minutes=1)
            self.decide(by, found, verdict)

    def rebut(self, found: str, photos: int, *, arrived: int | None = None) -> str:
        """The accused hands something in, of which so many photos arrive (None: all)."""
        values = {"case": found, "photos": photos, "text": "不是我们的货"}
        rebuttal = self.guest_makes("rebuttal", **values)
        for _ in range(photos if arrived is None else arrived):
            self.evidence_arrives(rebuttal)
        return rebuttal

    def evidence_arrives(self, rebuttal: str) -> None:
        """A photo of the accused has come, and the worker has heard of it."""
        shot = self.guest_makes("photo", **photo(parent=rebuttal, parent_kind="rebuttal"))
        self.server_writes(shot, state="verified")
        self.look()

    def guest_makes(self, kind: str, /, **values: Any) -> str:
        """A record that came by a link; its id."""
        record = self.company.services.ids.new()
        wire = {"action": "create", "kind": kind, "record": record, "set": values}
        told = self.send(self.officer, wire, writer="guest")
        assert told["outcome"] == "applied", told
        return record

    def advance(self, **span: float) -> None:
        """Time goes by, and the server looks at its clocks."""
        services = self.company.services
        self.wait(**span)
        tick(self.company.store, services.clock.now())
        self.look()

    def look(self) -> int:
        """The worker looks at the cases until there is nothing more to find; how much it found."""
        store, services, found = self.company.store, self.company.services, 0
        while number_feed(store) + (done := follow_cases(store, services.sync, POLICY)):
            found += done
        return found

    def state(self, found: str) -> str:
        """Where the case stands."""
        return str(self.data(found)["state"])

    def waiting(self, found: str) -> list[tuple[str, str, timedelta]]:
        """(role, task, time left) of what waits."""
        now = self.company.services.clock.now()
        works = open_work(self.company.store, [found]).get(found, ())
        return [(work.role, work.task, work.due_at - now) for work in works]


HOUR = timedelta(hours=1)
