"""Pieces of request schemas: every error is a key of ``errors.FIELD_WORDS``. No routes."""

from typing import Any

from marshmallow import Schema, ValidationError, fields, validate

from server.ids import is_uuid7

FIELD_ERRORS: dict[str, str | list[Any] | dict[Any, Any]] = {
    "required": "required",
    "null": "null",
    "invalid": "type",
    "type": "type",
    "invalid_utf8": "text",
}


class Envelope(Schema):
    """A request body; names that it does not declare are refused."""

    error_messages = {"unknown": "unknown", "type": "type"}  # noqa: RUF012 -- as its base has it


def _need_uuid7(value: str) -> None:
    if not is_uuid7(value):
        raise ValidationError("id")


def text(longest: int, shortest: int = 1) -> fields.String:
    """A required string of so many characters, kept as typed."""
    return fields.String(
        required=True,
        error_messages=FIELD_ERRORS,
        validate=[
            validate.Length(min=shortest, error="too_short:{min}"),
            validate.Length(max=longest, error="too_long:{max}"),
        ],
    )


def identifier() -> fields.String:
    """A required UUIDv7 in its usual lower-case form."""
    return fields.String(
        required=True,
        error_messages=FIELD_ERRORS,
        validate=_need_uuid7,
        metadata={"format": "uuid"},
    )


def choice(*values: str) -> fields.String:
    """A required string out of ``values``."""
    return fields.String(
        required=True, error_messages=FIELD_ERRORS, validate=validate.OneOf(values, error="choice")
    )


def nested(schema: type[Envelope]) -> fields.Nested:
    """A required object."""
    return fields.Nested(schema, required=True, error_messages=FIELD_ERRORS)


def optional(field: fields.Field[Any]) -> fields.Field[Any]:
    """The same field, which may be left out."""
    field.required = False
    return field
