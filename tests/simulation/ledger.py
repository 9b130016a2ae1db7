"""What reached the server, in order, told to the model; and what the server said in return."""

import base64
import gzip
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy.orm import Session

from fieldstamp import Request
from server.people import rights
from server.sync.epochs import current_epoch
from tests.simulation.model import Model
from tests.simulation.model_rules import FINAL, Sender
from tests.simulation.seen import Seen, hold

if TYPE_CHECKING:
    from tests.simulation.world import World

WHOLE = {"customer", "visit", "stall", "visit_report", "receipt", "signature"}
"""Kinds of which the model knows every field; of others, those that mutations name."""
COLUMNS = 'key, id, writer, "user", device, body, outcome, code, result'


@dataclass(frozen=True)
class Stored:
    """A mutation as the server has it."""

    key: int
    id: str
    writer: str
    user: str
    device: str | None
    body: str
    outcome: str
    code: str | None
    result: str


def mutations_of(request: Request) -> list[dict[str, Any]]:
    """The mutations in a push."""
    raw = request.body
    if request.headers.get("Content-Encoding") == "gzip":
        raw = gzip.decompress(raw)
    return [
        {name: value for name, value in one.items() if name != "seal"}
        for one in json.loads(raw)["mutations"]
    ]


def device_of(session: Session, request: Request) -> tuple[str | None, bool]:
    """The device whose token a request carries, and whether the server has revoked it."""
    token = request.headers.get("Authorization", "").removeprefix("Bearer ")
    if token.count(".") != 2:
        return None, False
    payload = token.split(".")[1]
    login = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))["sub"]
    found = session.connection().exec_driver_sql(
        "SELECT d.id, d.revoked_at IS NOT NULL FROM session s JOIN device d ON d.id = s.device"
        " WHERE s.id = ?",
        (login,),
    )
    row = found.one_or_none()
    return (None, False) if row is None else (row[0], bool(row[1]))


