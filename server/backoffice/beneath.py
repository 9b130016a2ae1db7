"""X9: what people said about a record as time went by: decisions, notes, supplements, answers."""

from collections.abc import Iterator
from dataclasses import dataclass

from server.backoffice import words
from server.backoffice.facts import Lens
from server.backoffice.sight import Sight
from server.clock import from_wire
from server.domain.review.rules import is_taken_back
from server.services import services
from server.sync.kinds import Data
from server.sync.queries import StoredRecord, StoredVersion

REASONS = ("verdict_reason", "verdict_note", "guidance")
"""Fields in which a decision speaks, beside its verdict."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One thing that was said: by whom, in which roles, when, and for whom."""

    at: str
    moment: str
    kind: str
    who: str
    roles: tuple[str, ...]
    text: str
    record: str | None
    """Its own page; None for a decision on the record itself."""
    photos: int
    internal: bool
    """Whether the offices alone may read it."""


def timeline(lens: Lens, sight: Sight) -> tuple[Entry, ...]:
    """Everything in the order in which it arrived."""
    entries = [*_decisions(lens, sight), *(_entry(lens, one) for one in sight.beneath)]
    return tuple(sorted(entries, key=lambda one: from_wire(one.at)))


def _entry(lens: Lens, one: StoredRecord) -> Entry:
    roles = one.data.get("roles", ())
    return Entry(
        at=one.created_at,
        moment=lens.moment(one.created_at),
        kind=services().sync.registry.kinds[one.kind].title[lens.language],
        who=words.writer(lens, one.creator),
        roles=tuple(words.say(words.ROLES, role) for role in roles),
        text=str(one.data.get("text", "")),
        record=one.id,
        photos=one.data.get("photos", 0),
        internal=one.kind == "note" and not one.data.get("for_rep", False),
    )


def _decisions(lens: Lens, sight: Sight) -> Iterator[Entry]:
    """Each decision that was not taken back; what it left as it stood speaks again."""
    stands, given = dict[str, str](), list[Entry]()
    for version in sight.versions:
        stands |= {name: str(new or "") for name, (_old, new) in version.changed.items()}
        decided_at = version.changed.get("decided_at")
        if decided_at is None:
            continue
        if is_taken_back(*decided_at):
            del given[-1:]
        else:
            given.append(_decision(lens, sight, version, stands))
    yield from given


def _decision(lens: Lens, sight: Sight, version: StoredVersion, stands: Data) -> Entry:
    schema = sight.kind.json_schema["properties"]["verdict"]
    said = (lens.choice(schema, stands.get("verdict", "")), *map(stands.get, REASONS))
    return Entry(
        at=version.at,
        moment=lens.moment(version.at),
        kind=lens.title(schema, "verdict"),
        who=words.writer(lens, version.user),
        roles=(),
        text=" · ".join(one for one in said if one),
        record=None,
        photos=0,
        internal=False,
    )
