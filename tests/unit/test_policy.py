"""The company's policy: what is read, what is refused and how that is said."""

from datetime import date, timedelta

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from server.casework.calendars import ALWAYS
from server.casework.items import OpenItem
from server.casework.terms import open_item
from server.policies.comparing import differences
from server.policies.reading import PolicyFault, load_defaults, parse, parse_kept, read_file
from server.roles import Role

DEFAULT = read_file()
ALWAYS_AGAIN = """
[calendars.always]
zone = "UTC"
week = [["00:00-24:00"], [], [], [], [], [], []]
"""


def changed(old: str, new: str) -> str:
    """The defaults with one place changed."""
    assert DEFAULT.count(old) == 1, old
    return DEFAULT.replace(old, new)


def refused(content: str) -> tuple[str, ...]:
    """What is said of a policy that is not taken."""
    with pytest.raises(PolicyFault) as fault:
        parse(content, version=1)
    return fault.value.problems


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("radius_m = 500", "radius_m = 0", "visits.radius_m: Expected `int` >= 1"),
        ("radius_m = 500", 'radius_m = "500"', "visits.radius_m: Expected `int`, got `str`"),
        ("radius_m = 500", "radius = 500", "visits.radius: there is no such key"),
        ("radius_m = 500", "", "visits.radius_m: this key is missing"),
        ("[receipts]\n", "[receits]\n", "receits: there is no such section"),
        ("[receipts]\n", "[receits]\n", "receipts: this section is missing"),
        ("[sync]", "version = 7\n[sync]", "version: there is no such section"),
        ("waiting_days = 14", "waiting_days = 13", "sync.waiting_days: Expected `int` >= 14"),
        ("x5_trace = { hours = 12,", "x5_trace = {", "terms.x5_trace: a term is longer"),
        ("x5_trace = { hours = 12,", "x5_trace = { hours = 2,", "terms.x5_trace: a term is longer"),
        ('"market_officer", "s', '"treasurer", "s', "terms.x5_trace.escalate[0]: Invalid enum"),
        ('calendar = "workdays"', 'calendar = "office"', "terms.f4_plain.calendar: there is no"),
        ("[terms] ", f"{ALWAYS_AGAIN}[terms] ", "calendars.always: this one is there"),
        (
            'zone = "Asia/Shanghai"\nweek',
            'zone = "Asia/Shangai"\nweek',
            "calendars.workdays: there is no time",
        ),
        ('zone = "Asia/Shanghai" ', 'zone = "" ', "cases.zone: there is no time zone"),
        ("holidays = []", "holidays = [7]", "calendars.workdays.holidays[0]: Expected `date`"),
        ("near = 31", "near = 57", "photos.near: above photos.reshot"),
        ("dark_below = 35", "dark_below = 225", "photos.dark_below: not below"),
        ('shown_tags = ["goods"', 'shown_tags = ["faces"', "links.shown_tags: there is no 'faces'"),
        ('"affected_dealer", "region_', '"accused_dealer", "region_', "never counts (X3)"),
        ("{ region_manager = [", "{ rep = [", "signature_stand_ins.rep: this signature is not"),
        (
            'manager = ["sales_manager"] }',
            'manager = ["boss"] }',
            "stand_ins.region_manager: there is no 'boss'",
        ),
        ("rejected = [", "refused = [", "review.reasons: needs reasons for rejected"),
        ("[sync]", "[sync", "this is no TOML"),
    ],
)
def test_what_is_wrong_with_a_policy_is_named_by_its_key(old: str, new: str, said: str) -> None:
    problems = refused(changed(old, new))
    assert any(said in problem for problem in problems), problems


def test_everything_that_is_wrong_with_a_policy_is_said_at_once() -> None:
    content = changed("radius_m = 500", "radius_m = -1").replace("near = 31", 'near = "31"')
    assert sorted(refused(content)) == [
        "photos.near: Expected `int`, got `str`",
        "visits.radius_m: Expected `int` >= 1",
    ]


@pytest.mark.parametrize(
    "day",
    [
        '["12:00-09:00"]',
        '["09:00-12:00", "12:00-13:00"]',
        '["09:00-12:00", "11:00-13:00"]',
        '["09:00-09:00"]',
    ],
)
def test_x8_the_spans_of_a_day_follow_each_other(day: str) -> None:
    monday = 'week = [                   # Monday first; such as ["09:00-12:00", "13:00-18:00"]\n'
    content = DEFAULT.replace(f'{monday}    ["00:00-24:00"]', f"week = [{day}")
    assert content != DEFAULT
    assert "spans follow each other" in refused(content)[0]


def test_x8_a_week_without_work_is_refused() -> None:
    assert "ever run out" in refused(DEFAULT.replace('["00:00-24:00"]', "[]"))[0]


