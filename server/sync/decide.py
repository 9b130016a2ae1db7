"""What becomes of one mutation: ``decide(batch, mutation)``, pure on what was loaded.

The caller applies each decision to the batch before it asks for the next one, and writes all of
them in one transaction. Refusals and conflicts are values.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from server.proof.encoding import canonical
from server.sync.batch import (
    LIVE,
    WITHDRAWN,
    Batch,
    Changes,
    Decision,
    Head,
    Written,
    changes,
    with_values,
)
from server.sync.claims import DUPLICATE, claim, first_number, matches
from server.sync.kept import (
    close,
    created,
    keep_lost,
    names_kept,
    park,
    restored_author,
    restored_values,
)
from server.sync.kinds import Author, Change, Data, Placement, RecordKind
from server.sync.merge import ABSENT, NEVER, Edit, Merged, is_equal, last_foreign, merge, stamp
from server.sync.wire import ACTIONS, Mutation, Outcome, OutcomeName, rejected, waiting
from server.values import replace

MAX_EXTRA = 8 * 1024
"""Bytes of unknown fields that a record keeps (PROTOCOL *push*)."""


def decide(batch: Batch, mutation: Mutation) -> Decision:
    """The outcome of ``mutation`` on the batch as it stands, with all that it writes."""
    decision = _decide(batch, mutation)
    if decision.outcome.name == "rejected":
        return park(batch, mutation, decision.outcome)
    if decision.outcome.name in {"applied", "merged"}:
        return replace(decision, writes=(*decision.writes, *close(batch, mutation)))
    return decision


def _decide(batch: Batch, mutation: Mutation) -> Decision:
    if mutation.malformed:
        return _refuse("validation", mutation.malformed)
    if mutation.user != batch.sender.user:
        return _refuse("forbidden")
    if batch.sender.upload_only:
        return _refuse("device_revoked")
    kind = batch.registry.get(mutation.kind)
    if kind is None or mutation.action not in ACTIONS:
        unknown = mutation.kind if kind is None else mutation.action
        return Decision(outcome=waiting(f"kind:{unknown}"))
    awaited = _awaited(batch, mutation)
    return Decision(outcome=waiting(*awaited)) if awaited else _decide_action(batch, kind, mutation)


def _awaited(batch: Batch, mutation: Mutation) -> list[str]:
    """What it is ordered behind, and what it settles, as far as that has not arrived."""
    after = mutation.after
    if after is not None and not batch.is_settled(after):
        return [after]
    return [record for record in names_kept(mutation) if batch.visible(record) is None]


def _decide_action(batch: Batch, kind: RecordKind, mutation: Mutation) -> Decision:
    there = batch.visible(mutation.record) or batch.still_open(mutation.record, mutation.device)
    if mutation.action == "create":
        return _create(batch, kind, mutation, there)
    if there is None:
        return Decision(outcome=_missing(batch, [mutation.record]))
    if there.kind != kind.name:
        return _refuse("validation", {"kind": "format"})
    if mutation.action == "withdraw":
        return _withdraw(batch, kind, mutation, there)
    return _patch(batch, kind, mutation, there)


def _refuse(code: str, fields: Mapping[str, str] | None = None) -> Decision:
    return Decision(outcome=rejected(code, fields))


def _create(batch: Batch, kind: RecordKind, mutation: Mutation, there: Head | None) -> Decision:
    if there is not None:
        return _patch(batch, kind, replace(mutation, base=0), there)
    if mutation.record in batch.heads:
        return _refuse("id_taken")
    known = _known(kind, mutation)
    refusal = _refuse_create(batch, kind, mutation, known)
    if refusal is not None:
        return Decision(outcome=refusal)
    parent_id = mutation.set.get(kind.parent) if kind.parent else None
    parent = batch.heads.get(parent_id) if parent_id else None
    fields = _split_extra(mutation.set, known)
    head = Head(
        id=mutation.record,
        kind=kind.name,
        version=0,
        state=LIVE,
        fields={},
        versions={},
        placement=_place(batch, kind, mutation, fields, parent),
        creator=(restored_author(batch, mutation) or batch.author).user,
        parent=parent.id if parent else None,
    )
    return _write(batch, kind, mutation, head=head, after=fields, merged=Merged())


def _place(
    batch: Batch, kind: RecordKind, mutation: Mutation, fields: Data, parent: Head | None
) -> Placement:
    if kind.place is not None:
        return kind.place(fields, restored_author(batch, mutation) or batch.author)
    if parent is None:
        raise ValueError(f"{kind.name} has neither a place of its own nor a parent")
    return kind.follow(fields, parent.placement)


def _split_extra(values: Mapping[str, Any], known: Mapping[str, Any]) -> Data:
    """``values`` with what this server does not know moved under ``extra``, where no rule reads."""
    unknown = _unknown(values, known)
    return {**known, "extra": unknown} if unknown else dict(known)


def _unknown(values: Mapping[str, Any], known: Mapping[str, Any]) -> Data:
    if values is known:
        return {}
    return {name: value for name, value in values.items() if name not in known}


def _refuse_create(
    batch: Batch, kind: RecordKind, mutation: Mutation, known: Mapping[str, Any]
) -> Outcome | None:
    if batch.writer == "device" and not batch.sender.has_any(kind.create_roles):
        return rejected("forbidden")
    wrong = {**kind.check_create(known), **dict.fromkeys(mutation.unset, "format")}
    return _refuse_values(batch, kind, mutation, known, wrong)


def _refuse_patch(batch: Batch, kind: RecordKind, mutation: Mutation) -> Outcome | None:
    missing = {name: "required" for name in mutation.unset if name in kind.required}
    known = _known(kind, mutation)
    wrong = {**kind.check_patch(known), **missing}
    return _refuse_values(batch, kind, mutation, known, wrong)


def _known(kind: RecordKind, mutation: Mutation) -> Mapping[str, Any]:
    """The fields that this server knows; what was set, where it knows them all."""
    if mutation.set.keys() <= kind.fields.keys():
        return mutation.set
    return {name: value for name, value in mutation.set.items() if name in kind.fields}


def _refuse_values(
    batch: Batch,
    kind: RecordKind,
    mutation: Mutation,
    known: Mapping[str, Any],
    wrong: Mapping[str, str],
) -> Outcome | None:
    """Whose fields they are, then their shape, then what they refer to."""
    theirs = _not_owned(batch, kind, mutation)
    if theirs:
        return rejected("field_owner", {name: _whose(kind, name) for name in theirs})
    unknown = _unknown(mutation.set, known)
    if unknown and len(canonical(unknown)) > MAX_EXTRA:
        return rejected("validation", {"extra": f"too_long:{MAX_EXTRA}"})
    if wrong:
        return rejected("validation", wrong)
    return _refuse_references(batch, kind, mutation)


def _not_owned(batch: Batch, kind: RecordKind, mutation: Mutation) -> list[str]:
    """Named fields that the writer does not own and does not bring back."""
    writable = batch.writable(kind)
    if mutation.set.keys() <= writable and not mutation.unset:
        return []
    named = kind.fields.keys() & {*mutation.set, *mutation.unset}
    theirs = sorted(named - writable)
    brought_back = restored_values(batch, mutation)
    return [
        name
        for name in theirs
        if name not in brought_back
        or not is_equal(mutation.set.get(name, ABSENT), brought_back[name])
    ]


def _whose(kind: RecordKind, name: str) -> str:
    return "office_only" if "office" in kind.fields[name].writers else "server_only"


def _refuse_references(batch: Batch, kind: RecordKind, mutation: Mutation) -> Outcome | None:
    """What a mutation refers to must be there and visible (P5), or it waits."""
    wrong: dict[str, str] = {}
    awaited: list[str] = []
    under_moved = kind.parent if mutation.action == "create" else None
    for name, kinds in kind.references.items():
        for record in ids_in(mutation.set.get(name)):
            target = batch.visible(record)
            if target is None and name == under_moved:
                target = batch.moved_away(record)
            if target is None:
                awaited.append(record)
            elif target.kind not in kinds:
                wrong[name] = "reference"
    if wrong:
        return rejected("validation", wrong)
    return _missing(batch, awaited) if awaited else None


def _missing(batch: Batch, records: Sequence[str]) -> Outcome:
    """Only a missing record stops a mutation; one whose create was refused will not come."""
    if any(batch.moved_away(record) for record in records):
        return rejected("moved")
    for record in records:
        cause = batch.refused_create(record)
        if cause is not None:
            return rejected("depends_on_rejected", cause=cause)
    return waiting(*records)


def ids_in(value: Any) -> list[str]:
    """The ids in the value of a reference: one id, a list of ids, or none."""
    if isinstance(value, list):
        return [entry for entry in value if isinstance(entry, str)]
    return [value] if isinstance(value, str) else []


def _patch(batch: Batch, kind: RecordKind, mutation: Mutation, there: Head) -> Decision:
    refusal = _refuse_patch(batch, kind, mutation)
    if refusal is not None:
        return Decision(outcome=refusal)
    edit = _edit(batch, kind, mutation, there)
    merged = merge(kind, there.fields, there.versions, edit)
    if there.state == WITHDRAWN or (mutation.strict and _is_foreign(kind, there, edit)):
        merged = Merged(lost=_differing(there, edit.values), foreign=merged.foreign)
    after = with_values(there.fields, merged.taken)
    return _write(batch, kind, mutation, head=there, after=after, merged=merged)


def _edit(batch: Batch, kind: RecordKind, mutation: Mutation, there: Head) -> Edit:
    values: dict[str, Any] = {**mutation.set, **dict.fromkeys(mutation.unset, ABSENT)}
    unknown = {name: values.pop(name) for name in list(values) if name not in kind.fields}
    if unknown:
        values["extra"] = with_values(there.fields.get("extra", {}), unknown) or ABSENT
    return Edit(
        values=values,
        # P6: who saw a version that this store never had has seen nothing of what it has.
        base=mutation.base if mutation.base <= there.version else 0,
        device=_device(batch, mutation),
        n=mutation.n,
        side="device" if batch.writer == "device" else "office",
    )


def _device(batch: Batch, mutation: Mutation) -> str | None:
    """The device of the own-edit rule; two reviewers never count as one, so they have none."""
    return mutation.writer if batch.writer == "device" else None


def _is_foreign(kind: RecordKind, there: Head, edit: Edit) -> bool:
    """Whether any other writer changed the record since the base, but for what a machine found."""
    return any(
        last_foreign(entry, edit.device) > edit.base
        for name, entry in there.versions.items()
        if name not in kind.findings
    )


def _differing(there: Head, values: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: value
        for name, value in values.items()
        if not is_equal(there.fields.get(name, ABSENT), value)
    }


def _withdraw(batch: Batch, kind: RecordKind, mutation: Mutation, there: Head) -> Decision:
    if batch.writer == "device" and not kind.create_roles:
        return _refuse("forbidden")  # X6: what no device makes, none takes back
    edit = _edit(batch, kind, replace(mutation, set={}, unset=()), there)
    foreign = merge(kind, there.fields, there.versions, edit).foreign
    if there.state == WITHDRAWN:
        return Decision(outcome=_outcome(there, Merged(foreign=foreign), ()))
    reason = kind.machine.taken_back_by() if kind.machine else None
    if batch.writer == "device" and reason:
        return _refuse("validation", {reason: "required"})  # X9: a case is taken back by a move
    if foreign:
        lost = Merged(lost={"withdrawn": True}, foreign=foreign)
        return _keep_only(batch, mutation, there, lost)
    head = replace(there, state=WITHDRAWN, version=there.version + 1)
    change = _change(batch, kind, there, there.fields, withdrawn=True)
    written = Written(head=head, changed={}, waits=kind.waits(change))
    parent = batch.heads.get(there.parent) if there.parent else None
    writes = (written, *_fold(batch, parent, change))
    return Decision(outcome=_outcome(head, Merged(), ()), writes=writes)


def _change(
    batch: Batch,
    kind: RecordKind,
    head: Head,
    after: Data,
    *,
    withdrawn: bool = False,
    mutation: Mutation | None = None,
) -> Change:
    return Change(
        kind=kind.name,
        record=head.id,
        before=head.fields if head.version else None,
        after=after,
        withdrawn=withdrawn,
        by=batch.sender,
        parent_kind=batch.heads[head.parent].kind if head.parent in batch.heads else None,
        read=_read(batch, kind, after),
        region=head.placement.region if head.version else None,
        captured=mutation.captured if mutation else {},
        arrived_at=batch.arrival(mutation.id) if mutation else None,
        restored_of=restored_author(batch, mutation) if mutation else None,
    )


def _read(batch: Batch, kind: RecordKind, data: Data) -> dict[str, Data]:
    """What the rules of ``kind`` look into, beyond the record and its parent."""
    named = [record for name in kind.reads for record in ids_in(data.get(name))]
    return {record: batch.heads[record].fields for record in named if record in batch.heads}


def _keep_only(batch: Batch, mutation: Mutation, there: Head, merged: Merged) -> Decision:
    """A conflict that leaves its record as it is."""
    conflict = keep_lost(batch, mutation, there, merged)
    return Decision(outcome=_outcome(there, merged, (conflict.id,)), writes=(created(conflict),))


def _write(
    batch: Batch,
    kind: RecordKind,
    mutation: Mutation,
    *,
    head: Head,
    after: Data,
    merged: Merged,
) -> Decision:
    """Rules, derived fields, the new version, its conflict and its parent's fold."""
    parent = batch.heads.get(head.parent) if head.parent else None
    change = _change(batch, kind, head, after, mutation=mutation)
    wrong = kind.check(change, parent.fields if parent else None)
    if wrong:
        return _refuse("validation", wrong)
    claimed = claim(batch, kind, change, mutation)
    number, named = first_number(batch, kind, head.id) if not head.version else ({}, [])
    derived = {**_derive(batch, kind, change, parent, twins=bool(claimed.twins)), **number}
    if derived:
        change = replace(change, after=with_values(after, derived))
    changed = changes(head.fields, change.after)
    if not changed and head.version:  # it makes no version and names the one that stands
        if merged.lost:
            return _keep_only(batch, mutation, head, merged)
        return Decision(outcome=_outcome(head, merged, ()))
    stamp_as = (_device(batch, mutation), mutation.n)
    written = _next_version(kind, head, change, changed=changed, stamp_as=stamp_as)
    writes = [written, *_fold(batch, parent, change)]
    conflicts: tuple[str, ...] = ()
    if merged.lost:
        conflict = keep_lost(batch, mutation, written.head, merged)
        writes.append(created(conflict))
        conflicts = (conflict.id,)
    writes += matches(batch, mutation, written.head, claimed.twins)
    outcome = _outcome(written.head, merged, conflicts)
    return Decision(
        outcome=outcome,
        writes=tuple(writes),
        derived=bool(derived),
        claims=(*claimed.moves, *named),
    )


