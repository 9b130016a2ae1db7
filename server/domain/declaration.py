"""Turns a schema into a RecordKind: fields, JSON Schema, checks. Knows no kind and no rule."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal, TypedDict, Unpack

from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin
from marshmallow import Schema, fields

from server.casework.machine import Machine
from server.domain import structs
from server.people.principal import Role
from server.sync.kinds import Author, Change, Data, FieldErrors, FieldSpec, Placement, RecordKind

DIALECT = "https://json-schema.org/draft/2020-12/schema"


class Behaviour(TypedDict, total=False):
    """The members of ``RecordKind`` that do not follow from its schema."""

    place: Callable[[Data, Author], Placement]
    follow: Callable[[Data, Placement], Placement]
    parent: str
    create_roles: frozenset[Role]
    office_roles: frozenset[Role]
    opens_with: str
    decide_roles: frozenset[Role]
    reads: frozenset[str]
    check: Callable[[Change, Data | None], FieldErrors]
    derive: Callable[[Change, Data | None], Data]
    fold: Callable[[Data, tuple[Change, ...]], Data]
    waits: Callable[[Change], Any]
    machine: Machine
    is_closed: Callable[[Data], bool]
    claims: tuple[tuple[str, ...], ...]
    amounts: frozenset[str]
    numbered: Callable[[str, int], str]
    findings: frozenset[str]
    summary: tuple[str, ...]
    label: str
    lane: Literal["urgent", "normal"]
    urgent_when: Mapping[str, frozenset[str | int]]


def kind_from_schema(
    schema: type[Schema], name: str, *, zh: str, en: str, **behaviour: Unpack[Behaviour]
) -> RecordKind:
    """The kind called ``name`` whose data has the shape of ``schema``."""
    title = {"zh-CN": zh, "en": en}
    whole = schema()
    ordered = dict(sorted(whole.fields.items(), key=_who_writes_first))
    return RecordKind(
        name=name,
        title=title,
        fields={field: _spec(field, declared) for field, declared in ordered.items()},
        json_schema={"$schema": DIALECT, **_json_schema(ordered), "x-title": title},
        check_create=_check(whole, partial=False),
        check_patch=_check(schema(partial=True), partial=True),
        required=frozenset(field for field, spec in whole.fields.items() if spec.required),
        **behaviour,
    )


def _who_writes_first(item: tuple[str, fields.Field[Any]]) -> int:
    """Forms begin with what the device writes; the server's own fields come last."""
    writers = item[1].metadata["writers"]
    return 0 if "device" in writers else 1 if writers else 2


def _spec(name: str, field: fields.Field[Any]) -> FieldSpec:
    told = field.metadata
    return FieldSpec(
        name=name,
        title=told["x-title"],
        writers=told["writers"],
        rule=told["rule"],
        owner=told["owner"],
        refers=told["refers"],
    )


def _json_schema(members: Mapping[str, fields.Field[Any]]) -> dict[str, Any]:
    plugin = MarshmallowPlugin(schema_name_resolver=lambda _schema: "")
    APISpec("kinds", "1", "3.1.0", plugins=[plugin])
    converter: Any = plugin.converter
    written: dict[str, Any] = converter.fields2jsonschema(members)
    return written


def _check(schema: Schema, *, partial: bool) -> Callable[[Mapping[str, Any]], FieldErrors]:
    """Asks the struct first; what it refuses is worded by the schema."""
    accepts = structs.acceptor(schema, partial=partial)

    def check(data: Mapping[str, Any]) -> FieldErrors:
        if accepts is not None and accepts(data):
            return {}
        return dict(_flatten(schema.validate(data)))

    return check


def _flatten(errors: Mapping[Any, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Each wrong place as a dotted path with the first code that was found there."""
    for place, found in errors.items():
        path = prefix.rstrip(".") if place == "_schema" else f"{prefix}{place}"
        if isinstance(found, Mapping):
            yield from _flatten(found, f"{path}.")
        else:
            yield path, found[0]
