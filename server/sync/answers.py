"""Results as they stand in the answer to a push. Pure but for the signature of the server."""

from collections.abc import Mapping
from typing import Any, Self

from server.proof.acknowledgement import Acknowledged, acknowledge
from server.proof.encoding import canonical, record_hash
from server.sync.batch import Head
from server.sync.engine import Sync
from server.sync.kinds import Data
from server.sync.load import StoredMutation
from server.sync.wire import Mutation, Outcome, rejected
from server.values import Value, replace


class Told(Value, frozen=True):
    """What is said about one mutation; without ``stored`` nothing was kept under its id."""

    mutation: Mutation
    stored: StoredMutation | None = None
    replay: bool = False
    derived: bool = False
    retry_after: int | None = None
    data: Data | None = None
    data_version: int | None = None
    ack: Mapping[str, object] | None = None
    """Its acknowledgement, where there was time to make it before the answer is put together."""

    @classmethod
    def replayed(cls, mutation: Mutation, stored: StoredMutation) -> Self:
        """P2: what was said before is said again."""
        return cls(mutation=mutation, stored=stored, replay=True)

    @classmethod
    def reused(cls, mutation: Mutation) -> Self:
        """The id is known with other content, which is kept beside it."""
        return cls(mutation=mutation)

    @classmethod
    def again(cls, mutation: Mutation, seconds: int) -> Self:
        """No outcome: nothing was stored, send again."""
        return cls(mutation=mutation, retry_after=seconds)

    @property
    def outcome(self) -> Outcome:
        """What became of the mutation."""
        return self.stored.outcome if self.stored else rejected("mutation_reused")

    @property
    def wants_data(self) -> bool:
        """Whether the record may differ from what the device computes by itself."""
        if self.stored is None:
            return False
        return self.derived or self.outcome.name in {"merged", "conflict"}

    def showing(self, head: Head) -> Self:
        """With the record as it is now; its version is the base of the next edit."""
        return replace(self, data=head.fields, data_version=head.version)


def result_of(sync: Sync, told: Told) -> dict[str, Any]:
    """One entry of ``results``; ``problem`` holds codes, which the API puts into words."""
    if told.retry_after is not None:
        return {"id": told.mutation.id, "retry": True, "after": told.retry_after}
    result = {"id": told.mutation.id, **_describe(told.outcome)}
    if told.data is not None:
        result |= {"data": told.data, "data_version": told.data_version}
        result["hash"] = record_hash(canonical(told.data))
    return result | _proof(sync, told)


def _describe(outcome: Outcome) -> dict[str, Any]:
    described: dict[str, Any] = {"outcome": outcome.name}
    if outcome.version is not None:
        described |= {"version": outcome.version, "flags": list(outcome.flags)}
    if outcome.code is not None:
        problem = {"code": outcome.code, "fields": dict(outcome.fields_wrong)}
        described["problem"] = problem | ({"cause": outcome.cause} if outcome.cause else {})
    for name, listed in (
        ("fields", outcome.fields),
        ("conflicts", outcome.conflicts),
        ("for", outcome.waits_for),
    ):
        if listed:
            described[name] = list(listed)
    return described


def signed(sync: Sync, told: Told) -> Told:
    """The same with its acknowledgement, which follows from the stored row alone."""
    stored = told.stored
    if stored is None or not stored.outcome.is_final:
        return told
    return replace(told, ack=_acknowledge(sync, stored))


def _acknowledge(sync: Sync, stored: StoredMutation) -> Mapping[str, object]:
    row = Acknowledged(
        id=stored.id,
        digest=stored.digest,
        epoch=stored.epoch,
        outcome=stored.outcome.name,
        version=stored.outcome.version,
        received_at=stored.received_at,
    )
    return acknowledge(sync.key, row)


def _proof(sync: Sync, told: Told) -> dict[str, Any]:
    stored = told.stored
    if stored is None or not stored.outcome.is_final:
        return {}
    proof: dict[str, Any] = {"ack": told.ack or _acknowledge(sync, stored)}
    if told.mutation.forked or stored.forked:
        proof["fork"] = True
    if stored.outcome.name == "rejected":
        proof["parked"] = stored.id
    if told.replay:
        proof["replay"] = True
    return proof
