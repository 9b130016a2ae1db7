"""The one object a caller holds: saving, reading, syncing. Wires the modules; decides nothing."""

from collections.abc import Iterator, Mapping, Sequence
from os import PathLike
from pathlib import Path
from types import TracebackType
from typing import Any

from fieldstamp import _kept, _outbox, _previews, _replica, _standing, _uploads, _wire
from fieldstamp._blobs import Blobs, type_of
from fieldstamp._capture import Base, Intent, Sealer
from fieldstamp._drafts import Draft, Group
from fieldstamp._errors import FieldstampError, InvalidFieldsError, UnknownRecordError
from fieldstamp._images import small_copy, with_strokes
from fieldstamp._ports import Clock, Disk, Entropy, KeyStore, Transport
from fieldstamp._session import Session
from fieldstamp._store import Store
from fieldstamp._storekey import StoreKeys
from fieldstamp._syncer import Syncer
from fieldstamp._system import SystemClock, SystemDisk, SystemEntropy
from fieldstamp._transport import HttpTransport
from fieldstamp._values import Mutation, OutboxItem, Position, Progress, Record, Status, SyncReport

VERSION = "0.1.0"
_KEPT_MS = 14 * 24 * 3600 * 1000
_HASHED = {"original": "sha256", "preview": "preview_sha256"}
"""Part → the field that holds its hash."""


class SyncRun:
    """One sync: iterate over it for progress, or ``run()`` it; then read its ``report``."""

    def __init__(self, syncer: Syncer, *, background: bool) -> None:
        self._syncer = syncer
        self._steps = syncer.run(background=background)

    def __iter__(self) -> Iterator[Progress]:
        return self._steps

    def close(self) -> None:
        """Stops here: what was done stays done, and the store is free for another sync."""
        self._steps.close()

    def run(self) -> SyncReport:
        """Syncs to the end and says what was done and what is left."""
        for _ in self._steps:
            pass
        return self.report

    @property
    def report(self) -> SyncReport:
        """What was done and what is left, once the iteration has ended."""
        return self._syncer.report()


