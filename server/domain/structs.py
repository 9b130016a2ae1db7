"""The fast path of checking: a msgspec struct generated from a schema. Knows no kind and no rule.

The struct only says yes or no; what it refuses is worded by the schema. Both always agree.
"""

from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal

import msgspec
import orjson
from marshmallow import Schema, fields, validate

from server.domain import shapes

Accepts = Callable[[Mapping[str, Any]], bool]

ESCAPED_NUL = b"\\u0000"


class Unmappable(TypeError):
    """A field or validator that has no equal in a struct; the schema then checks alone."""


def _limits(field: fields.Field[Any], low: str, high: str) -> dict[str, Any]:
    """The bounds of ``field`` under the names that msgspec gives them."""
    found: dict[str, Any] = {}
    for check in field.validators:
        if not isinstance(check, validate.Length | validate.Range):
            raise Unmappable(type(check).__name__)
        found |= {low: check.min} if check.min is not None else {}
        found |= {high: check.max} if check.max is not None else {}
    return found


def _text(field: shapes.Text) -> Any:
    match field.validators:
        case [shapes.Form() as form]:
            body = form.regex.pattern.removeprefix("^").removesuffix("$")
            return Annotated[str, msgspec.Meta(pattern=f"\\A(?:{body})\\Z")]
        case [validate.OneOf() as one_of]:
            return Literal[tuple(one_of.choices)]
    bounds = _limits(field, "min_length", "max_length")
    return Annotated[str, msgspec.Meta(**bounds)]


def _integer(field: shapes.Integer) -> Any:
    bounds: dict[str, Any] = {"ge": -shapes.BIGGEST, "le": shapes.BIGGEST} | _limits(
        field, "ge", "le"
    )
    return Annotated[int, msgspec.Meta(**bounds)]


def _listing(field: shapes.Listing) -> Any:
    bounds = _limits(field, "min_length", "max_length")
    return Annotated[list[_type_of(field.inner)], msgspec.Meta(**bounds)]  # type: ignore[misc]


def _type_of(field: fields.Field[Any]) -> Any:
    match field:
        case shapes.Text():
            return _text(field)
        case shapes.Integer():
            return _integer(field)
        case shapes.YesNo():
            return bool
        case shapes.Listing():
            return _listing(field)
        case shapes.Inner():
            return struct_of(field.schema, partial=False)
    raise Unmappable(type(field).__name__)


def struct_of(schema: Schema, *, partial: bool) -> type[msgspec.Struct]:
    """A struct that takes what ``schema`` takes. Raises ``Unmappable``."""
    members: list[Any] = []
    for name, field in schema.fields.items():
        kind = _type_of(field)
        needed = field.required and not partial
        optional = (kind | msgspec.UnsetType, msgspec.UNSET)
        members.append((name, kind) if needed else (name, *optional))
    return msgspec.defstruct(type(schema).__name__, members, kw_only=True)


def acceptor(schema: Schema, *, partial: bool) -> Accepts | None:
    """Says whether ``schema`` takes some data; None where no struct is its equal."""
    try:
        struct = struct_of(schema, partial=partial)
    except Unmappable:
        return None

    def accepts(data: Mapping[str, Any]) -> bool:
        try:
            msgspec.convert(data, struct)
            # What no database stores is found once for all texts: surrogates are no JSON, and
            # NUL is escaped.
            return ESCAPED_NUL not in orjson.dumps(data)
        except (msgspec.ValidationError, UnicodeError, orjson.JSONEncodeError):
            return False

    return accepts
