"""Photos and signatures of a record in the reader's words."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from server.backoffice import words
from server.backoffice.facts import Fact, Lens
from server.domain.queries import Photo, Signature
from server.sync.kinds import RecordKind, Registry
from server.sync.queries import StoredRecord

TITLED_ELSEWHERE = ("record", "version", "guidance", "tag", "flags", "part", "signer")
PREVIEWED = "readable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Exhibit:
    """A photo or signature: what it shows, how far its bytes are, what is remarkable about it."""

    record: str
    title: str
    state: str
    version: int
    guidance: str
    """V5: what the rep is told of it."""
    has_picture: bool
    """Whether a preview was made from bytes that are verified."""
    has_bytes: bool
    flags: tuple[tuple[str, str], ...]
    """(words, why)."""
    facts: tuple[Fact, ...]
    matches: tuple[tuple[str, str], ...] = ()
    """B3: (record, words) of what is known of other photos like it."""


def photo_exhibits(
    lens: Lens,
    registry: Registry,
    photos: tuple[Photo, ...],
    matches: Mapping[str, Sequence[StoredRecord]],
) -> tuple[Exhibit, ...]:
    """The photos, titled by what they show, each with what is known of others like it."""
    kind = registry.kinds["photo"]
    tag = kind.json_schema["properties"]["tag"]
    exhibits = (
        _exhibit(lens, kind, asdict(one), title=lens.choice(tag, one.tag or "") or "")
        for one in photos
    )
    return tuple(
        replace(one, matches=_matches(lens, registry, matches.get(one.record, ())))
        for one in exhibits
    )


def _matches(
    lens: Lens, registry: Registry, found: Sequence[StoredRecord]
) -> tuple[tuple[str, str], ...]:
    said = registry.kinds["photo_match"].json_schema["properties"]
    return tuple((one.id, _match_words(lens, said, one.data)) for one in found)


def _match_words(lens: Lens, said: Mapping[str, Any], match: Mapping[str, Any]) -> str:
    """How alike, why, and what was answered."""
    why = said["why"]["items"]
    words = [lens.choice(said["tier"], match["tier"])]
    words += [lens.choice(why, code) for code in match["why"]]
    words += [lens.choice(said["answer"], match.get("answer", ""))]
    return " · ".join(word for word in words if word)


def signature_exhibits(
    lens: Lens, registry: Registry, signatures: tuple[Signature, ...]
) -> tuple[Exhibit, ...]:
    """The signatures, titled by who signed in which part."""
    kind = registry.kinds["signature"]
    part = kind.json_schema["properties"]["part"]
    return tuple(
        _exhibit(lens, kind, asdict(one), title=f"{lens.choice(part, one.part)} · {one.signer}")
        for one in signatures
    )


def _exhibit(lens: Lens, kind: RecordKind, told: Mapping[str, Any], *, title: str) -> Exhibit:
    data = {name: value for name, value in told.items() if value is not None and value != ()}
    state = kind.json_schema["properties"]["state"]
    return Exhibit(
        record=told["record"],
        title=title,
        state=lens.choice(state, told["state"]) or told["state"],
        version=told.get("version", 0),
        guidance=told.get("guidance") or "",
        has_picture=told["content"] == PREVIEWED,
        has_bytes=told["state"] == "verified",
        flags=words.flags(lens, kind, told["flags"]),
        facts=lens.facts(kind.json_schema, data, without=TITLED_ELSEWHERE),
    )
