"""The strict fields: what they take, which code they answer, and that both paths agree."""

import re
from typing import Any

import fastjsonschema
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from openapi_schema_validator import OAS31Validator

from server.domain import shapes, structs
from server.domain.cases.schemas import CrossRegionCase
from server.domain.customers.schemas import Customer
from server.domain.declaration import kind_from_schema
from server.domain.evidence.schemas import photo_schema, signature_schema
from server.domain.money.schemas import Receipt
from server.domain.shapes import Shape
from server.domain.visits.schemas import Visit, VisitReport
from server.errors import say_field
from server.sync.kinds import RecordKind
from tests.domain.records import KINDS, POLICY, case, photo, receipt, signature, visit


class Line(Shape):
    batch = shapes.text("批号", "Batch", limit=5)
    quantity = shapes.integer("数量", "Quantity", least=1, most=9, required=True)


class Everything(Shape):
    name = shapes.text("名称", "Name", limit=5, required=True)
    at = shapes.moment("时间", "Time")
    day = shapes.date("日期", "Day")
    amount = shapes.decimal("金额", "Amount", digits=3)
    where = shapes.position("位置", "Position")
    size = shapes.choice("大小", "Size", {"s": ("小", "Small"), "l": ("大", "Large")})
    count = shapes.integer("数", "Count", least=-3, most=3)
    ready = shapes.yes_no("好", "Ready")
    digest = shapes.sha256("摘要", "Digest")
    person = shapes.key("人", "Person")
    customer = shapes.reference("客户", "Customer", "customer")
    lines = shapes.listing("明细", "Lines", shapes.inner("行", "Line", Line), most=2)
    words = shapes.listing("词", "Words", shapes.text("词", "Word", limit=2), most=2, required=True)


EVERYTHING = kind_from_schema(Everything, "everything", zh="一切", en="Everything")
UUID7 = "01930000-0000-7000-8000-000000000000"

RIGHT: dict[str, tuple[Any, ...]] = {
    "name": ("茶", "  a  ", "😀😀😀😀😀"),
    "at": ("2026-03-02T10:00:00+08:00", "2024-02-29T23:59:59.123456789Z"),
    "day": ("2026-03-02", "2000-02-29", "2024-02-29"),
    "amount": ("0", "0.5", "999.99"),
    "where": ({"lat": "90.0", "lon": "-180"}, {"lat": "-31.2", "lon": "121.5", "mocked": True}),
    "size": ("s", "l"),
    "count": (-3, 0, 3),
    "ready": (True, False),
    "digest": ("0f" * 32,),
    "person": (UUID7, "east"),
    "customer": (UUID7,),
    "lines": ([], [{"quantity": 1}], [{"quantity": 9, "batch": "", "newer": {"x": 1}}]),
    "words": (["a"], ["", "ab"]),
}
WRONG: dict[str, tuple[tuple[Any, str], ...]] = {
    "name": (
        ("", "too_short:1"),
        ("abcdef", "too_long:5"),
        ("a\0", "text"),
        ("\ud800", "text"),
        (b"a", "type"),
        (None, "null"),
        (1, "type"),
    ),
    "at": (
        ("2026-03-02T10:00:00", "time"),
        ("2026-02-29T10:00:00Z", "time"),
        ("2026-03-02", "time"),
        ("2026-03-02T24:00:00Z", "time"),
        ("2026-03-02T10:00:00Z\n", "time"),
    ),
    "day": (("2026-02-30", "date"), ("1900-02-29", "date"), ("2026-04-31", "date"), (1, "type")),
    "amount": (
        ("1000", "decimal"),
        ("0.001", "decimal"),
        ("-1", "decimal"),
        ("01", "decimal"),
        ("１", "decimal"),
        ("1e2", "decimal"),
        (1, "type"),
        (1.5, "type"),
    ),
    "where": (
        ({"lat": "90.1", "lon": "0"}, "where.lat=decimal"),
        ({"lat": "0", "lon": "180.5"}, "where.lon=decimal"),
        ({"lat": 1, "lon": "0"}, "where.lat=type"),
        ({"lon": "0"}, "where.lat=required"),
        ([], "type"),
    ),
    "size": (("m", "choice"), ("", "choice"), (1, "type"), (["s"], "type")),
    "count": (
        (-4, "too_small:-3"),
        (4, "too_big:3"),
        (2**53, "not_number"),
        (True, "type"),
        (1.0, "type"),
        ("1", "type"),
    ),
    "ready": ((1, "type"), ("on", "type"), (None, "null")),
    "digest": (("0F" * 32, "sha256"), ("0f" * 31, "sha256")),
    "person": (("", "id"), ("a b", "id"), ("x" * 37, "id")),
    "customer": (("01930000-0000-4000-8000-000000000000", "id"), (UUID7.upper() + "A", "id")),
    "lines": (
        ({}, "type"),
        ([{"quantity": 1}] * 3, "too_many:2"),
        ([{}], "lines.0.quantity=required"),
        ([{"quantity": 1}, {"quantity": 0}], "lines.1.quantity=too_small:1"),
        ([None], "lines.0=null"),
        (["a"], "lines.0=type"),
    ),
    "words": (([], "too_short:1"), (["abc"], "words.0=too_long:2"), ("ab", "type")),
}


