"""Reads a policy from TOML, and says everything that is wrong with it, key by key."""

import tomllib
from collections.abc import Iterable, Iterator, Mapping
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import msgspec

from server.domain import all_kinds
from server.domain.vocabulary import PARTS, TAGS
from server.policy import ROUND_THE_CLOCK, Calendar, Policy, check_zone

DEFAULTS = Path(__file__).parents[1] / "policy.toml"
VERDICTS = frozenset({"accepted", "returned", "rejected"})
NEVER_COUNTS = "accused_dealer"
TYPES = {part.name: part.type for part in msgspec.structs.fields(Policy) if part.name != "version"}

Raw = Mapping[str, Any]


class PolicyFault(Exception):
    """A policy that cannot be taken; ``problems`` has a line for each thing that is wrong."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(self.problems))


def read_file(path: Path | None = None) -> str:
    """The text of the file ``path``, or of the defaults. Raises ``PolicyFault``."""
    try:
        return (path or DEFAULTS).read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        raise PolicyFault([f"{path} cannot be read: it is not UTF-8"]) from error
    except OSError as error:
        raise PolicyFault([f"{path} cannot be read: {error.strerror}"]) from error


def load_defaults() -> Policy:
    """The defaults, as version 1."""
    return parse(read_file(), version=1)


@lru_cache(maxsize=8)
def parse(content: str, *, version: int) -> Policy:
    """The policy that ``content`` says in full. Raises ``PolicyFault`` with everything wrong."""
    return _convert(_tables(content), version)


def parse_kept(content: str, *, version: int) -> Policy:
    """A policy of the store: keys that this program has since then are as in the defaults."""
    held, defaults = _tables(content), _tables(read_file())
    filled = {name: {**keys, **held.get(name, {})} for name, keys in defaults.items()}
    return _convert({**held, **filled}, version)


def _tables(content: str) -> dict[str, Any]:
    try:
        return tomllib.loads(content)
    except tomllib.TOMLDecodeError as error:
        raise PolicyFault([f"this is no TOML: {error}"]) from error


def _convert(raw: Raw, version: int) -> Policy:
    if problems := list(_misshapen(raw)):
        raise PolicyFault(problems)
    policy = msgspec.convert({**raw, "version": version}, Policy)
    if problems := list(_contradictions(policy)):
        raise PolicyFault(problems)
    return policy


def _misshapen(raw: Raw) -> Iterator[str]:
    """Sections and keys that are unknown, missing or of the wrong kind."""
    for name in raw.keys() - TYPES.keys():
        yield f"{name}: there is no such section"
    for name, kind in TYPES.items():
        if not isinstance(raw.get(name), Mapping):
            yield f"{name}: this section is missing"
        else:
            yield from _misshapen_keys(name, kind, raw[name])


def _misshapen_keys(section: str, kind: Any, held: Raw) -> Iterator[str]:
    types = _key_types(kind) if section != "calendars" else dict.fromkeys(held, Calendar)
    for key in held.keys() - types.keys():
        yield f"{section}.{key}: there is no such key"
    for key, wanted in types.items():
        if key not in held:
            yield f"{section}.{key}: this key is missing"
        else:
            yield from _misfit(f"{section}.{key}", wanted, held[key])


@cache
def _key_types(kind: Any) -> dict[str, Any]:
    return {key.name: key.type for key in msgspec.structs.fields(kind)}


def _misfit(path: str, wanted: Any, value: Any) -> Iterator[str]:
    try:
        msgspec.convert(value, wanted)
    except msgspec.ValidationError as error:
        said, _, place = str(error).partition(" - at `$")
        yield f"{path}{place.rstrip('`')}: {said}"


def _contradictions(policy: Policy) -> Iterator[str]:
    """Keys that are well formed and do not go together, or name what does not exist."""
    yield from _wrong_calendars(policy)
    yield from _wrong_limits(policy)
    yield from _wrong_names(policy)


def _wrong_calendars(policy: Policy) -> Iterator[str]:
    if ROUND_THE_CLOCK in policy.calendars:
        yield f"calendars.{ROUND_THE_CLOCK}: this one is there by itself"
    known = policy.calendars.keys() | {ROUND_THE_CLOCK}
    for name in policy.terms.__struct_fields__:
        calendar = getattr(policy.terms, name).calendar
        if calendar not in known:
            yield f"terms.{name}.calendar: there is no calendar {calendar!r}"


def _wrong_limits(policy: Policy) -> Iterator[str]:
    photos = policy.photos
    if photos.dark_below >= photos.bright_above:
        yield "photos.dark_below: not below photos.bright_above"
    if photos.near > photos.reshot:
        yield "photos.near: above photos.reshot"
    if missing := VERDICTS - policy.review.reasons.keys():
        yield f"review.reasons: needs reasons for {', '.join(sorted(missing))}"
    for verdict in sorted(policy.review.reasons.keys() - _verdicts(policy)):
        yield f"review.reasons.{verdict}: nobody can decide so"


def _verdicts(policy: Policy) -> set[str]:
    """Everything that can be decided on a record of any kind."""
    shapes = [kind.json_schema["properties"].get("verdict", {}) for kind in all_kinds(policy)]
    return {verdict for shape in shapes for verdict in shape.get("x-choices", {})}


def _wrong_names(policy: Policy) -> Iterator[str]:
    cases = policy.cases
    try:
        check_zone(cases.zone)
    except ValueError as error:
        yield f"cases.zone: {error}"
    asked = {
        "cases.required_tags": (cases.required_tags, TAGS),
        "cases.price_tags": (cases.price_tags, TAGS),
        "links.shown_tags": (policy.links.shown_tags, TAGS),
        "cases.required_signatures": (cases.required_signatures, PARTS),
    }
    for part, others in cases.signature_stand_ins.items():
        asked[f"cases.signature_stand_ins.{part}"] = ((part, *others), PARTS)
        if part not in cases.required_signatures:
            yield f"cases.signature_stand_ins.{part}: this signature is not required"
    for path, (names, known) in asked.items():
        for name in names:
            if name not in known:
                yield f"{path}: there is no {name!r}"
    if NEVER_COUNTS in cases.required_signatures:
        yield f"cases.required_signatures: that of {NEVER_COUNTS} never counts (X3)"