class Client:
    """A device's store and its way to the server.

    Everything but ``enrol``, ``login``, ``logout`` and ``sync`` works without a network. What a
    call saved is on the disk when it returns. A client belongs to one thread; other threads and
    processes open their own on the same file.
    """

    def __init__(
        self,
        path: str | PathLike[str],
        *,
        server: str | None = None,
        transport: Transport | None = None,
        clock: Clock | None = None,
        entropy: Entropy | None = None,
        disk: Disk | None = None,
        keys: KeyStore | None = None,
        app: str = VERSION,
        language: str = "en",
    ) -> None:
        file = Path(path)
        self._language = language
        self._run: SyncRun | None = None
        self._clock = clock or SystemClock()
        self._entropy = entropy or SystemEntropy()
        self._store = Store(file)
        keys = keys or StoreKeys(self._store, self._entropy)
        self._blobs = Blobs(file.with_name(file.name + ".blobs"), disk or SystemDisk())
        self._sealer = Sealer(clock=self._clock, entropy=self._entropy, keys=keys, app=app)
        self._session = Session(
            self._store,
            server=server,
            transport=transport or HttpTransport(),
            keys=keys,
            clock=self._clock,
            entropy=self._entropy,
            app=app,
            language=language,
        )

    def __enter__(self) -> "Client":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Closes the store; everything saved is already on the disk."""
        self._store.close()

    def enrol(self, code: str, *, name: str = "") -> None:
        """Binds this store to a user by a one-time code, and learns the kinds for offline work.

        Safe to repeat with the same code. Raises RefusedError (``code_unusable``,
        ``device_taken``) and OfflineError.
        """
        self._session.enrol(code, name=name or "device")
        self._syncer().greet()

    def login(self, username: str, password: str, *, name: str = "") -> None:
        """Binds this store to a user by name and password, or logs that user in again."""
        self._session.login(username, password, name=name or "device")
        self._syncer().greet()

    def logout(self) -> None:
        """Ends the session. What waits to be sent is kept and sent after the next login."""
        self._session.logout()

    def create(
        self,
        kind: str,
        fields: Mapping[str, Any] | None = None,
        *,
        parent: Record | str | None = None,
        position: Position | None = None,
        **extra: Any,
    ) -> Record:
        """Saves a new record. Values may be Decimal, aware times, dates and other Records.

        ``parent`` fills the field by which the kind names its parent; ``position`` the field
        ``position``. ``extra`` are members of the mutation: ``after``, ``resolves``, ``restores``.
        Raises InvalidFieldsError with nothing saved, NotEnrolledError, StorageFullError. A change
        that is known not to lead on from the record's state, or not by this user, raises the
        InvalidFieldsError IllegalMoveError.
        """
        values = dict(fields or {})
        if parent is not None:
            values[self._parent_field(kind)] = parent.id if isinstance(parent, Record) else parent
        if position is not None:
            values["position"] = position
        record = self._sealer.new_id()
        self._save([Intent(action="create", kind=kind, record=record, set=values, extra=extra)])
        return self.get(record)

    def patch(
        self,
        record_id: str,
        fields: Mapping[str, Any] | None = None,
        *,
        unset: Sequence[str] = (),
        **extra: Any,
    ) -> Record:
        """Saves a change of named fields; its base is the version this device has now.

        For an edit that takes a person some time use :meth:`edit`, which fixes the base at its
        start. Raises like :meth:`create`, and UnknownRecordError.
        """
        known = self.get(record_id)
        self._save(
            [
                Intent(
                    action="patch",
                    kind=known.kind,
                    record=record_id,
                    base=Base(version=known.version, epoch=known.epoch),
                    set=fields or {},
                    unset=unset,
                    extra=extra,
                )
            ]
        )
        return self.get(record_id)

    def withdraw(self, record_id: str) -> Record:
        """Takes a record back; it stays readable and is never erased."""
        with self.group() as group:
            group.withdraw(record_id)
        return self.get(record_id)

    def edit(self, record_id: str) -> Draft:
        """An edit that starts now: ``with client.edit(id) as draft: draft["summary"] = "…"``."""
        return Draft(self.get(record_id), self._save)

    def group(self) -> Group:
        """Changes that are taken together or not at all: ``with client.group() as group: …``."""
        return Group(new_id=self._sealer.new_id, find=self.get, save=self._save)

    def attach(
        self,
        parent: Record | str,
        source_bytes: str | PathLike[str] | bytes,
        *,
        tag: str | None = None,
        source: str = "import",
        captured: Any = None,
        position: Position | None = None,
        type: str | None = None,
        preview: str | PathLike[str] | bytes | None = None,
    ) -> Record:
        """Saves a photo or another file under ``parent``, bytes first, and returns its record.

        ``source`` is ``app_camera``, ``system_camera``, ``gallery`` or ``import``; ``captured``
        the time it was taken, now by default. ``preview`` is a small copy, which travels ahead of
        all originals; without one it is made here where the extra ``preview`` is installed.
        Raises like :meth:`create`, and OSError when a file cannot be read.
        """
        content = _content(source_bytes)
        fields = {
            "tag": tag,
            "source": source,
            "captured": captured or self._clock.now(),
            "position": position.wire() if position else None,
            "type": type or type_of(content),
        }
        small = small_copy(content) if preview is None else _content(preview)
        return self._attach("photo", parent, fields, content, small)

    def sign(
        self,
        parent: Record | str,
        *,
        part: str,
        signer: str,
        image: bytes | None = None,
        strokes: Sequence[Any] | None = None,
        position: Position | None = None,
    ) -> Record:
        """Saves a signature under ``parent``: its image, its strokes, or both, as bytes.

        ``part`` is in what capacity ``signer`` signs (``rep``, ``customer`` …); with both, the
        strokes travel inside the image, which must be a PNG. Raises like :meth:`create`.
        """
        content = _signed_bytes(image, strokes)
        fields = {
            "part": part,
            "signer": signer,
            "captured": self._clock.now(),
            "position": position.wire() if position else None,
            "type": "application/json" if image is None else type_of(content),
        }
        return self._attach("signature", parent, fields, content, None)

    def get(self, record_id: str) -> Record:
        """The record as this device sees it. Raises UnknownRecordError."""
        with self._store.read() as transaction:
            record = _replica.find(transaction, record_id)
        if record is None:
            raise UnknownRecordError(f"no record {record_id} in this store")
        return record

    def records(self, kind: str) -> list[Record]:
        """All records of a kind, own unsent ones included, oldest first."""
        with self._store.read() as transaction:
            return _replica.of_kind(transaction, kind)

    def conflicts(self) -> list[Record]:
        """Open conflicts: ``lost`` holds the values that did not win, ``kept`` those that stand."""
        with self._store.read() as transaction:
            return _kept.of_state_open(transaction, "conflict")

    def parked(self) -> list[Record]:
        """Refused changes that nobody has settled, with ``set``, ``code`` and ``wrong``."""
        with self._store.read() as transaction:
            return _kept.of_state_open(transaction, "parked")

    def restore(
        self,
        kept_id: str,
        fields: Mapping[str, Any] | None = None,
        *,
        unset: Sequence[str] = (),
    ) -> Record:
        """Brings a conflict's lost values or a refused change back, as a new change.

        ``kept_id`` is the id of a conflict, of a parked record, or of what ``needs_you`` names;
        ``fields`` and ``unset`` correct it. What was refused because of it is restored with it, in
        order. Raises UnknownRecordError, InvalidFieldsError, and FieldstampError ``settled``.
        """
        with self._store.write() as transaction:
            intents = _kept.to_restore(transaction, kept_id, fields or {}, unset)
            self._sealer.save(transaction, intents, grouped=False)
        return self.get(intents[0].record)

    def resolve(
        self,
        conflict_id: str,
        fields: Mapping[str, Any] | None = None,
        *,
        unset: Sequence[str] = (),
    ) -> Record:
        """Closes a conflict with ``fields``; without any, what stands is kept.

        Raises like :meth:`restore`.
        """
        with self._store.write() as transaction:
            intent = _kept.to_resolve(transaction, conflict_id, fields or {}, unset)
            self._sealer.save(transaction, [intent])
        return self.get(intent.record)

    def kinds(self) -> Mapping[str, Any]:
        """What the server last said of its kinds and of the policy lists for offline use."""
        with self._store.read() as transaction:
            known: Mapping[str, Any] = transaction.value("kinds") or {}
        return known

    def status(self) -> Status:
        """Where this store stands, without using the network."""
        with self._store.read() as transaction:
            return _standing.status(transaction, self._clock, self._language)

    def outbox(self) -> list[OutboxItem]:
        """Everything that has not reached its end, each with its reason and what to do."""
        with self._store.read() as transaction:
            return _standing.outbox(transaction, self._language)

    def mutations(self, record_id: str | None = None) -> list[Mutation]:
        """Every change ever saved here, or of one record, sealed, with what became of it."""
        with self._store.read() as transaction:
            return _outbox.evidence(transaction, record_id)

    def original(self, record_id: str) -> bytes:
        """The bytes of a photo or signature that was saved on this device.

        Raises UnknownRecordError where there are none, or where they were freed.
        """
        with self._store.read() as transaction:
            upload = _uploads.find(transaction, record_id, "original")
        if upload is None or not self._blobs.is_here(upload.sha256):
            raise UnknownRecordError(f"the bytes of {record_id} are not in this store")
        return self._blobs.read(upload.sha256)

    def preview(self, record_id: str) -> bytes:
        """A picture of a photo for a screen: a small one where there is one on this device.

        Where there is none, it is asked for at the next sync, as it is by itself for photos with
        guidance, and UnknownRecordError is raised.
        """
        with self._store.write() as transaction:
            sha256 = _previews.held(transaction, record_id, self._blobs)
            if sha256 is None and _replica.find(transaction, record_id) is not None:
                _previews.wish(transaction, record_id)
        if sha256 is None:
            raise UnknownRecordError(f"no picture of {record_id} is in this store yet")
        return self._blobs.read(sha256)

    def free_originals(self) -> int:
        """Gives back the space of originals that the server has; returns how many bytes.

        Only those go for which a photo acknowledgement has been stored for 14 days of the
        server's time, as its answers told it. Records and small copies stay. What a save left that
        was cut short goes, too.
        """
        with self._store.write() as transaction:
            heard = transaction.value("hello") or {}
            before_ms = heard.get("server_time", 0) - _KEPT_MS
            for sha256 in _uploads.to_free(transaction, before_ms=before_ms):
                _uploads.note_freed(transaction, sha256)
        # P6: bytes go when the store on the disk says so, and within the writer's lock, so that
        # nobody saves the same ones meanwhile.
        with self._store.write() as transaction:
            return self._blobs.clear(_previews.named(transaction))

    def retry(self, record_id: str) -> int:
        """Sends stopped uploads of a record again from the start; returns how many."""
        with self._store.write() as transaction:
            return _uploads.restart(transaction, record_id, new_key=self._sealer.new_id)

    def sync(self, *, background: bool = False) -> SyncRun:
        """One sync. ``background`` waits for the time that pacing and the server suggest."""
        if self._run is not None:
            # P8: a run that somebody began and left must not hold the store for ever.
            self._run.close()
        self._run = SyncRun(self._syncer(), background=background)
        return self._run

    def watch(self) -> SyncReport | None:
        """Syncs where something waits and no try was made for twice the delay; else None.

        For a timer of its own beside whatever calls :meth:`sync`, while there is a network. Each
        time it had to act is counted in ``status().stalls``.
        """
        with self._store.write() as transaction:
            stalled = _standing.note_stall(transaction, self._clock)
        return self.sync().run() if stalled else None

    def _syncer(self) -> Syncer:
        return Syncer(
            self._store,
            self._session,
            self._blobs,
            clock=self._clock,
            entropy=self._entropy,
            new_key=self._sealer.new_id,
            language=self._language,
        )

    def _save(self, intents: Sequence[Intent]) -> None:
        with self._store.write() as transaction:
            self._sealer.save(transaction, intents)

    def _attach(
        self,
        kind: str,
        parent: Record | str,
        fields: Mapping[str, Any],
        content: bytes,
        preview: bytes | None,
    ) -> Record:
        above = parent if isinstance(parent, Record) else self.get(parent)
        given = {name: value for name, value in fields.items() if value is not None}
        given |= {"parent_kind": above.kind, "parent": above.id, "bytes": len(content)}
        parts = {"original": content} | ({} if preview is None else {"preview": preview})
        with self._store.write() as transaction:
            # P6: durable before any record names them, and in one lock with it: nobody clears them.
            given |= {_HASHED[part]: self._blobs.keep(raw) for part, raw in parts.items()}
            intent = Intent(action="create", kind=kind, record=self._sealer.new_id(), set=given)
            (n,) = self._sealer.save(transaction, [intent])
            for part, raw in parts.items():
                declared = given["type"] if part == "original" else type_of(raw)
                _uploads.add(transaction, self._upload(intent.record, part, raw, declared), n=n)
        return self.get(intent.record)

    def _upload(self, record: str, part: str, raw: bytes, type_name: str) -> _uploads.Upload:
        return _uploads.Upload(
            record=record,
            part=part,
            sha256=_wire.sha256_hex(raw),
            bytes=len(raw),
            type=type_name,
            key=self._sealer.new_id(),
        )

    def _parent_field(self, kind: str) -> str:
        with self._store.read() as transaction:
            known = _replica.kinds(transaction).get(kind)
        if known is None or known.parent is None:
            raise FieldstampError(f"name the field by which a {kind} names its parent")
        return known.parent


def _content(source: str | PathLike[str] | bytes) -> bytes:
    return source if isinstance(source, bytes) else Path(source).read_bytes()


def _signed_bytes(image: bytes | None, strokes: Sequence[Any] | None) -> bytes:
    if strokes is None:
        if image is None:
            raise InvalidFieldsError("a signature needs an image or strokes")
        return image
    try:
        drawn = _wire.encode(_wire.plain(strokes))
        return drawn if image is None else with_strokes(image, drawn)
    except ValueError as error:
        raise InvalidFieldsError(str(error)) from error