@pytest.mark.parametrize(
    ("field", "value"), [(field, value) for field in RIGHT for value in RIGHT[field]]
)
def test_a_right_value_is_taken_as_it_was_sent(field: str, value: Any) -> None:
    sent = {"name": "a", "words": ["a"], field: value}
    assert EVERYTHING.check_create(sent) == {}
    assert EVERYTHING.check_patch({field: value}) == {}
    assert sent[field] is value


@pytest.mark.parametrize(
    ("field", "value", "told"), [(field, *pair) for field in WRONG for pair in WRONG[field]]
)
def test_a_wrong_value_is_answered_with_its_code(field: str, value: Any, told: str) -> None:
    place, _, code = told.rpartition("=")
    expected = {place or field: code}
    assert EVERYTHING.check_patch({field: value}) == expected
    assert EVERYTHING.check_create({"name": "a", "words": ["a"], field: value}) == expected
    assert say_field(code, "en")


def test_a_create_names_every_field_that_is_missing_and_a_patch_asks_for_none() -> None:
    assert EVERYTHING.check_create({}) == {"name": "required", "words": "required"}
    assert EVERYTHING.check_patch({}) == {}
    assert EVERYTHING.required == {"name", "words"}


def test_a_member_that_only_a_newer_app_knows_is_no_reason_to_refuse() -> None:
    assert EVERYTHING.check_patch({"from_the_future": [1]}) == {}


values = st.one_of(
    st.sampled_from([value for row in RIGHT.values() for value in row]),
    st.sampled_from([value for row in WRONG.values() for value, _code in row]),
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=7),
    st.lists(st.text(max_size=3) | st.integers(), max_size=3),
    st.dictionaries(st.sampled_from(["lat", "lon", "quantity", "batch"]), st.text(max_size=4)),
)
some_data = st.dictionaries(st.sampled_from(list(RIGHT)), values)
right_data = st.fixed_dictionaries(
    {name: st.sampled_from(RIGHT[name]) for name in ("name", "words")},
    optional={
        name: st.sampled_from(row) for name, row in RIGHT.items() if name not in ("name", "words")
    },
)


BOTH_PATHS = {
    partial: (structs.acceptor(schema, partial=partial), schema)
    for partial, schema in ((False, Everything()), (True, Everything(partial=True)))
}


@settings(deadline=None)
@given(data=some_data | right_data, partial=st.booleans())
@example(data={"name": "a\n", "words": ["a"], "digest": "0f" * 32 + "\n"}, partial=False)
def test_the_struct_and_the_schema_always_agree(data: dict[str, Any], partial: bool) -> None:
    accepts, schema = BOTH_PATHS[partial]
    assert accepts is not None
    assert accepts(data) == (not schema.validate(data))


