"""What reached the server, in order, told to the model; and what the server said in return."""

import base64
import gzip
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from itertools import groupby
from typing import TYPE_CHECKING, Any

from fieldstamp import Request
from server.clock import to_wire
from server.people.principal import Principal
from server.sync.tables import LEAVE
from tests.simulation.model import Model
from tests.simulation.model_state import Mutation, Rec, Said, Sender, State, Told
from tests.simulation.seen import Seen, hold
from tests.simulation.site import Site

if TYPE_CHECKING:
    from tests.simulation.world import World

WHOLE = {"customer", "visit", "stall", "visit_report", "receipt", "signature"}
"""Kinds of which the model knows every field; of others, those that mutations name."""
COLUMNS = 'key, id, writer, "user", device, body, outcome, code, result, received_at'
LEFT = (
    "SELECT record.id, scope.name FROM feed JOIN record ON record.key = feed.record"
    " JOIN scope ON scope.key = feed.scope WHERE feed.item = ?"
)
DEVICES = 'SELECT id FROM device WHERE "user" = ?'
GRANTS = (
    'SELECT "user", role, region FROM role_grant'
    " UNION ALL SELECT id, 'revoked', NULL FROM device WHERE revoked_at IS NOT NULL"
)
REVOKED = "SELECT id FROM device WHERE revoked_at IS NOT NULL"
ADOPTED_SAID = "SELECT outcome, code FROM mutation WHERE id = ?"
ADOPTED_HEAD = "SELECT kind, creator, region, scopes FROM record WHERE id = ?"
MATCHES = "SELECT id, data FROM record WHERE kind = 'claim_match' ORDER BY key"
TOLD_FOR = timedelta(days=400) - timedelta(days=2)
"""A day counts as a whole, and the server's clock may have been set back."""


@dataclass(frozen=True)
class Roster:
    """Who may do what at some moment."""

    people: Mapping[str, Principal]
    revoked: frozenset[str]
    """Devices."""


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
    received_at: str

    @property
    def saw_all(self) -> bool:
        """Whether nobody had written what its writer had not seen."""
        is_strict = bool(json.loads(self.body).get("strict"))
        return self.outcome == "applied" or (self.outcome == "merged" and is_strict)


def _by_push(one: Stored) -> object:
    return (one.device, one.received_at) if one.writer == "device" else one.key


def mutations_of(request: Request) -> list[dict[str, Any]]:
    """The mutations in a push."""
    raw = request.body
    if request.headers.get("Content-Encoding") == "gzip":
        raw = gzip.decompress(raw)
    return [
        {name: value for name, value in one.items() if name != "seal"}
        for one in json.loads(raw)["mutations"]
    ]


def device_of(site: Site, request: Request) -> tuple[str | None, bool]:
    """The device whose token a request carries, and whether the server has revoked it."""
    token = request.headers.get("Authorization", "").removeprefix("Bearer ")
    if token.count(".") != 2:
        return None, False
    payload = token.split(".")[1]
    login = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))["sub"]
    found = site.rows(
        "SELECT d.id, d.revoked_at IS NOT NULL FROM session s JOIN device d ON d.id = s.device"
        " WHERE s.id = ?",
        login,
    )
    return (found[0][0], bool(found[0][1])) if found else (None, False)


