"""Safety: what must hold at every step, each check named after what it proves.

Liveness is ``quiescence``'s. A check looks at real tables, real files and at what was said on the
wire; what it knows of the past it was told by the same wire.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import orjson

from fieldstamp import Request, Response, SyncReport
from server.api.kinds import describe_kinds
from tests.simulation.case_checks import CaseChecks, Told
from tests.simulation.fieldwork import MARK
from tests.simulation.handset import Handset
from tests.simulation.ledger import Ledger, device_of, mutations_of
from tests.simulation.model import Model
from tests.simulation.seen import hold

if TYPE_CHECKING:
    from tests.simulation.world import World

EVERY = 10
"""Actions between two looks at everything."""
READS = ("/v1/sync/pull", "/v1/sync/snapshot", "/v1/sync/digest", "/v1/sync/kinds")
PUSH = "/v1/sync/push"
HAVE = "/v1/media/have"
FINAL = {"applied", "merged", "conflict", "rejected"}


@dataclass
class Known:
    """What the wire has said so far; copied with a backup, and put back with it."""

    model: Model
    last: int
    acked: dict[str, str] = field(default_factory=dict)
    """Mutation → final outcome that left the server (I2)."""
    versions: dict[str, int] = field(default_factory=dict)
    """Mutation → the version of its effect that was told."""
    offsets: dict[str, int] = field(default_factory=dict)
    """Upload → furthest offset that was answered (I7)."""
    withdrawn: set[str] = field(default_factory=set)
    head: int = 0
    """The feed's last number (I8)."""
    cases: Told = field(default_factory=Told)


@dataclass(frozen=True)
class Handed:
    """A request on its way in."""

    path: str
    device: str | None
    revoked: bool
    pushed: list[dict[str, Any]]


