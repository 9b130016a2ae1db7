"""What tests of events do: receipts and photos that arrive, decisions, rounds of the worker."""

from dataclasses import dataclass
from typing import Any

from flask import Flask
from sqlalchemy import select
from sqlalchemy.orm import Session

from server.db import transaction
from server.outward.engine import Outward
from server.outward.hooks import Added, Standing, add_hook, list_hooks
from server.outward.queries import Held, list_held
from server.outward.tables import Event
from server.people.principal import Principal
from server.work.rounds import run_pending
from tests.company import Company, FixedClock
from tests.domain.desk import Desk
from tests.domain.records import receipt
from tests.outward.receivers import Receiver
from tests.until import LIMIT_SECONDS
from tests.uploads import Carrier


@dataclass
class Site:
    """A company, its desk and its worker. A receipt stands for every kind that is decided."""

    app: Flask
    company: Company
    desk: Desk
    store: Session

    def __post_init__(self) -> None:
        self.rep: Principal = self.desk.rep()
        self.manager: Principal = self.desk.reviewer()

    @property
    def outward(self) -> Outward:
        """The room as the server has it."""
        return self.company.services.outward

    @property
    def clock(self) -> FixedClock:
        """The server's clock."""
        clock = self.company.services.clock
        assert isinstance(clock, FixedClock)
        return clock

    def hook(self, receiver: Receiver, **wanted: Any) -> Added:
        """A hook that leads to ``receiver``."""
        with transaction(self.store):
            return add_hook(self.store, self.outward, receiver.url, **wanted)

    def receipt(self) -> str:
        """A receipt without photos."""
        return self.desk.create(self.rep, "receipt", **receipt())

    def decide(self, record: str, verdict: str = "accepted") -> None:
        """The manager's decision."""
        self.desk.decide(self.manager, record, verdict)

    def carrier(self) -> Carrier:
        """A device of another rep that uploads."""
        handle = self.company.rep()
        return Carrier(self.app.test_client(), handle, self.company.services.ids.new)

    def work(self) -> None:
        """Rounds of the worker until nothing can be done now, and no answer is outstanding."""
        run_pending(self.app)
        while flights := list(self.outward.flying.values()):
            for flight in flights:
                flight.run.exception(timeout=LIMIT_SECONDS)
            run_pending(self.app)

    def after(self, **span: float) -> None:
        """The same, later."""
        self.clock.advance(**span)
        self.work()

    @property
    def issued(self) -> list[tuple[str, str]]:
        """(type, record) of all that was issued, in its order."""
        self.store.rollback()
        found = select(Event).where(Event.seq.is_not(None)).order_by(Event.seq)
        return [(event.type, event.record) for event in self.store.scalars(found)]

    @property
    def held(self) -> list[Held]:
        """What waits."""
        self.store.rollback()
        return list_held(self.store)

    @property
    def hooks(self) -> list[Standing]:
        """How the hooks stand."""
        self.store.rollback()
        return list_hooks(self.store)
