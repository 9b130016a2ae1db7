"""A rep's device and a reviewer's desk on a real store, below HTTP."""

from dataclasses import dataclass, replace
from typing import Any

from server.domain import queries
from server.domain.review.actions import Decision, decide, undo
from server.people import sessions
from server.people.principal import Principal, Role
from server.sync.batch import Sender
from server.sync.push import Envelope, push_batch
from server.sync.queries import StoredRecord, find_record
from tests.company import Company, FixedClock


@dataclass
class Desk:
    """Pushes for devices, decides for reviewers."""

    company: Company

    def wait(self, **span: float) -> None:
        """Time goes by."""
        clock = self.company.services.clock
        assert isinstance(clock, FixedClock)
        clock.advance(**span)

    def rep(self, region: str = "shanghai") -> Principal:
        """A rep on a device."""
        return self.on_device(Role.REP, region)

    def on_device(self, role: Role, region: str | None) -> Principal:
        """Somebody with ``role`` on a device."""
        handle = self.company.device(self.company.user(role, region))
        shared = self.company.services
        terms = sessions.terms(shared.settings, shared.policy)
        return sessions.recognise(
            self.company.store.get_bind().engine,
            handle.session,
            now=shared.clock.now(),
            terms=terms,
        )

    def reviewer(self, role: Role = Role.REGION_MANAGER, region: str | None = "east") -> Principal:
        """Somebody with ``role`` in a browser."""
        return replace(self.on_device(role, region), device=None)

    def create(self, sender: Principal, kind: str, /, **values: Any) -> str:
        """A new record of ``sender``; its id."""
        record = self.company.services.ids.new()
        self.push(sender, {"action": "create", "kind": kind, "record": record, "set": values})
        return record

    def patch(self, sender: Principal, record: str, /, **values: Any) -> dict[str, Any]:
        """Patches the version that stands; the result."""
        now = self.record(record)
        wire = {"action": "patch", "kind": now.kind, "record": record, "base": now.version}
        return self.push(sender, {**wire, "set": values})

    def push(self, sender: Principal, mutation: dict[str, Any]) -> dict[str, Any]:
        """The result of one mutation of a device, which the server took."""
        result = self.send(sender, mutation)
        assert result["outcome"] in {"applied", "merged", "conflict"}, result
        return result

    def send(
        self, sender: Principal, mutation: dict[str, Any], *, writer: Sender = "device"
    ) -> dict[str, Any]:
        """The result of one mutation, whatever it is."""
        services = self.company.services
        raw = {"id": services.ids.new(), "record": services.ids.new(), "base": 0, **mutation}
        envelope = Envelope(sender=sender, writer=writer)
        (result,) = push_batch(services.sync, self.company.store, envelope, [raw]).results
        return result

    def decide(self, reviewer: Principal, record: str, verdict: Any, **given: Any) -> int:
        """Decides on the version that stands, unless ``base`` is given."""
        base = given.pop("base", None) or self.record(record).version
        told = {"reason": "证据不足", **given}
        decision = Decision(record=record, base=base, verdict=verdict, **told)
        return decide(self.company.services.sync, self.company.store, reviewer, decision)

    def undo(self, reviewer: Principal, record: str) -> int:
        """Takes the reviewer's decision back."""
        services = self.company.services
        rules = services.policy.review
        return undo(services.sync, self.company.store, reviewer, record, rules=rules)

    def record(self, record: str) -> StoredRecord:
        """The record as it stands."""
        found = find_record(self.company.store, record)
        assert found is not None
        return found

    def data(self, record: str) -> dict[str, Any]:
        """The fields of the record as they stand."""
        return self.record(record).data

    def queue(self, reviewer: Principal) -> list[tuple[str, str]]:
        """(record, task) of what waits for ``reviewer``, in order."""
        registry = self.company.services.sync.registry
        rows = queries.queue(
            self.company.store, registry, reviewer, now=self.company.services.clock.now()
        )
        return [(row.record.id, row.work.task) for row in rows]
