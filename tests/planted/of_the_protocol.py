"""Ten bugs that were written from the text of the protocol alone, before anything that looks for
bugs was read. Each is a sentence of it that somebody could have read past."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import orjson
from sqlalchemy.orm import Session

from fieldstamp._pages import Page
from fieldstamp._store import Transaction
from server.people.principal import Principal
from server.proof.encoding import sha256_hex
from server.sync.engine import Sync
from server.sync.merge import Edit, Merged
from server.sync.pull import begin
from server.sync.push import Envelope, Pushed
from server.sync.queries import find_record
from server.sync.view import look
from server.sync.wire import Mutation
from tests.planted.bug import Bed, altered

BED = Bed()
READ_MUTATION = "server.sync.wire:read_mutation"
LATEST = 2**53 - 1


@BED.bug(
    READ_MUTATION,
    breaks="P6",
    from_protocol=True,
)
def a_withdrawal_always_wins(read: Callable[..., Mutation]) -> Callable[..., Mutation]:
    """A withdrawal takes the record away also where somebody else changed it since its base."""

    def read_faulty(raw: object, **sender: Any) -> Mutation:
        mutation = read(raw, **sender)
        return altered(mutation, base=LATEST) if mutation.action == "withdraw" else mutation

    return read_faulty


@BED.bug(
    "server.sync.push:push_batch",
    breaks="P2",
    from_protocol=True,
)
def a_replay_names_the_present_version(push: Callable[..., Pushed]) -> Callable[..., Pushed]:
    """A mutation that is sent again is told the version of today, not that of its effect."""

    def push_faulty(sync: Sync, session: Session, envelope: Envelope, raw: Sequence[Any]) -> Pushed:
        pushed = push(sync, session, envelope, raw)
        for mutation, result in zip(raw, pushed.results, strict=True):
            if result.get("replay") and "version" in result:
                standing = find_record(session, mutation["record"])
                result["version"] = standing.version if standing else result["version"]
        return pushed

    return push_faulty


@BED.bug(
    "server.sync.merge:merge",
    breaks="P6",
    from_protocol=True,
)
def an_own_edit_hides_anothers(merge: Callable[..., Merged]) -> Callable[..., Merged]:
    """Where a device wrote a field last, its next edit is taken although another device wrote the
    field between the two and this one has not seen it."""

    def merge_faulty(
        kind: Any, current: Mapping[str, Any], versions: Mapping[str, Any], edit: Edit
    ) -> Merged:
        forgetful = {name: (*entry[:3], 0) for name, entry in versions.items()}
        return merge(kind, current, forgetful, edit)

    return merge_faulty


@BED.bug(
    READ_MUTATION,
    breaks="P6",
    from_protocol=True,
)
def other_content_under_a_known_id_passes_for_a_replay(
    read: Callable[..., Mutation],
) -> Callable[..., Mutation]:
    """What comes under a known id with other content is answered like the first and dropped."""

    def read_faulty(raw: object, **sender: Any) -> Mutation:
        mutation = read(raw, **sender)
        return altered(mutation, content=sha256_hex(mutation.id.encode()))

    return read_faulty


@BED.bug(
    "fieldstamp._replica:apply_page",
    breaks="P7",
    from_protocol=True,
)
def what_leaves_one_scope_leaves_the_device(
    apply: Callable[[Transaction, Page], int],
) -> Callable[[Transaction, Page], int]:
    """A record that leaves one scope is removed although the device holds it in another one."""

    def apply_faulty(transaction: Transaction, page: Page) -> int:
        for event, scope in page.events:
            if event == "scope_leave":
                transaction.run(
                    "DELETE FROM pair WHERE scope <> ?1 AND record IN"
                    " (SELECT record FROM pair WHERE scope = ?1)",
                    scope,
                )
        for item in page.items:
            if item.item == "leave":
                transaction.run("DELETE FROM pair WHERE record = ?", item.record)
        return apply(transaction, page)

    return apply_faulty


@BED.bug(
    "server.sync.snapshot:take_snapshot",
    breaks="P4",
    from_protocol=True,
)
def the_tail_of_a_snapshot_is_taken_after_the_read(
    take: Callable[..., bytes],
) -> Callable[..., bytes]:
    """What changed while the pages of a snapshot were fetched comes neither with it nor after."""

    def take_faulty(sync: Sync, session: Session, reader: Principal, **asked: Any) -> bytes:
        told = orjson.loads(take(sync, session, reader, **asked))
        if not told["more"]:
            now = look(session, reader)
            told["cursor"] = begin(now, reader, seq=now.head).write(sync.secret)
        return orjson.dumps(told)

    return take_faulty


@BED.bug(
    "fieldstamp._outbox:settle",
    breaks="P7",
    from_protocol=True,
)
def an_applied_edit_is_taken_off_at_once(settle: Callable[..., Any]) -> Callable[..., Any]:
    """An own edit disappears from the device between its outcome and the pull that brings it."""

    def settle_faulty(transaction: Transaction, *batch: Any, **answer: Any) -> Any:
        settled = settle(transaction, *batch, **answer)
        transaction.run("UPDATE mutation SET laid = 0 WHERE state IN ('applied', 'merged')")
        return settled

    return settle_faulty


@BED.bug(
    READ_MUTATION,
    breaks="P6",
    from_protocol=True,
)
def a_group_is_taken_by_halves(read: Callable[..., Mutation]) -> Callable[..., Mutation]:
    """The members of a group are decided each by itself, before all of them have come."""

    def read_faulty(raw: object, **sender: Any) -> Mutation:
        return altered(read(raw, **sender), group=None)

    return read_faulty


@BED.bug(
    "server.sync.lineage:rebase",
    breaks="P1",
    from_protocol=True,
)
def a_base_of_an_earlier_epoch_counts_as_it_is(
    _rebase: Callable[..., list[Mutation]],
) -> Callable[..., list[Mutation]]:
    """A version seen before a restore is compared with the versions given after it."""

    def rebase_faulty(_rows: Any, _loaded: Any, mutations: Sequence[Mutation]) -> list[Mutation]:
        return list(mutations)

    return rebase_faulty


@BED.bug(
    "fieldstamp._uploads:to_free",
    breaks="P6",
    from_protocol=True,
)
def an_original_is_freed_at_once(
    to_free: Callable[..., list[str]],
) -> Callable[..., dict[str, int]]:
    """The device drops an original as soon as the server has signed for it, not 14 days later."""

    def to_free_faulty(transaction: Transaction, *, before_ms: int) -> list[str]:
        return to_free(transaction, before_ms=before_ms + LATEST)

    return to_free_faulty
