"""Requests that are read by a struct instead of their schema are read alike."""

from typing import Any

import pytest
from marshmallow import Schema, ValidationError, fields, pre_load

from server.api.shortcut import loader_of
from server.api.sync import DigestEnvelope, PullEnvelope, PushEnvelope, SnapshotEnvelope

BODIES: list[Any] = [
    {"protocol": 1, "cursor": None},
    {"protocol": 1, "cursor": "c", "limit": 1, "schema": 7},
    {"protocol": 1, "cursor": "", "limit": 1000},
    {"protocol": 1, "page": None},
    {"protocol": 1, "cursor": "c", "limit": 0},
    {"protocol": 1, "cursor": "c", "limit": 1001},
    {"protocol": 1, "cursor": "c", "limit": None},
    {"protocol": 1, "cursor": "c", "limit": True},
    {"protocol": 1, "cursor": "c", "limit": "5"},
    {"protocol": True, "cursor": "c"},
    {"protocol": 2, "cursor": "c"},
    {"protocol": 1, "cursor": 5},
    {"protocol": 1, "cursor": "c", "schema": None},
    {"protocol": 1, "cursor": "c", "more": 1},
    {"protocol": 1},
    {"cursor": "c"},
    {},
    [],
    None,
    "text",
]


def outcome(load: Any, body: Any) -> Any:
    """What is read, or the words in which it is refused."""
    try:
        return load(body)
    except ValidationError as error:
        return "refused", error.messages


@pytest.mark.parametrize("body", BODIES, ids=repr)
@pytest.mark.parametrize("schema", [PullEnvelope, SnapshotEnvelope])
def test_a_request_is_read_and_refused_as_its_schema_says(schema: type[Schema], body: Any) -> None:
    whole = schema()
    load = loader_of(whole)
    assert load != whole.load  # or nothing is compared
    assert outcome(load, body) == outcome(whole.load, body)


class Trimming(Schema):
    """A schema that changes what it reads."""

    cursor = fields.String()

    @pre_load
    def trim(self, data: dict[str, Any], **_given: Any) -> dict[str, Any]:
        """Without blanks."""
        return {name: value.strip() for name, value in data.items()}


@pytest.mark.parametrize("schema", [PushEnvelope, DigestEnvelope, Trimming])
def test_a_schema_that_no_struct_equals_reads_alone(schema: type[Schema]) -> None:
    whole = schema()
    assert loader_of(whole) == whole.load
