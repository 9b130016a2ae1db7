"""The fast path of reading: a msgspec struct generated from a request schema. Knows no route.

The struct only says yes or no; what it refuses is worded by the schema, which stays the one
description of a request. Both always agree.
"""

from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal

import msgspec
from marshmallow import Schema, fields, missing, validate

Load = Callable[[Any], Any]


class Unmappable(TypeError):
    """A field or validator that has no equal in a struct; the schema then reads alone."""


def _integer(field: fields.Integer) -> Any:
    if not field.strict or field.allow_none:
        raise Unmappable(field.name)
    match field.validators:
        case []:
            return int
        case [validate.Equal() as equal]:
            return Literal[equal.comparable]
        case [
            validate.Range(min=int(), max=int(), min_inclusive=True, max_inclusive=True) as limits
        ]:
            return Annotated[int, msgspec.Meta(ge=limits.min, le=limits.max)]
    raise Unmappable(field.name)


def _type_of(field: fields.Field[Any]) -> Any:
    if type(field) is fields.Integer and field.data_key is None:
        return _integer(field)
    if type(field) is fields.String and field.data_key is None and not field.validators:
        return str | None if field.allow_none else str
    raise Unmappable(field.name)


def _struct_of(schema: Schema) -> type[msgspec.Struct]:
    if any(schema._hooks.values()):
        raise Unmappable(type(schema).__name__)
    members: list[Any] = []
    for name, field in schema.fields.items():
        kind = _type_of(field)
        members.append(
            (name, kind) if field.required else (name, kind | msgspec.UnsetType, msgspec.UNSET)
        )
    return msgspec.defstruct("Request", members, kw_only=True, forbid_unknown_fields=True)


def _defaults(schema: Schema) -> Mapping[str, Any]:
    told = {name: field.load_default for name, field in schema.fields.items()}
    return {name: value for name, value in told.items() if value is not missing}


def loader_of(schema: Schema) -> Load:
    """Loads what ``schema`` loads. *Raises* what it raises."""
    try:
        struct, defaults = _struct_of(schema), _defaults(schema)
    except Unmappable:
        return schema.load

    def load(body: Any) -> Any:
        try:
            msgspec.convert(body, struct)
        except msgspec.ValidationError:
            return schema.load(body)
        return {**defaults, **body}

    return load