def test_x8_a_term_becomes_an_item_with_its_calendar_its_warning_and_who_is_told() -> None:
    make_up = "[calendars.workdays.workdays]  # make-up days, such as"
    content = changed(make_up, '[calendars.workdays.workdays]\n2026-10-10 = ["09:00-24:00"]\n#')
    policy = parse(content.replace("holidays = [] ", "holidays = [2026-10-01] "), version=3)
    asked = open_item(policy, policy.terms.f4_plain, Role.SERVICE_OFFICER, "answer")
    assert (asked.term, asked.warn) == (timedelta(days=5), timedelta(hours=24))
    assert asked.escalation == (Role.SALES_DIRECTOR,)
    assert asked.calendar.zone == "Asia/Shanghai"
    assert asked.calendar.week == (((0, 1440),),) * 5 + ((), ())
    assert asked.calendar.holidays == {date(2026, 10, 1)}
    assert asked.calendar.workdays == {date(2026, 10, 10): ((540, 1440),)}


@pytest.mark.parametrize(
    ("name", "length"),
    [
        ("x4_intake", timedelta(hours=24)),
        ("x5_trace", timedelta(hours=12)),
        ("x6_rebuttal", timedelta(hours=24)),
        ("x7_decision_region", timedelta(hours=24)),
        ("x7_decision_market", timedelta(hours=48)),
        ("f2_done", timedelta(days=7)),
        ("f3_complaint", timedelta(minutes=30)),
        ("f3_inspection", timedelta(minutes=30)),
        ("f3_press", timedelta(minutes=30)),
        ("f4_answer", timedelta(hours=24)),
        ("x14_top_up", timedelta(days=3)),
        ("x15_decision_region", timedelta(hours=24)),
        ("x15_decision_market", timedelta(hours=48)),
    ],
)
def test_x8_terms_that_the_rules_name_have_the_length_that_they_name(
    name: str, length: timedelta
) -> None:
    policy = load_defaults()
    asked = open_item(policy, getattr(policy.terms, name), Role.MARKET_OFFICER, "act")
    assert isinstance(asked, OpenItem)
    assert (asked.term, asked.calendar) == (length, ALWAYS)


def test_a_key_that_came_after_a_version_was_kept_is_as_in_the_defaults() -> None:
    old = changed("radius_m = 500", "radius_m = 300").replace("undo_seconds = 30", "")
    assert "review.undo_seconds: this key is missing" in refused(old)
    kept = parse_kept(old, version=4)
    assert (kept.visits.radius_m, kept.review.undo_seconds, kept.version) == (300, 30, 4)


LINES = [
    (number, line.partition(" = ")[0])
    for number, line in enumerate(DEFAULT.splitlines())
    if " = " in line and not line.startswith((" ", "#"))
]
TOML = st.recursive(
    st.integers(-(2**63), 2**63 - 1).map(str)
    | st.sampled_from(["true", "nan", "-inf", "2026-10-01", "07:32:00", "2026-10-01T07:32:00Z"])
    | st.text(max_size=8).map(lambda said: msgspec.json.encode(said).decode()),
    lambda inner: (
        st.lists(inner, max_size=8).map(lambda parts: f"[{', '.join(parts)}]")
        | st.lists(inner, max_size=3).map(
            lambda parts: f"{{{', '.join(f'k{n} = {part}' for n, part in enumerate(parts))}}}"
        )
    ),
    max_leaves=8,
)


def tried(content: str) -> tuple[bool, tuple[str, ...]]:
    """Whether ``content`` is taken, and what is said where it is not."""
    try:
        parse(content, version=1)
    except PolicyFault as fault:
        return False, fault.problems
    return True, ()


@settings(deadline=None)
@given(st.sampled_from(LINES), TOML)
def test_whatever_a_key_says_is_taken_or_refused_with_its_name(
    place: tuple[int, str], said: str
) -> None:
    number, key = place
    lines = DEFAULT.splitlines()
    lines[number] = f"{key} = {said}"
    taken, problems = tried("\n".join(lines))
    assert taken or problems
    assert all(problem.partition(":")[0] for problem in problems)


def test_what_differs_between_two_policies_is_told_key_by_key() -> None:
    content = changed("radius_m = 500", "radius_m = 300").replace(
        "x5_trace = { hours = 12", "x5_trace = { minutes = 700"
    )
    content = content.replace('together = "产品集中陈列 / Products together"\n', "")
    found = differences(load_defaults(), parse(content, version=2))
    assert [(one.path, one.old, one.new) for one in found] == [
        ("terms.x5_trace.minutes", 0, 700),
        ("terms.x5_trace.hours", 12, 0),
        ("visits.radius_m", 500, 300),
        ("visits.checklist.together", "产品集中陈列 / Products together", None),
    ]
