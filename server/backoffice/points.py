"""X4: the points of the machine's check in the reader's words, each with what it rests on."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from flask import url_for
from flask_babel import gettext, lazy_gettext

from server.backoffice import words
from server.backoffice.evidence import Exhibit
from server.backoffice.facts import TAIL, Lens
from server.backoffice.sight import Sight
from server.domain.queries import label_of, open_record
from server.domain.vocabulary import TAGS
from server.errors import Words
from server.extensions import db
from server.people.principal import Principal
from server.services import services

VALUES = {
    "unloaded": lazy_gettext("unloaded on the way"),
    "inside": lazy_gettext("inside one sales centre"),
    "across": lazy_gettext("across sales centres"),
}
"""Words for values that are codes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """X11: something that a point rests on; without an address the reader may not open it."""

    words: str
    address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PointView:
    """One point as the page shows it."""

    point: str
    title: str
    rule: str
    value: str
    code: str
    result: str
    proof: tuple[Proof, ...]
    override: "Overridden | None"


@dataclass(frozen=True, slots=True, kw_only=True)
class Overridden:
    """What a person says of a point; the machine's word stays beside it."""

    result: str
    reason: str
    who: str


def point_views(
    lens: Lens, reader: Principal, sight: Sight, exhibits: Mapping[str, tuple[Exhibit, ...]]
) -> tuple[PointView, ...]:
    """The points in the order of the form; ``exhibits`` by the part of the page that shows them."""
    schema = sight.kind.json_schema["properties"].get("check_points")
    if schema is None:
        return ()
    shown = dict(_on_page(exhibits))
    members: dict[str, Any] = schema["items"]["properties"]
    return tuple(
        PointView(
            point=one["point"],
            title=lens.choice(members["point"], one["point"]) or one["point"],
            rule=one["rule"],
            value=_value(lens, one["point"], one.get("value", "")),
            code=one["result"],
            result=lens.choice(members["result"], one["result"]) or one["result"],
            proof=tuple(shown.get(key) or _elsewhere(reader, key) for key in one.get("proof", ())),
            override=_override(lens, members["result"], one.get("override")),
        )
        for one in sight.record.data.get("check_points", ())
    )


def _on_page(exhibits: Mapping[str, tuple[Exhibit, ...]]) -> Iterator[tuple[str, Proof]]:
    """Record → where this page shows it."""
    for part, listed in exhibits.items():
        for place, one in enumerate(listed, start=1):
            said = one.title or gettext("Photo")
            yield one.record, Proof(words=f"{said} {place}", address=f"#{part}-{place}")


def _elsewhere(reader: Principal, record: str) -> Proof:
    """P5: a record of its own, by its name where the reader may open it."""
    registry = services().sync.registry
    found = open_record(db.session(), registry, reader, record)
    if found is None:
        return Proof(words=f"…{record[-TAIL:]}", address="")
    address = url_for("office.show_record", record=record)
    return Proof(words=label_of(registry.get(found.kind), found), address=address)


def _value(lens: Lens, point: str, value: str) -> str:
    if point != "photos_match" or not value:
        return words.say(VALUES, value) if value in VALUES else value
    tags = ", ".join(Words(*TAGS[tag]).say(lens.language) for tag in value.split())
    return str(gettext("missing: %(tags)s", tags=tags))


def _override(
    lens: Lens, results: Mapping[str, Any], said: Mapping[str, Any] | None
) -> Overridden | None:
    if said is None:
        return None
    result = lens.choice(results, said["result"]) or said["result"]
    return Overridden(result=result, reason=said["reason"], who=words.writer(lens, said["by"]))
