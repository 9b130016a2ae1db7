"""What the server has, read as a person of the company reads it or from its tables."""

from dataclasses import dataclass

from flask import Flask
from sqlalchemy import select

from server.people.principal import Role
from server.sync.batch import LIVE
from server.sync.tables import MutationRow, Record
from tests.company import Company


@dataclass(frozen=True, slots=True)
class OtherSide:
    """The server of a company, seen from outside the devices."""

    app: Flask
    company: Company

    def original(self, photo: str) -> bytes | None:
        """The bytes that a manager is given; None where there are none."""
        manager = self.company.device(self.company.user(Role.REGION_MANAGER, "east"))
        answer = self.app.test_client().get(
            f"/v1/media/{photo}/original", headers=manager.headers, buffered=True
        )
        return answer.data if answer.status_code == 200 else None

    def live(self, kind: str) -> list[str]:
        """Ids of the records of that kind that nobody has withdrawn, sorted."""
        store = self.company.store
        store.rollback()
        wanted = select(Record.id).where(Record.kind == kind, Record.state == LIVE)
        return sorted(store.scalars(wanted))

    def received(self) -> list[str]:
        """Ids of all mutations that were received, each once, in the order of their arrival."""
        store = self.company.store
        store.rollback()
        return list(store.scalars(select(MutationRow.id).order_by(MutationRow.key)))