def _derive(
    batch: Batch, kind: RecordKind, change: Change, parent: Head | None, *, twins: bool
) -> Data:
    derived = kind.derive(change, parent.fields if parent else None)
    remarks = {DUPLICATE} if twins else set()
    if parent is not None and parent.state != LIVE:
        remarks.add("parent_withdrawn")
    if parent is not None and change.before is None and batch.moved_away(parent.id):
        remarks.add("moved")
    flags = {**change.after, **derived}.get("flags", [])
    return {**derived, "flags": sorted({*flags, *remarks})} if remarks else derived


def _next_version(
    kind: RecordKind,
    head: Head,
    change: Change,
    *,
    changed: Changes,
    stamp_as: tuple[str | None, int | None],
) -> Written:
    """The record's next version; ``stamp_as`` is the device and its n, or nobody's."""
    version = head.version + 1
    stamps = dict.fromkeys(changed, stamp(NEVER, version, *stamp_as))
    for name in changed.keys() & head.versions.keys():
        stamps[name] = stamp(head.versions[name], version, *stamp_as)
    placement = head.placement
    if head.version and kind.place is not None:
        author = Author(user=head.creator, home_region=head.placement.region)
        placement = kind.place(change.after, author)
    after = replace(
        head,
        version=version,
        fields=change.after,
        versions={**head.versions, **stamps},
        placement=placement,
        aged=False,
    )
    return Written(head=after, changed=changed, waits=kind.waits(change))


def _fold(batch: Batch, parent: Head | None, change: Change) -> list[Written]:
    """The parent's server-owned fields that follow from the child, as a version of its own.

    B1: what was taken back goes no further.
    """
    kind = batch.registry.get(parent.kind) if parent else None
    if parent is None or kind is None or parent.state != LIVE:
        return []
    folded = with_values(parent.fields, kind.fold(parent.fields, (change,)))
    changed = changes(parent.fields, folded)
    if not changed:
        return []
    told = _change(batch, kind, parent, folded)
    return [_next_version(kind, parent, told, changed=changed, stamp_as=(None, None))]


def _outcome(head: Head, merged: Merged, conflicts: tuple[str, ...]) -> Outcome:
    name: OutcomeName = "conflict" if conflicts else "merged" if merged.foreign else "applied"
    return Outcome(
        name=name,
        version=head.version,
        fields=merged.foreign,
        conflicts=conflicts,
        flags=tuple(head.fields.get("flags", ())),
    )
