"""B2: what a reviewer may decide on a record as it stands, with reasons and what is asked for."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flask_babel import lazy_gettext
from werkzeug.datastructures import MultiDict

from server.backoffice.languages import language
from server.backoffice.words import in_language
from server.casework.machine import Move
from server.domain.review.schemas import VERDICTS
from server.people.principal import Principal
from server.services import services
from server.sync.kinds import RecordKind
from server.sync.queries import StoredRecord

PLAIN = {
    "accepted": ("1", lazy_gettext("Accept")),
    "rejected": ("3", lazy_gettext("Reject")),
    "returned": ("4", lazy_gettext("Return")),
}
"""The digits and words of a plain review, in the order in which they are drawn."""


ROWS = 8
"""So many rows of a list can be filled in at a time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """A field that must be filled in for a decision."""

    name: str
    title: str
    type: str
    """Of the HTML input; ``select`` where there are choices, ``rows`` where there are columns."""
    choices: tuple[tuple[str, str], ...] = ()
    value: str = ""
    columns: tuple["Input", ...] = ()
    rows: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """One decision that may be taken."""

    verdict: str
    key: str
    words: str
    done: str
    """What is said once it is decided."""
    reasons: tuple[tuple[str, str], ...]
    """(reason as the policy has it, the same in the reader's language)."""
    inputs: tuple[Input, ...] = ()


def offers_on(reader: Principal, record: StoredRecord, kind: RecordKind) -> tuple[Offer, ...]:
    """What ``reader`` may decide on ``record``; empty where it is not theirs to decide."""
    if not record.live or "verdict" not in kind.fields:
        return ()
    if kind.machine is None:
        mine = reader.has(kind.decide_roles, record.region)
        return tuple(_plain_offer(verdict) for verdict in PLAIN) if mine else ()
    stands = kind.machine.states.get(str(record.data.get("state")))
    moves = stands.moves.items() if stands else ()
    taken = [(name, move) for name, move in moves if _is_for(reader, record, move)]
    return tuple(
        _step_offer(kind, record, name, move, at=at)
        for at, (name, move) in enumerate(taken, start=1)
    )


def _is_for(reader: Principal, record: StoredRecord, move: Move) -> bool:
    return move.field == "verdict" and reader.has(move.roles, record.region)


def _plain_offer(verdict: str) -> Offer:
    key, words = PLAIN[verdict]
    return Offer(
        verdict=verdict,
        key=key,
        words=str(words),
        done=in_language(" / ".join(VERDICTS[verdict]), language()),
        reasons=_reasons(verdict),
    )


def _step_offer(
    kind: RecordKind, record: StoredRecord, verdict: str, move: Move, *, at: int
) -> Offer:
    words = in_language(f"{move.zh} / {move.en}", language())
    return Offer(
        verdict=verdict,
        key=str(at),
        words=words,
        done=words,
        reasons=_reasons(verdict),
        inputs=tuple(_inputs(kind, record, move)),
    )


def _reasons(verdict: str) -> tuple[tuple[str, str], ...]:
    listed = services().policy.review.reasons.get(verdict, ())
    return tuple((reason, in_language(reason, language())) for reason in listed)


def _inputs(kind: RecordKind, record: StoredRecord, move: Move) -> Iterator[Input]:
    """The fields that the move needs and the office may write."""
    for name in move.needs:
        if name in kind.owned["office"]:
            schema: Mapping[str, Any] = kind.json_schema["properties"][name]
            yield _input(name, schema, str(record.data.get(name, "")))


def _input(name: str, schema: Mapping[str, Any], value: str) -> Input:
    told, choices = language(), schema.get("x-choices", {})
    title = schema.get("x-title", {}).get(told, name)
    if schema.get("type") == "array":
        members: Mapping[str, Any] = schema["items"]["properties"]
        columns = tuple(_input(member, members[member], "") for member in members)
        return Input(name=name, title=str(title), type="rows", columns=columns, rows=ROWS)
    listed = tuple((code, words[told]) for code, words in choices.items())
    whole = schema.get("type") == "integer"
    return Input(
        name=name,
        title=str(title),
        type="select" if listed else "number" if whole else "text",
        choices=listed,
        value=value,
    )


def read_inputs(offer: Offer, form: MultiDict[str, str]) -> dict[str, Any]:
    """What was filled in for ``offer``; None takes a field away."""
    return {one.name: _read(one, f"{offer.verdict}_{one.name}", form) for one in offer.inputs}


def _read(one: Input, name: str, form: MultiDict[str, str]) -> Any:
    if one.type == "rows":
        return list(_read_rows(one.columns, name, form)) or None
    said = form.get(name, "").strip()
    return _typed(one, said) if said else None


def _read_rows(
    columns: Sequence[Input], name: str, form: MultiDict[str, str]
) -> Iterator[dict[str, Any]]:
    """The rows in which anything was filled in."""
    listed = (form.getlist(f"{name}_{column.name}") for column in columns)
    for row in zip(*listed, strict=False):
        filled = zip(columns, map(str.strip, row), strict=True)
        told = {column.name: _typed(column, said) for column, said in filled if said}
        if told:
            yield told


def _typed(one: Input, said: str) -> Any:
    return int(said) if one.type == "number" and said.isdecimal() else said