class Ledger:
    """Reads what was stored since it last looked, and lets the model decide the same."""

    def __init__(self, world: "World", kinds: dict[str, Any]) -> None:
        self.world = world
        self.model = Model(State(kinds, self._adopt), self._today)
        self.last = 0
        self._grants: list[Any] = []
        self._roster = Roster({}, frozenset())
        self._rosters: dict[str, Roster] = {}
        """Decision of the office → the rights of then: a journal brings back both in turn."""
        self._informed: dict[str, bool] = {}
        """Decision of the office → whether it had seen all that there was: so it has again."""
        self._then: Roster | None = None
        """While a journal is read: the rights that it has come to."""
        self._floor = 0
        """How far the feed has forgotten what left and what was withdrawn."""

    def rows(self, statement: str, *values: Any) -> list[Any]:
        """What stands in the server's store."""
        return self.world.site.rows(statement, *values)

    def put_back(self, model: Model, last: int) -> None:
        """The server was put back: what is told now continues ``model``."""
        self.model, self.last = model, last
        self._floor = self._feed_floor()
        self.look([], replays=True)

    @property
    def seen(self) -> Seen:
        """Where occurrences are counted."""
        return self.world.seen

    @property
    def epoch(self) -> str:
        """The running epoch."""
        return self.model.state.epochs[-1]

    def look(
        self,
        pushed: list[dict[str, Any]],
        *,
        device: str | None = None,
        revoked: bool = False,
        was_taken: bool = False,
        replays: bool = False,
    ) -> None:
        """Tells the model what has reached the store: a push in its own order, then the rest.

        ``replays``: a journal has brought it back.
        """
        self._follow_epoch()
        self._follow_aging()
        self._follow_floor()
        found, known = self._news(), self.model.state.outcomes
        fresh = {one.id for one in found if one.id not in known}
        self._count(found, fresh)
        own = [one for one in pushed if one["id"] in fresh or one["id"] in known]
        if own and (was_taken or any(one["id"] in fresh for one in own)):
            sender = self._sender(own[0]["user"], "device", revoked=revoked)
            self.model.arrive(own, sender, now=self._now, told=self._told(device))
        unknown = [one for one in found if one.id not in self.model.state.outcomes]
        for _, batch in groupby(unknown, key=_by_push):
            self._tell_unseen(list(batch), replays=replays)
        self._then = None
        self._settle_waiting(found)
        self._compare_outcomes(found)

    def _tell_unseen(self, batch: list[Stored], *, replays: bool) -> None:
        """A decision of the office; or a push that a machine which was put back had, and the one
        before it not."""
        first = batch[0]
        roster = self._rosters.setdefault(first.id, self._everybody())
        replayed = replays and first.writer != "device"
        self._then = roster if replayed else None
        informed = self._informed.setdefault(first.id, first.saw_all) and replayed
        revoked = first.device in self._revoked()
        sender = self._sender(first.user, first.writer, revoked=revoked)
        told = self._told(first.device)
        mutations = [json.loads(one.body) for one in batch]
        known = frozenset({first.id} if informed else ())
        self.model.arrive(mutations, sender, now=first.received_at, told=told, informed=known)

    @property
    def _now(self) -> str:
        return to_wire(self.world.site.clock.now())

    def _follow_epoch(self) -> None:
        """A restore may begin two: its own, and that of what its journal brings back."""
        names = [name for (name,) in self.rows("SELECT name FROM epoch ORDER BY number")]
        for name in names[len(self.model.state.epochs) :]:
            self.model.begin_epoch(name)
            self.seen.note("fault", "epoch_begun")

    def _feed_floor(self) -> int:
        return int(self.rows("SELECT floor FROM feed_head")[0][0])

    def _follow_floor(self) -> None:
        """P4: that something left is told for 400 days, and then to nobody."""
        if self._floor == (floor := self._feed_floor()):
            return
        self._floor = floor
        told: dict[str, set[str]] = {}
        for record, scope in self.rows(LEFT, LEAVE):
            told.setdefault(self.model.state.aliases.get(record, record), set()).add(scope)
        early = to_wire(self.world.site.clock.now() - TOLD_FOR)
        soon = [at for at in self.model.state.forget(told) if at >= early]
        hold("P4", not soon, f"forgotten before its time: {soon}")

    def _follow_aging(self) -> None:
        """A sweep decides which; a new version brings back what has aged."""
        if self.world.plan.swarm.ages:
            aged, aliases = self.rows("SELECT id FROM record WHERE aged"), self.model.state.aliases
            self.model.state.aged = frozenset(aliases.get(name, name) for (name,) in aged)

    def _news(self) -> list[Stored]:
        rows = self.rows(f"SELECT {COLUMNS} FROM mutation WHERE key > ? ORDER BY key", self.last)
        found = [Stored(*row) for row in rows]
        self.last = max((one.key for one in found), default=self.last)
        if waiting := sorted(self.model.waiting):
            marks = ",".join("?" * len(waiting))
            statement = f"SELECT {COLUMNS} FROM mutation WHERE id IN ({marks}) ORDER BY key"
            again = self.rows(statement, *waiting)
            found += [Stored(*row) for row in again if row[1] not in {one.id for one in found}]
        return found

    def _count(self, found: list[Stored], fresh: set[str]) -> None:
        for one in found:
            for conflict in json.loads(one.result).get("conflicts", ()):
                self.model.state.aliases[conflict] = f"conflict of {one.id}"
            if one.id in fresh or one.outcome != "waiting":
                self.seen.note("outcome", one.outcome)
            if one.code and (one.id in fresh or one.id in self.model.waiting):
                self.seen.note("code", one.code)

    def _settle_waiting(self, found: list[Stored]) -> None:
        """What sweeps have settled: it was decided again, or has waited as long as it may.

        A sweep looks at what names a record that is there; what that wakes is settled with it.
        """
        left = [one for one in found if one.outcome != "waiting"]
        left.sort(key=lambda one: (one.user, one.device or "", one.writer, one.key))
        while left := [one for one in left if one.id in self.model.waiting]:
            if not self._sweep_all(filter(self._is_due, left)) and not self._sweep_all(left):
                return

    def _sweep_all(self, due: Iterable[Stored]) -> bool:
        """Whether anything was settled."""
        before = len(self.model.waiting)
        for _, own in groupby(due, key=lambda one: (one.user, one.device, one.writer)):
            self._sweep([one for one in own if one.id in self.model.waiting])
        return len(self.model.waiting) < before

    def _is_due(self, one: Stored) -> bool:
        state = self.model.state
        is_late = one.code == "unknown_reference"
        return is_late or any(name in state.records for name in state.outcomes[one.id].awaited)

    def _sweep(self, swept: list[Stored]) -> None:
        if not swept:  # what an earlier part has woken is settled by now
            return
        late = frozenset(one.id for one in swept if one.code == "unknown_reference")
        mutations = [self.model.waiting[one.id][0] for one in swept]
        sender = self._today(mutations[0], self.model.waiting[swept[0].id][1])
        told = self._told(swept[0].device)
        self.model.arrive(mutations, sender, now=self._now, told=told, late=late)

    def _told(self, device: str | None) -> Told | None:
        """What the pages of a device have given it and taken from it."""
        if device is None:
            return None
        scopes = self.rows("SELECT scope, lost_at FROM device_scope WHERE device = ?", device)
        losses = self.rows("SELECT record FROM device_loss WHERE device = ?", device)
        aliases = self.model.state.aliases
        return Told(device, dict(scopes), frozenset(aliases.get(name, name) for (name,) in losses))

    def _compare_outcomes(self, found: list[Stored]) -> None:
        for one in found:
            said = self.model.state.outcomes[one.id]
            fits = said.outcome == one.outcome and said.code == one.code
            hold("model", fits, "" if fits else f"{one}: the model says {said}")
        for rule in sorted(self.model.met):
            self.seen.note("rule", rule)
        self.model.met.clear()

    def _today(self, mutation: Mutation, sender: Sender) -> Sender:
        revoked = self._then.revoked if self._then else self._revoked()
        with self.world.checks.looking():
            is_revoked = mutation.get("device") in revoked
            return self._sender(sender.user, sender.writer, revoked=is_revoked)

    def _adopt(self, mutation: Mutation) -> tuple[Said, Rec | None]:
        """What the store says of a mutation of which the model predicts nothing."""
        ((outcome, code),) = self.rows(ADOPTED_SAID, mutation["id"])
        for kind, creator, region, scopes in self.rows(ADOPTED_HEAD, mutation["record"]):
            record = Rec(kind, creator, region, frozenset(json.loads(scopes)), adopted=True)
            return Said(outcome, code), record
        return Said(outcome, code), None

    def _revoked(self) -> frozenset[str]:
        return frozenset(device for (device,) in self.rows(REVOKED))

    def _sender(self, user: str, writer: str, *, revoked: bool = False) -> Sender:
        if user == "server":
            return Sender(user, None, frozenset(), frozenset(), frozenset(), writer)
        then = self._then.people if self._then else {}
        known = then.get(user) or self.world.site.person(user)
        regions = frozenset(self.world.regions.values())
        return Sender(
            user=user,
            home=known.home_region,
            scopes=known.scopes,
            regions=frozenset(one for one in regions if known.has(known.roles, one)),
            manages=frozenset(one.removeprefix("region:") for one in known.scopes),
            writer=writer,
            revoked=revoked,
            roles=known.roles,
            devices=frozenset(one for (one,) in self.rows(DEVICES, user)),
        )

    def _everybody(self) -> Roster:
        """All people with their rights of now, and what is revoked."""
        if self._grants != (grants := self.rows(GRANTS)):
            self._grants = grants
            users = self.rows("SELECT id FROM app_user")
            people = {user: self.world.site.person(user) for (user,) in users}
            self._roster = Roster(people, self._revoked())
        return self._roster

    def compare(self) -> None:
        """P6, P7: the heads of the server are what the model says."""
        rows = self.rows("SELECT id, kind, version, state, data FROM record ORDER BY key")
        self._name_matches()
        heads = {row[0]: row[1:] for row in rows}
        named = {self.model.state.aliases.get(name, name): told for name, told in heads.items()}
        hold("model", named.keys() == self.model.state.records.keys(), self._differ(named))
        for name, (kind, version, state, text) in named.items():
            record, data = self.model.state.records[name], json.loads(text)
            told = record.data
            if record.adopted and kind == record.kind:
                continue
            if kind not in WHOLE:
                data = {one: data[one] for one in told if one in data and one != "flags"}
                told = {one: told[one] for one in data}
            stands = (kind, version, bool(state), data)
            expected = (record.kind, record.version, record.withdrawn, told)
            hold("model", stands == expected, f"{name}: stands {stands}, expected {expected}")

    def _name_matches(self) -> None:
        """K2: a match is known by the records that it names."""
        met: Counter[tuple[str, str]] = Counter()
        for name, text in self.rows(MATCHES):
            pair = (json.loads(text)["record"], json.loads(text)["earlier"])
            self.model.state.aliases[name] = f"match {met[pair]} of {pair[0]} and {pair[1]}"
            met[pair] += 1

    def _differ(self, named: dict[str, Any]) -> str:
        known = self.model.state.records.keys()
        return (
            f"only there {sorted(named.keys() - known)}, only here {sorted(known - named.keys())}"
        )