class Ledger:
    """Reads what was stored since it last looked, and lets the model decide the same."""

    def __init__(self, world: "World", kinds: dict[str, Any]) -> None:
        self.world = world
        self.given: dict[str, str] = {}
        self.model = Model(kinds, self.given.get, [], self._today)
        self.last = 0
        self.rests = False
        """After a restore the model rests: which decisions a journal brings back in which order,
        beside what devices send again, is nothing that it knows."""

    def put_back(self, model: Model, last: int) -> None:
        """The server was put back: what is told now continues ``model``."""
        self.model, self.last, self.rests = model, last, True
        self.given.clear()
        self.given.update(model.outcomes)
        model.observed, model.today = self.given.get, self._today

    @property
    def seen(self) -> Seen:
        """Where occurrences are counted."""
        return self.world.seen

    def look(
        self,
        session: Session,
        pushed: list[dict[str, Any]],
        *,
        revoked: bool = False,
        was_taken: bool = False,
    ) -> None:
        """Tells the model what has reached the store: a push in its own order, then the rest."""
        self._follow_epoch(session)
        found = self._news(session)
        self._keep(found)
        if self.rests:
            return
        fresh = {one.id for one in found if one.id not in self.model.outcomes}
        known = fresh | set(self.model.outcomes)
        own = [one for one in pushed if one["id"] in known]
        if not (was_taken or any(one["id"] in fresh for one in own)):
            own = []
        if own:
            user = own[0]["user"]
            self.model.arrive(own, self._sender(session, user, "device", revoked=revoked))
        for one in found:
            if one.id not in self.model.outcomes:
                sender = self._sender(session, one.user, one.writer)
                self.model.arrive([json.loads(one.body)], sender)
        self._settle_waiting(session)
        self._compare_outcomes(found)

    def _follow_epoch(self, session: Session) -> None:
        name = str(current_epoch(session))
        if name != self.model.epochs[-1]:
            self.model.begin_epoch(name)
            self.seen.note("fault", "epoch_begun")

    def _news(self, session: Session) -> list[Stored]:
        connection = session.connection()
        rows = connection.exec_driver_sql(
            f"SELECT {COLUMNS} FROM mutation WHERE key > ? ORDER BY key", (self.last,)
        ).all()
        found = [Stored(*row) for row in rows]
        self.last = max((one.key for one in found), default=self.last)
        if waiting := sorted(self.model.waiting):
            marks = ",".join("?" * len(waiting))
            again = connection.exec_driver_sql(
                f"SELECT {COLUMNS} FROM mutation WHERE id IN ({marks}) ORDER BY key",
                tuple(waiting),
            ).all()
            found += [Stored(*row) for row in again if row[1] not in {one.id for one in found}]
        return found

    def _keep(self, found: list[Stored]) -> None:
        for one in found:
            told = json.loads(one.result)
            self.given[one.id] = one.outcome
            for conflict in told.get("conflicts", ()):
                self.model.aliases[conflict] = f"conflict of {one.id}"
            if one.id not in self.model.outcomes or one.outcome in FINAL:
                self.seen.note("outcome", one.outcome)
            if one.code and one.id not in self.model.outcomes:
                self.seen.note("code", one.code)

    def _settle_waiting(self, session: Session) -> None:
        """What a sweep or a late right has settled."""
        for name, (mutation, sender, _awaited) in list(self.model.waiting.items()):
            given = self.given.get(name)
            if given not in FINAL or name not in self.model.waiting:
                continue
            if given == "rejected":
                self.model.expire(name)
            else:
                fresh = self._sender(session, sender.user, sender.writer, revoked=sender.revoked)
                self.model.arrive([mutation], fresh)

    def _compare_outcomes(self, found: list[Stored]) -> None:
        for one in found:
            said = self.model.outcomes[one.id]
            hold("model", said == one.outcome, f"{one}: the model says {said}")
        for rule in sorted(self.model.rules):
            self.seen.note("rule", rule)
        self.model.rules.clear()

    def _today(self, sender: Sender) -> Sender:
        with self.world.checks.looking() as session:
            return self._sender(session, sender.user, sender.writer, revoked=sender.revoked)

    def _sender(self, session: Session, user: str, writer: str, *, revoked: bool = False) -> Sender:
        if user == "server":
            return Sender(user, None, frozenset(), frozenset(), frozenset(), writer)
        known = rights.load_principal(session, user, device=None)
        regions = frozenset(self.world.regions.values())
        return Sender(
            user=user,
            home=known.home_region,
            scopes=known.scopes,
            regions=frozenset(one for one in regions if known.has(known.roles, one)),
            manages=frozenset(one.removeprefix("region:") for one in known.scopes),
            writer=writer,
            device="a device" if writer == "device" else None,
            revoked=revoked,
            roles=known.roles,
        )

    def compare(self, session: Session) -> None:
        """P6, P7: the heads of the server are what the model says."""
        if self.rests:
            return
        rows = session.connection().exec_driver_sql(
            "SELECT id, kind, version, state, data FROM record ORDER BY key"
        )
        heads = {row[0]: row[1:] for row in rows}
        named = {self.model.aliases.get(name, name): told for name, told in heads.items()}
        hold("model", named.keys() == self.model.records.keys(), self._differ(named))
        for name, (kind, version, state, text) in named.items():
            record, data = self.model.records[name], json.loads(text)
            told = record.data
            if kind not in WHOLE:
                data = {one: data[one] for one in told if one in data and one != "flags"}
                told = {one: told[one] for one in data}
            stands = (kind, version, bool(state), data)
            expected = (record.kind, record.version, record.withdrawn, told)
            hold("model", stands == expected, f"{name}: stands {stands}, expected {expected}")

    def _differ(self, named: dict[str, Any]) -> str:
        known = self.model.records.keys()
        return (
            f"only there {sorted(named.keys() - known)}, only here {sorted(known - named.keys())}"
        )
