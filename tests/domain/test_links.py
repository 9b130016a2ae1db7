"""What follows from a link and from what is handed in by it (X6)."""

from datetime import timedelta

import pytest

from server.domain import numbers
from server.domain.links import rules
from server.ids import IdMaker
from tests.company import START, FixedClock
from tests.domain.records import CASE, PHOTO, change
from tests.links import is_number

IDS = IdMaker(FixedClock())
REBUTTAL = {"case": CASE, "photos": 2, "verified": 0}


@pytest.mark.parametrize(
    ("seconds", "is_open"), [(-1, True), (0, True), (1, False)], ids=["before", "at", "after"]
)
def test_x6_what_arrives_up_to_the_end_of_the_term_is_in_time(seconds: int, is_open: bool) -> None:
    due = START + timedelta(hours=24)
    assert rules.x6_is_open(due, None, due + timedelta(seconds=seconds)) is is_open
    assert not rules.x6_is_open(due, START, due - timedelta(hours=1))


@pytest.mark.parametrize(
    ("clocks", "over"),
    [
        ([], 24),
        ([(1, 25, None)], 25),
        ([(-5, 19, None)], 19),
        ([(1, 25, 3)], 25),
        ([(1, 25, 2), (2, 26, None)], 26),
        ([(-30, 0, None)], 24),
        ([(-10, 14, 0)], 24),
        ([(24, 48, None)], 48),
        ([(25, 49, None)], 24),
    ],
    ids=[
        "the notice is not recorded",
        "recorded after the link was made",
        "recorded before",
        "answered, and more may come",
        "recorded again after an undo",
        "over when the link was made",
        "answered when the link was made",
        "recorded in the last moment",
        "recorded when the link was over",
    ],
)
def test_x6_a_link_is_over_with_the_clock_of_its_case(
    clocks: list[tuple[int, int, int | None]], over: int
) -> None:
    ran = [
        rules.Clock(
            opened_at=START + timedelta(hours=opened),
            due_at=START + timedelta(hours=due),
            closed_at=None if closed is None else START + timedelta(hours=closed),
        )
        for opened, due, closed in clocks
    ]
    expiry = rules.x6_expiry(START, START + timedelta(hours=24), ran)
    assert expiry == START + timedelta(hours=over)


def test_x6_a_number_can_be_said_and_is_the_same_every_time() -> None:
    record = IDS.new()
    number = numbers.say_number(record)
    assert [len(group) for group in number.split()] == [3, 3, 3]
    assert not set("ILOU") & set(number)
    assert numbers.say_number(record) == number
    assert len({numbers.say_number(IDS.new()) for _ in range(500)}) == 500


def test_x6_a_number_with_a_letter_misheard_is_none() -> None:
    for _ in range(20):
        number = numbers.say_number(IDS.new()).replace(" ", "")
        assert is_number(number)
        for place, letter in enumerate(number):
            for other in set(numbers.SAYABLE) - {letter}:
                assert not is_number(number[:place] + other + number[place + 1 :])


def test_x6_words_without_evidence_are_flagged() -> None:
    with_photos = rules.x6_derive(change("rebuttal", {"case": CASE, "photos": 2}))
    words = rules.x6_derive(change("rebuttal", {"case": CASE, "photos": 0, "text": "no"}))
    assert (with_photos["flags"], words["flags"]) == ([], ["words_only"])
    assert with_photos["verified"] == 0


def test_x6_evidence_counts_once_it_is_verified() -> None:
    declared, verified = {"state": "stored"}, {"state": "verified"}
    arrived = change("photo", verified, before=declared, record=PHOTO)
    once = rules.fold_photos(REBUTTAL, (arrived,))
    assert once == {"verified": 1}
    again = change("photo", {**verified, "width": 3}, before=verified, record=PHOTO)
    assert rules.fold_photos({**REBUTTAL, **once}, (again,)) == once
    gone = change("photo", verified, before=verified, record=PHOTO, withdrawn=True)
    assert rules.fold_photos({**REBUTTAL, **once}, (gone,)) == {"verified": 0}
    assert rules.fold_photos(REBUTTAL, (change("conflict", {}),)) == {"verified": 0}
    assert rules.fold_photos({}, (arrived,)) == {"verified": 1}
