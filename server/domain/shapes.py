"""The strict fields from which the schemas of all kinds are built, with titles in zh and en.

A value is checked, never converted: what is stored is what was sent. An error is a code (a key of
``errors.FIELD_WORDS``, parameters after colons), never a sentence. Knows no kind and no rule.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any, TypedDict, Unpack

from marshmallow import EXCLUDE, Schema, ValidationError, fields, validate

from server.sync.kinds import MergeRule, Writer

BIGGEST = 2**53 - 1
DEVICE: frozenset[Writer] = frozenset({"device"})
OFFICE: frozenset[Writer] = frozenset({"office"})
BOTH: frozenset[Writer] = DEVICE | OFFICE
SERVER: frozenset[Writer] = frozenset()

Names = Mapping[str, tuple[str, str]]
"""Code → its words in zh and en."""

UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
"""PROTOCOL *Common rules*: PostgreSQL takes no NUL, UTF-8 no lone surrogate."""

LEAP_YEAR = "(?:19|20)(?:0[48]|[2468][048]|[13579][26])|2000"
DAY = (
    "(?:(?:19|20)[0-9]{2}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])"
    "|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)"
    "|02-(?:0[1-9]|1[0-9]|2[0-8]))"
    f"|(?:{LEAP_YEAR})-02-29)"
)
TIME = "(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:[.][0-9]{1,9})?"
OFFSET = "(?:Z|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])"
FRACTION = "(?:[.][0-9]{1,18})?"
UUID7 = "^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$"

CODES: dict[str, Any] = {"required": "required", "null": "null", "invalid": "type", "type": "type"}
SHAPE_CODES = {"type": "type", "unknown": "unknown"}


class Terms(TypedDict, total=False):
    """What a field says of itself besides its shape; see ``FieldSpec``."""

    required: bool
    writers: frozenset[Writer]
    rule: MergeRule
    owner: Writer


class Form:
    """A validator: the whole text has the form of ``pattern`` (ECMA-262, within ^ and $)."""

    def __init__(self, pattern: str, code: str) -> None:
        self.regex = re.compile(pattern)
        self.code = code

    def __call__(self, value: str) -> None:
        """Raises ``ValidationError`` with the code; unlike ``$`` alone, takes no final newline."""
        if not self.regex.fullmatch(value):
            raise ValidationError(self.code)


class Shape(Schema):
    """An object with declared members; others are kept as sent and read by no rule."""

    class Meta:
        """A newer app's member inside an object must not block the older server (P8)."""

        unknown = EXCLUDE

    error_messages = SHAPE_CODES


class Text(fields.String):
    """A string that every database takes."""

    default_error_messages = CODES | {"text": "text"}

    def _deserialize(self, value: Any, *_rest: Any, **_more: Any) -> str:
        if not isinstance(value, str):
            raise self.make_error("invalid")
        if UNSTORABLE.search(value):
            raise self.make_error("text")
        return value


class Integer(fields.Integer):
    """A whole number within what every language holds exactly."""

    default_error_messages = CODES | {"too_large": "not_number"}

    def _deserialize(self, value: Any, *_rest: Any, **_more: Any) -> int:
        if type(value) is not int:
            raise self.make_error("invalid")
        if abs(value) > BIGGEST:
            raise self.make_error("too_large")
        return value


class YesNo(fields.Boolean):
    """true or false, and nothing that looks like it."""

    default_error_messages = CODES

    def _deserialize(self, value: Any, *_rest: Any, **_more: Any) -> bool:
        if not isinstance(value, bool):
            raise self.make_error("invalid")
        return value


class Listing(fields.List[Any]):
    """A JSON array."""

    default_error_messages = CODES

    def _deserialize(self, value: Any, *rest: Any, **more: Any) -> list[Any]:
        if not isinstance(value, list):
            raise self.make_error("invalid")
        return super()._deserialize(value, *rest, **more)


class Inner(fields.Nested):
    """An object inside a record; written whole, so its members stay required in a patch."""

    default_error_messages = CODES

    def _load(self, value: Any, partial: Any = None) -> Any:  # noqa: ARG002
        return super()._load(value, partial=False)


def declared(
    zh: str, en: str, terms: Terms, *, refers: Iterable[str] = (), shown: Names | None = None
) -> dict[str, Any]:
    """The options of a field: its title, its terms, the kinds it names, words for its values."""
    writers = terms.get("writers", DEVICE)
    metadata: dict[str, object] = {
        "x-title": {"zh-CN": zh, "en": en},
        "writers": writers,
        "rule": terms.get("rule", "review"),
        "owner": terms.get("owner"),
        "refers": frozenset(refers),
    }
    if refers:
        metadata["x-refers"] = sorted(refers)
    if shown:
        metadata["x-choices"] = {
            code: {"zh-CN": pair[0], "en": pair[1]} for code, pair in shown.items()
        }
    if not writers:
        metadata["readOnly"] = True
    return {"required": terms.get("required", False), "metadata": metadata}


def text(zh: str, en: str, *, limit: int = 200, **terms: Unpack[Terms]) -> Text:
    """Free text of at most ``limit`` characters, kept as typed; where required, not empty."""
    checks: list[Any] = [validate.Length(max=limit, error="too_long:{max}")]
    if terms.get("required"):
        checks.append(validate.Length(min=1, error="too_short:{min}"))
    return Text(validate=checks, **declared(zh, en, terms))


