"""Photos and signatures of a record in the reader's words."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from server.backoffice import words
from server.backoffice.facts import Fact, Lens
from server.domain.queries import Photo, Signature
from server.sync.kinds import RecordKind, Registry

TITLED_ELSEWHERE = ("record", "version", "tag", "flags", "part", "signer")
PREVIEWED = "readable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Exhibit:
    """A photo or signature: what it shows, how far its bytes are, what is remarkable about it."""

    record: str
    title: str
    state: str
    has_picture: bool
    """Whether a preview was made from bytes that are verified."""
    has_bytes: bool
    flags: tuple[tuple[str, str], ...]
    """(words, why)."""
    facts: tuple[Fact, ...]


def photo_exhibits(
    lens: Lens, registry: Registry, photos: tuple[Photo, ...]
) -> tuple[Exhibit, ...]:
    """The photos, titled by what they show."""
    kind = registry.kinds["photo"]
    tag = kind.json_schema["properties"]["tag"]
    return tuple(
        _exhibit(lens, kind, asdict(one), title=lens.choice(tag, one.tag or "") or "")
        for one in photos
    )


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
        has_picture=told["content"] == PREVIEWED,
        has_bytes=told["state"] == "verified",
        flags=words.flags(lens, kind, told["flags"]),
        facts=lens.facts(kind.json_schema, data, without=TITLED_ELSEWHERE),
    )