def _reaches_a_schema(value: Any) -> bool:
    """Whether readers of the wire let it through; Python's $ takes a final newline, too."""
    if isinstance(value, str):
        return not re.search("[\0\ud800-\udfff\n]", value)
    return not isinstance(value, bytes | float) and value != 2**53


on_the_wire = {name: [*RIGHT[name], *(pair[0] for pair in WRONG[name])] for name in RIGHT}


@settings(deadline=None)
@given(
    data=st.fixed_dictionaries(
        {},
        optional={
            name: st.sampled_from([value for value in row if _reaches_a_schema(value)])
            for name, row in on_the_wire.items()
        },
    )
)
def test_the_json_schema_that_devices_get_agrees_with_the_server(data: dict[str, Any]) -> None:
    right = not EVERYTHING.check_create(data)
    assert OAS31Validator(dict(EVERYTHING.json_schema)).is_valid(data) == right
    assert _is_valid_on_a_device(data) == right


ON_DEVICE = fastjsonschema.compile(dict(EVERYTHING.json_schema))


def _is_valid_on_a_device(data: dict[str, Any]) -> bool:
    try:
        ON_DEVICE(data)
    except fastjsonschema.JsonSchemaValueException:
        return False
    return True


def test_a_field_without_an_equal_struct_is_checked_by_the_schema_alone() -> None:
    class Odd(Shape):
        name = shapes.Text(
            validate=lambda value: None,
            **shapes.declared("名称", "Name", {"required": True}),
        )

    assert structs.acceptor(Odd(), partial=False) is None
    odd = kind_from_schema(Odd, "odd", zh="怪", en="Odd")
    assert odd.check_create({}) == {"name": "required"}
    assert odd.check_create({"name": "a"}) == {}


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.name)
def test_every_kind_has_a_struct_titles_and_a_schema_for_forms(kind: RecordKind) -> None:
    OAS31Validator.check_schema(dict(kind.json_schema))
    fastjsonschema.compile(dict(kind.json_schema))
    properties = kind.json_schema["properties"]
    assert set(properties) == set(kind.fields)
    for name, spec in kind.fields.items():
        assert set(spec.title) == {"zh-CN", "en"}
        assert properties[name]["x-title"] == spec.title
        assert properties[name].get("readOnly", False) == (not spec.writers)
    assert not kind.fields["flags"].writers
    assert kind.label in kind.fields
    assert set(kind.summary) <= set(kind.fields)


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("customer", {"name": "好又多", "customer_type": "store"}),
        ("visit", visit(satisfaction=5)),
        ("visit_report", {"visit": UUID7, "summary": "ok"}),
        ("receipt", receipt(visit=UUID7)),
        ("cross_region_case", case()),
        ("photo", photo(tag="goods")),
        ("signature", signature("rep")),
    ],
)
def test_every_kind_takes_its_smallest_record(kind: str, data: dict[str, Any]) -> None:
    assert KINDS[kind].check_create(data) == {}
    missing = sorted(KINDS[kind].required)[0]
    rest = {name: value for name, value in data.items() if name != missing}
    assert KINDS[kind].check_create(rest) == {missing: "required"}


@pytest.mark.parametrize(
    "schema",
    [
        Customer,
        Visit,
        VisitReport,
        Receipt,
        CrossRegionCase,
        photo_schema({"visit": ("拜访", "Visit")}),
        signature_schema({"visit": ("拜访", "Visit")}),
    ],
)
def test_every_kind_is_checked_on_the_fast_path(schema: type[Shape]) -> None:
    assert structs.acceptor(schema(), partial=False)
    assert structs.acceptor(schema(partial=True), partial=True)


def test_x2_every_tag_that_the_policy_asks_for_can_be_given() -> None:
    tags = set(KINDS["photo"].json_schema["properties"]["tag"]["enum"])
    assert set(POLICY.cases.required_tags) <= tags


def test_x3_every_part_that_the_policy_asks_for_can_sign() -> None:
    parts = set(KINDS["signature"].json_schema["properties"]["part"]["enum"])
    stand_ins = {part for row in POLICY.cases.signature_stand_ins.values() for part in row}
    assert set(POLICY.cases.required_signatures) | stand_ins <= parts