class Checks:
    """All checks of one run."""

    def __init__(self, world: "World") -> None:
        self.world = world
        kinds = describe_kinds(world.services.sync.registry, world.services.policy)["kinds"]
        self.ledger = Ledger(world, {one["name"]: one for one in kinds})
        self.known = Known(self.ledger.model, 0)
        self.cases = CaseChecks(world)
        self.after_office()

    @contextmanager
    def looking(self) -> Iterator[None]:
        """Nothing can go wrong with any disk meanwhile."""
        was, self.world.power.is_watched = self.world.power.is_watched, True
        try:
            yield
        finally:
            self.world.power.is_watched = was

    def rows(self, statement: str, *values: Any) -> list[Any]:
        """What stands in the server's store."""
        return self.world.site.rows(statement, *values)

    def hears(self, request: Request, cut: int | None) -> Handed:
        """Looks at a request before the server does."""
        path = request.url.split("//")[1].partition("/")[2]
        with self.looking():
            device, revoked = device_of(self.world.site, request)
        is_push = path == PUSH[1:] and cut is None
        return Handed(f"/{path}", device, revoked, mutations_of(request) if is_push else [])

    def answered(self, handed: Handed, answer: Response | None) -> None:
        """Looks at what reached the store, and at what is said about it."""
        with self.looking():
            was_taken = answer is not None and answer.status == 200
            self.ledger.look(
                handed.pushed,
                device=handed.device,
                revoked=handed.revoked,
                was_taken=was_taken,
            )
            if answer is None:
                return
            self.i16_the_server_fails_only_where_its_disk_does(answer)
            self.i15_a_revoked_device_reads_nothing(handed, answer)
            self.i7_an_offset_never_falls(answer)
            if answer.status != 200 or "json" not in answer.headers.get("content-type", ""):
                return
            told = orjson.loads(answer.body)
            if handed.path == PUSH:
                self._note_outcomes(told)
            if handed.path == HAVE:
                self.i10_bytes_are_vouched_for_to_their_sender(handed, told)
            if handed.path in READS[:2] and "items" in told:
                self.world.seen.note("page", "goes_on" if told["more"] else "last")
                self.i10_only_what_is_in_scope_is_sent(handed, told)
            if reason := told.get("resync_required"):
                self.world.seen.note("resync", reason)

    def after_office(self) -> None:
        """What the office and the worker did is told to the model."""
        with self.looking():
            self.ledger.look([])

    def after_action(self, device: Handset) -> None:
        """Everything that is quick to see, and now and then the rest."""
        self.after_office()
        self.on_device(device)
        if self.world.actions % EVERY == 0:
            self.everything()

    def after_crash(self, handed_in: Handed | None) -> None:
        """P3: the server has come back from its disk."""
        with self.looking():
            self._i19_the_store_is_sound()
        if handed_in is not None:
            self.answered(handed_in, None)
        self.everything()

    def after_device_crash(self, device: Handset) -> None:
        """P1: the device has come back from its disk."""
        with device.open()._store.read() as reading:
            hold("I19", reading.rows("PRAGMA integrity_check") == [("ok",)], device.name)
        self.on_device(device)

    def everything(self) -> None:
        """All that is kept is still kept, and the server has what the model says."""
        with self.looking():
            self.ledger.look([])
            self.ledger.compare()
            self.i2_what_was_acknowledged_is_stored()
            self.i4_a_mutation_has_one_effect()
            self.i6_what_is_verified_is_there()
            self.i7_an_offset_counts_what_is_there()
            self.i8_the_feed_only_grows()
            self.i9_what_was_withdrawn_stays_withdrawn()
            self.i12_what_was_refused_is_kept()
            self.i14_no_seal_breaks()
            self.i20_a_number_is_used_once()
            self.cases.everything()
        self.i17_no_log_says_what_people_type()

    def on_device(self, device: Handset) -> None:
        """What a device must hold, and what it may not have forgotten."""
        if self.world.power.is_down(device.name):
            return
        with self.looking(), device.open()._store.read():
            self.i1_what_was_saved_is_kept(device)
            self.i3_nothing_leaves_the_queue_without_an_acknowledgement(device)
            self.i5_bytes_stay_until_they_are_verified(device)
            self.p7_an_own_edit_is_shown_until_its_version_is_here(device)

    def remember(self) -> Known:
        """What a backup is about to hold."""
        self.after_office()
        known = self.known
        return Known(
            model=self.ledger.model.snapshot(),
            last=self.ledger.last,
            acked=dict(known.acked),
            versions=dict(known.versions),
            offsets=dict(known.offsets),
            withdrawn=set(known.withdrawn),
            head=known.head,
            cases=self.cases.told.copy(),
        )

    def put_back(self, kept: Known) -> None:
        """The server holds what it held at a backup, and what its journal brought back."""
        with self.looking():
            self.known = Known(
                model=kept.model.snapshot(),
                last=kept.last,
                acked=dict(kept.acked),
                versions=dict(kept.versions),
                offsets=dict(kept.offsets),
                withdrawn=set(kept.withdrawn),
            )
            self.cases.told = kept.cases.copy()
            self.ledger.put_back(self.known.model, kept.last)

    def _note_outcomes(self, told: dict[str, Any]) -> None:
        for one in told["results"]:
            if one.get("outcome") in FINAL and "ack" in one:
                said = self.known.acked.setdefault(one["id"], one["outcome"])
                hold("I4", said == one["outcome"], f"{one['id']} was {said}, now {one['outcome']}")
                version = self.known.versions.setdefault(one["id"], one.get("version", 0))
                same = version in {0, one.get("version", version)}
                hold("I4", same, f"{one['id']} made {version}, now {one.get('version')}")
                self.world.seen.note("answer", "replay" if one.get("replay") else "first")

    def i1_what_was_saved_is_kept(self, device: Handset) -> None:
        """P1: what a person was told to be saved is in the store, as it was sealed."""
        with device.open()._store.read() as reading:
            stored: dict[str, str] = dict(reading.rows("SELECT id, digest FROM mutation"))
        lost = {name for name, digest in device.saved.items() if stored.get(name) != digest}
        hold("I1", not lost, f"{device.name} lost {sorted(lost)}")
        if device.name not in self.world.power.doubtful:
            device.saved = stored

    def i3_nothing_leaves_the_queue_without_an_acknowledgement(self, device: Handset) -> None:
        """P2, P3: a final state stands beside the server's signed word; I12: with its reason."""
        with device.open()._store.read() as reading:
            bare = reading.rows(
                "SELECT id, state FROM mutation WHERE state IN"
                " ('applied', 'merged', 'conflict', 'rejected') AND id NOT IN"
                " (SELECT mutation FROM ack) AND coalesce(problem, '') NOT LIKE '%reused%'"
            )
            silent = reading.rows(
                "SELECT id FROM mutation WHERE state = 'rejected' AND problem IS NULL"
            )
        hold("I3", not bare, f"{device.name}: {bare}")
        hold("I12", not silent, f"{device.name}: {silent}")

    def i5_bytes_stay_until_they_are_verified(self, device: Handset) -> None:
        """P7: an upload that is not at its end has its bytes on the device, and they are whole."""
        with device.open()._store.read() as reading:
            open_ = reading.rows("SELECT DISTINCT sha256 FROM upload WHERE freed = 0")
        for (name,) in open_:
            path = device.blob(name)
            hold("I5", path.exists(), f"{device.name}: {name} is gone")
            hold("I5", sha256(path.read_bytes()).hexdigest() == name, f"{name} is torn")
        freed = {one for one in device.bytes_saved.values() if not device.blob(one).exists()}
        if freed:
            blobs = {name for (name,) in self.rows("SELECT sha256 FROM blob")}
            hold("I5", freed <= blobs, f"{device.name}: nobody has {sorted(freed - blobs)}")

    def p7_an_own_edit_is_shown_until_its_version_is_here(self, device: Handset) -> None:
        """P7: what the server took from here stays laid over an older copy of the record."""
        if device.rotten:
            return
        with device.open()._store.read() as reading:
            hidden = reading.rows(
                "SELECT m.id FROM mutation m JOIN record r ON r.id = m.record"
                " WHERE m.state IN ('applied', 'merged') AND NOT m.laid AND r.version < m.version"
                " AND r.epoch = (SELECT epoch FROM ack WHERE mutation = m.id"
                " ORDER BY place DESC LIMIT 1)"
            )
        hold("P7", not hidden, f"{device.name} does not show {hidden}")

    def i16_the_server_fails_only_where_its_disk_does(self, answer: Response) -> None:
        """No answer says that the server failed, unless its disk did; 503 asks to come again."""
        fine = answer.status < 500 or answer.status == 503 or self.world.power.has_failed
        hold("I16", fine, f"{answer.status} {answer.body[:300]!r} {self.world.site.log[-1:]}")

    def i15_a_revoked_device_reads_nothing(self, handed: Handed, answer: Response) -> None:
        """P5: from its revocation on no read is answered, and no result carries data."""
        if handed.revoked:
            hold("I15", not (handed.path in READS and answer.status == 200), handed.path)
            hold("I15", b'"data"' not in answer.body, handed.path)

    def i7_an_offset_never_falls(self, answer: Response) -> None:
        """M1: what was once said to be durable is never asked for again."""
        offset, place = answer.headers.get("upload-offset"), answer.headers.get("location")
        if offset is not None and place is not None:
            before = self.known.offsets.get(place, 0)
            hold("I7", int(offset) >= before, f"{place} stood at {before}, now at {offset}")
            self.known.offsets[place] = int(offset)

    def i10_only_what_is_in_scope_is_sent(self, handed: Handed, told: dict[str, Any]) -> None:
        """P5: every record in a page is in a scope that its reader has now."""
        named = {one["record"]: one for one in told["items"] if one.get("item") != "leave"}
        if not named:
            return
        ((user,),) = self.rows('SELECT "user" FROM device WHERE id = ?', handed.device)
        scopes = self.world.site.person(user).scopes
        marks = ",".join("?" * len(named))
        rows = self.rows(f"SELECT id, scopes FROM record WHERE id IN ({marks})", *sorted(named))
        for name, text in rows:
            hold("I10", scopes & set(json.loads(text)), f"{handed.device} was sent {name}")
            hold("I10", set(named[name]["scopes"]) <= scopes, f"{name} in {named[name]['scopes']}")

    def i10_bytes_are_vouched_for_to_their_sender(
        self, handed: Handed, told: dict[str, Any]
    ) -> None:
        """P5: who knows a hash learns nothing of the photos of others."""
        named = {one["photo"] for one in told["acknowledgements"]}
        rows = self.rows(
            "SELECT a.photo FROM arrival a JOIN device d ON d.user = a.user WHERE d.id = ?",
            handed.device,
        )
        hold("I10", named <= {name for (name,) in rows}, f"{handed.device} was told of {named}")

    def i2_what_was_acknowledged_is_stored(self) -> None:
        """P3: every final outcome that ever left the server stands in its store."""
        stored = dict(self.rows("SELECT id, outcome FROM mutation"))
        wrong = {one: said for one, said in self.known.acked.items() if stored.get(one) != said}
        hold("I2", not wrong, wrong)

    def i4_a_mutation_has_one_effect(self) -> None:
        """P2: no mutation wrote two versions of one record."""
        twice = self.rows(
            "SELECT mutation, record FROM record_version GROUP BY 1, 2 HAVING count(*) > 1"
        )
        hold("I4", not twice, "two versions of one record by one mutation")

    def i6_what_is_verified_is_there(self) -> None:
        """M2, M4: the bytes of what is called verified are there and have their hash."""
        originals = self.world.services.media.originals
        rows = self.rows("SELECT sha256, bytes FROM blob")
        for name, size in rows:
            hold("I6", originals.head(name) == size, f"blob {name} is not whole")

    def i7_an_offset_counts_what_is_there(self) -> None:
        """M1: no offset is beyond the bytes that are in the part file."""
        rows = self.rows("SELECT id, received FROM upload WHERE state = 'open' AND received > 0")
        for name, received in rows:
            path = self.world.site.folder / "uploads" / f"{name}.part"
            there = path.stat().st_size if path.exists() else -1
            hold("I7", there >= received, f"{name} counts {received}, has {there}")

    def i8_the_feed_only_grows(self) -> None:
        """P4: a number of the feed is never given twice."""
        ((head,),) = self.rows("SELECT seq FROM feed_head")
        hold("I8", head >= self.known.head, f"the feed stood at {self.known.head}, now at {head}")
        self.known.head = head

    def i9_what_was_withdrawn_stays_withdrawn(self) -> None:
        """Nothing brings back a record that was taken back."""
        rows = self.rows("SELECT id FROM record WHERE state = 1")
        gone = {row[0] for row in rows}
        hold("I9", self.known.withdrawn <= gone, sorted(self.known.withdrawn - gone))
        self.known.withdrawn = gone

    def i12_what_was_refused_is_kept(self) -> None:
        """P6: each refused mutation has its parked record."""
        rows = self.rows(
            "SELECT m.id FROM mutation m LEFT JOIN record r ON r.id = m.id AND r.kind = 'parked'"
            " WHERE m.outcome = 'rejected' AND r.id IS NULL"
        )
        hold("I12", not rows, "refused and kept nowhere")

    def i14_no_seal_breaks(self) -> None:
        """What a device sealed is as it was sealed, and in its chain, unless it was copied."""
        if any(device.copied for device in self.world.devices):
            return
        bad = self.rows(
            "SELECT id, seal FROM mutation WHERE device IS NOT NULL"
            " AND seal NOT IN ('chained', 'sealed', 'gap')"
        )
        hold("I14", not bad, bad[:3])

    def i17_no_log_says_what_people_type(self) -> None:
        """Neither texts nor tokens stand in a log."""
        for line in self.world.site.log:
            hold("I17", MARK not in line and "eyJ" not in line, line)
        self.world.site.log.clear()

    def i20_a_number_is_used_once(self) -> None:
        """A device that was never copied gives each number of its chain once."""
        rows = self.rows(
            "SELECT device, n FROM mutation WHERE device IS NOT NULL AND n IS NOT NULL"
            " GROUP BY device, n HAVING count(*) > 1"
        )
        copied = any(device.copied for device in self.world.devices)
        hold("I20", copied or not rows, "a number of a chain was used twice")

    def _i19_the_store_is_sound(self) -> None:
        """SQLite finds nothing wrong with what came back."""
        sound = self.rows("PRAGMA integrity_check")
        hold("I19", sound == [("ok",)], sound)
        hold("I19", not self.rows("PRAGMA foreign_key_check"), "keys")

    def reported(self, device: Handset, report: SyncReport) -> None:
        """I8, I11: what a sync says of itself is true."""
        if report.digest_mismatch:
            self.world.seen.note("resync", "digest_mismatch")
            hold("I8", device.rotten, f"{device.name} holds something else: {report}")
        # A sync may end after the server was put back, of which it could not hear any more.
        if report.synced and device.epoch == self.ledger.epoch:
            self.i11_synced_means_synced(device)

    def i11_synced_means_synced(self, device: Handset) -> None:
        """P13: where a device says so, the server has all its mutations and all its bytes."""
        with device.open()._store.read() as reading:
            own = {row[0] for row in reading.rows("SELECT id FROM mutation")}
            photos = {row[0] for row in reading.rows("SELECT sha256 FROM upload WHERE freed = 0")}
        with self.looking():
            rows = self.rows("SELECT id FROM mutation WHERE outcome <> 'waiting'")
            hold("I11", own <= {row[0] for row in rows}, f"{device.name} is not synced")
            blobs = {row[0] for row in self.rows("SELECT sha256 FROM blob")}
            hold("I11", photos <= blobs, f"{device.name}: photos are missing")

    def decided(self, record: str, *, base: int, before: int, version: int) -> None:
        """I13: a verdict stands right behind the version that its reviewer saw."""
        hold("I13", version == base + 1 == before + 1, f"{record}: saw {base}, made {version}")
