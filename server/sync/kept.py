"""P6: the records that keep what did not win: conflicts and parked mutations. Pure."""

from server.casework.items import Waits
from server.sync.batch import LIVE, Batch, Decision, Head, Written, changes
from server.sync.kinds import Author, Change, Data, Placement
from server.sync.merge import ABSENT, Merged
from server.sync.wire import Mutation, Outcome
from server.values import replace

SETTLED = {"conflict": "resolved", "parked": "restored"}
"""The state of what was kept, once its values were brought back or settled otherwise."""


def created(head: Head, waits: Waits = None) -> Written:
    """The first version of a record that the server makes."""
    changed = {name: (ABSENT, value) for name, value in head.fields.items()}
    return Written(head=head, changed=changed, waits=waits)


def asked_of(batch: Batch, head: Head, before: Data | None) -> Waits:
    """Who must act on what was kept."""
    kind = batch.registry.get(head.kind)
    if kind is None:
        return None
    change = Change(
        kind=head.kind,
        record=head.id,
        before=before,
        after=head.fields,
        withdrawn=False,
        by=batch.sender,
    )
    return kind.waits(change)


def server_made(
    batch: Batch,
    *,
    kind: str,
    record: str,
    fields: Data,
    placement: Placement,
    parent: str | None = None,
) -> Head:
    """The head of a record that the server makes by itself."""
    return Head(
        id=record,
        kind=kind,
        version=1,
        state=LIVE,
        fields=fields,
        versions=dict.fromkeys(fields, (1, None, None, 0)),
        placement=placement,
        creator=batch.sender.user,
        parent=parent,
    )


def keep_lost(batch: Batch, mutation: Mutation, head: Head, merged: Merged) -> Head:
    """P6: the record that keeps the values which lost, in the scopes that their record has now."""
    lost = {name: value for name, value in merged.lost.items() if value is not ABSENT}
    kept = {name: head.fields[name] for name in merged.lost if name in head.fields}
    fields: Data = {
        "record": head.id,
        "record_kind": head.kind,
        "fields": sorted(merged.lost),
        "base": mutation.base,
        "kept": kept,
        "lost": lost,
        "user": mutation.user,
        "mutation": mutation.id,
        "state": "open",
    }
    if mutation.device:
        fields["device"] = mutation.device
    return server_made(
        batch,
        kind="conflict",
        record=batch.new_id(),
        fields=fields,
        placement=head.placement,
        parent=head.id,
    )


def park(batch: Batch, mutation: Mutation, outcome: Outcome) -> Decision:
    """P6: a refused mutation is kept where its sender and whoever holds the target can see it."""
    target = batch.heads.get(mutation.record)
    planned = _planned(batch, mutation)
    scopes = {f"user:{batch.sender.user}"}
    region = batch.sender.home_region
    if target is not None:
        scopes |= target.placement.scopes
        region = target.placement.region
    elif planned is not None:
        scopes |= planned.scopes
        region = planned.region
    elif region is not None:
        scopes.add(f"region:{region}")
    fields: Data = {
        "record": mutation.record,
        "record_kind": mutation.kind,
        "action": mutation.action,
        "set": dict(mutation.set),
        "unset": list(mutation.unset),
        "captured": dict(mutation.captured),
        "code": outcome.code,
        "wrong": dict(outcome.fields_wrong),
        "mutation": mutation.id,
        "user": mutation.user,
        "state": "open",
    }
    if outcome.cause is not None:
        fields["under"] = outcome.cause
    head = server_made(
        batch,
        kind="parked",
        record=mutation.id,
        fields=fields,
        placement=Placement(scopes=frozenset(scopes), region=region),
        parent=target.id if target else None,
    )
    kept = created(head, waits=asked_of(batch, head, None))
    return Decision(outcome=outcome, writes=(kept,))


def _planned(batch: Batch, mutation: Mutation) -> Placement | None:
    """P5: where what the office could not make would stand beneath its parent: no device is told
    more of it than it would have been."""
    kind = batch.registry.get(mutation.kind)
    if batch.writer != "office" or kind is None or kind.parent is None or kind.place is not None:
        return None
    above = batch.heads.get(str(mutation.set.get(kind.parent)))
    if above is None:
        return Placement(scopes=frozenset(), region=batch.sender.home_region)
    return kind.follow(dict(mutation.set), above.placement)


def names_kept(mutation: Mutation) -> list[str]:
    """The conflicts and the parked mutation that ``mutation`` settles."""
    named = [*mutation.resolves]
    if mutation.restores is None:
        return named
    restored = mutation.restores
    named += [restored[name] for name in ("conflict", "parked") if name in restored]
    return named


def _restored(batch: Batch, mutation: Mutation) -> Head | None:
    """The conflict or the parked mutation of this record that ``mutation`` brings back."""
    restores = mutation.restores
    if restores is None:
        return None
    named = [restores[name] for name in ("conflict", "parked") if name in restores]
    head = batch.visible(named[0]) if named else None
    if head is None or head.kind not in SETTLED or head.fields.get("record") != mutation.record:
        return None
    return head


def restored_values(batch: Batch, mutation: Mutation) -> Data:
    """What somebody who may write them typed once, ABSENT where he unset it; the restorer writes
    it unchanged."""
    head = _restored(batch, mutation)
    if head is None:
        return _past_values(batch, mutation)
    if head.kind == "conflict":
        lost: Data = head.fields["lost"]
        return {name: lost.get(name, ABSENT) for name in head.fields["fields"]}
    return {**dict.fromkeys(head.fields.get("unset", ()), ABSENT), **head.fields["set"]}


def _past_values(batch: Batch, mutation: Mutation) -> Data:
    """What devices had written by the version that the office brings back."""
    past = batch.past.get((mutation.record, (mutation.restores or {}).get("version", 0)))
    kind = batch.registry.get(mutation.kind)
    if past is None or kind is None or batch.writer != "office":
        return {}
    return {name: past.get(name, ABSENT) for name in kind.owned["device"]}


def restored_author(batch: Batch, mutation: Mutation) -> Author | None:
    """Whose record a restored create makes: its first sender's, not the restorer's."""
    head = _restored(batch, mutation)
    if head is None or head.kind != "parked":
        return None
    return Author(user=head.fields["user"], home_region=head.placement.region)


def close(batch: Batch, mutation: Mutation) -> list[Written]:
    """Closes what a mutation resolved or restored: conflicts of its record, a parked mutation."""
    closed: list[Written] = []
    for record in names_kept(mutation):
        head = batch.visible(record)
        if head is None or head.fields.get("record") != mutation.record:
            continue
        state = SETTLED.get(head.kind)
        if state is not None and head.fields.get("state") == "open":
            closed.append(_closed(batch, head, state, mutation))
    return closed


def _closed(batch: Batch, head: Head, state: str, mutation: Mutation) -> Written:
    fields = {**head.fields, "state": state, "settled_by": mutation.id}
    version = head.version + 1
    written = dict.fromkeys(("state", "settled_by"), (version, None, None, version))
    after = replace(head, version=version, fields=fields, versions={**head.versions, **written})
    asked = asked_of(batch, after, head.fields)
    return Written(head=after, changed=changes(head.fields, fields), waits=asked)
