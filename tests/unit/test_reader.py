"""The strict reader: what it refuses, what it lets through."""

import gzip
import json

import pytest
from flask import Request
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.test import EnvironBuilder

from server.api.reader import misnamed, read_body, read_json
from server.errors import Problem
from server.settings import Settings

REFUSED = {
    "nothing": b"",
    "not JSON": b"{",
    "byte order mark": b"\xef\xbb\xbf{}",
    "UTF-16": '{"a":1}'.encode("utf-16"),
    "broken UTF-8": b'["\xff"]',
    "raw surrogate": b'["\xed\xa0\x80"]',
    "lone surrogate": b'["\\ud800"]',
    "NUL in a value": b'["\\u0000"]',
    "NUL in a name": b'{"\\u0000":1}',
    "duplicate name": b'{"a":1,"a":1}',
    "duplicate name, spaced": b'{"a": {"b": 1, "b": 1}}',
    "duplicate name, escaped": b'{"a":1,"\\u0061":1}',
    "fraction": b'{"a":1.0}',
    "fraction, deep": b'{"a":[{"b":1.5}]}',
    "exponent": b"[1e3]",
    "minus zero": b"[-0]",
    "leading zero": b"[01]",
    "NaN": b"[NaN]",
    "infinity": b"[1e999]",
    "2^53": b"[9007199254740992]",
    "-2^53": b"[-9007199254740992]",
    "2^64": b"[18446744073709551616]",
    "5,000 digits": b"[" + b"9" * 5000 + b"]",
    "33 deep": b"[" * 33 + b"]" * 33,
    "100,000 deep": b"[" * 100_000 + b"]" * 100_000,
    "top-level fraction": b"1.5",
    "two texts": b"{}{}",
}

JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(min_value=-(2**53) + 1, max_value=2**53 - 1)
    | st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.from_regex(r"[a-z][a-z0-9_]*", fullmatch=True), inner)
    ),
    max_leaves=20,
)


@pytest.mark.parametrize("body", REFUSED.values(), ids=REFUSED)
def test_the_reader_refuses(body: bytes) -> None:
    with pytest.raises(Problem) as refused:
        read_json(body)
    assert refused.value.code == "bad_json"


@given(JSON_VALUES)
def test_the_reader_takes_plain_json_in_any_layout(value: object) -> None:
    for text in (json.dumps(value), json.dumps(value, ensure_ascii=False, indent=1)):
        assert read_json(text.encode()) == value


def test_the_reader_takes_32_levels_and_an_escaped_backslash_before_u0000() -> None:
    assert json.dumps(read_json(b"[" * 32 + b"]" * 32)) == "[" * 32 + "]" * 32
    assert read_json(b'["\\\\u0000"]') == ["\\u0000"]


def test_member_names_of_record_data_are_checked_at_every_depth() -> None:
    assert misnamed({"a": [{"b_1": {}}]}) is None
    assert misnamed({"a": [{"B": 1}]}) == "B"
    assert misnamed({"_a": 1}) == "_a"
    assert misnamed({"": 1}) == ""


def _request(body: bytes, encoding: str | None = None) -> Request:
    headers = {} if encoding is None else {"Content-Encoding": encoding}
    return Request(EnvironBuilder(method="POST", data=body, headers=headers).get_environ())


SMALL = Settings(push_wire_bytes=2000, push_bytes=10_000)


@pytest.mark.parametrize(
    ("body", "limit"),
    [(b" " * 2001, "push_wire_bytes"), (gzip.compress(b" " * 10_001), "push_bytes")],
    ids=["sent", "inflated"],
)
def test_a_body_over_the_limit_is_refused_with_the_name_of_the_limit(
    body: bytes, limit: str
) -> None:
    encoding = "gzip" if limit == "push_bytes" else None
    with pytest.raises(Problem) as refused:
        read_body(_request(body, encoding), SMALL)
    assert refused.value.code == "too_large"
    assert refused.value.extra["limit"] == limit


def test_attack_21_a_gzip_bomb_is_not_inflated_beyond_the_limit() -> None:
    bomb = gzip.compress(b"\0" * 50_000_000)
    with pytest.raises(Problem, match="too_large"):
        read_body(_request(bomb, "gzip"), Settings())


def test_gzip_bodies_are_taken_whole_or_not_at_all() -> None:
    body = gzip.compress(b"{}" * 100)
    assert read_body(_request(body, "gzip"), SMALL) == b"{}" * 100
    for broken in (body[:-3], body + b"x", b"not gzip"):
        with pytest.raises(Problem, match="bad_json"):
            read_body(_request(broken, "gzip"), SMALL)


def test_attack_21_other_and_nested_encodings_are_refused() -> None:
    for encoding in ("deflate", "br", "gzip, gzip"):
        with pytest.raises(Problem, match="unsupported_media"):
            read_body(_request(b"{}", encoding), SMALL)