def choice(zh: str, en: str, words: Names, **terms: Unpack[Terms]) -> Text:
    """One of the keys of ``words``, each with its name in zh and en."""
    one_of = validate.OneOf(tuple(words), error="choice")
    return Text(validate=one_of, **declared(zh, en, terms, shown=words))


def formed(zh: str, en: str, pattern: str, code: str, **terms: Unpack[Terms]) -> Text:
    """Text of one form."""
    return Text(validate=Form(pattern, code), **declared(zh, en, terms))


def decimal(zh: str, en: str, *, digits: int = 12, places: int = 2, **terms: Unpack[Terms]) -> Text:
    """An exact decimal, not below 0, in a string: ``digits`` before the point, ``places`` after."""
    whole = f"(?:0|[1-9][0-9]{{0,{digits - 1}}})"
    return formed(zh, en, f"^{whole}(?:[.][0-9]{{1,{places}}})?$", "decimal", **terms)


def moment(zh: str, en: str, **terms: Unpack[Terms]) -> Text:
    """An RFC 3339 time with its offset, of the years 1900 to 2099."""
    return formed(zh, en, f"^{DAY}T{TIME}{OFFSET}$", "time", **terms)


def date(zh: str, en: str, **terms: Unpack[Terms]) -> Text:
    """A day of the calendar, ``YYYY-MM-DD``, of the years 1900 to 2099."""
    return formed(zh, en, f"^{DAY}$", "date", **terms)


def sha256(zh: str, en: str, **terms: Unpack[Terms]) -> Text:
    """A SHA-256 in lower-case hex."""
    return formed(zh, en, "^[0-9a-f]{64}$", "sha256", **terms)


def key(zh: str, en: str, **terms: Unpack[Terms]) -> Text:
    """The id of a person or a region, as the server gave it."""
    return formed(zh, en, "^[A-Za-z0-9_-]{1,36}$", "id", **terms)


def record_id(zh: str, en: str, **terms: Unpack[Terms]) -> Text:
    """A UUIDv7 that the engine does not follow."""
    return formed(zh, en, UUID7, "id", **terms)


def reference(zh: str, en: str, *kinds: str, **terms: Unpack[Terms]) -> Text:
    """The id of a record of one of ``kinds``; the engine checks that it may be named."""
    return Text(validate=Form(UUID7, "id"), **declared(zh, en, terms, refers=kinds))


def integer(
    zh: str, en: str, *, least: int = 0, most: int = BIGGEST, **terms: Unpack[Terms]
) -> Integer:
    """A whole number from ``least`` to ``most``."""
    checks = [
        validate.Range(min=least, error="too_small:{min}"),
        validate.Range(max=most, error="too_big:{max}"),
    ]
    return Integer(validate=checks, **declared(zh, en, terms))


def yes_no(zh: str, en: str, **terms: Unpack[Terms]) -> YesNo:
    """true or false."""
    return YesNo(**declared(zh, en, terms))


def inner(zh: str, en: str, shape: type[Shape], **terms: Unpack[Terms]) -> Inner:
    """An object of ``shape``."""
    return Inner(shape, **declared(zh, en, terms))


def listing(
    zh: str, en: str, of: fields.Field[Any], *, most: int = 50, **terms: Unpack[Terms]
) -> Listing:
    """At most ``most`` entries; where required, at least one."""
    checks = [validate.Length(max=most, error="too_many:{max}")]
    if terms.get("required"):
        checks.append(validate.Length(min=1, error="too_short:{min}"))
    return Listing(of, validate=checks, **declared(zh, en, terms))


class Position(Shape):
    """Where, in WGS-84; decimals are strings (PROTOCOL *Common rules*)."""

    lat = formed(
        "纬度", "Latitude",
        f"^-?(?:90(?:[.]0{{1,18}})?|[1-8]?[0-9]{FRACTION})$", "decimal", required=True,
    )  # fmt: skip
    lon = formed(
        "经度", "Longitude",
        f"^-?(?:180(?:[.]0{{1,18}})?|(?:1[0-7][0-9]|[1-9]?[0-9]){FRACTION})$", "decimal",
        required=True,
    )  # fmt: skip
    accuracy_m = decimal("精度(米)", "Accuracy (m)", digits=8, places=18)
    age_s = integer("定位时效(秒)", "Age of the fix (s)", least=-BIGGEST)
    provider = text("定位来源", "Provider", limit=40)
    mocked = yes_no("模拟定位", "Mocked")


def position(zh: str, en: str, **terms: Unpack[Terms]) -> Inner:
    """A place as the device measured it."""
    return inner(zh, en, Position, **terms)


def values(zh: str, en: str) -> fields.Dict:
    """Fields of another record by name, as the server keeps them."""
    return fields.Dict(keys=Text(), **declared(zh, en, {"writers": SERVER}))


def flags(words: Names) -> Listing:
    """The server-owned set of remarks that a record carries; ``words`` names the kind's own."""
    terms: Terms = {"writers": SERVER, "rule": "union"}
    return Listing(Text(), **declared("标记", "Flags", terms, shown=words))
