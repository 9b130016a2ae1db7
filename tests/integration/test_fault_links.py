"""F6: a dealer adds photos to one fault by a link, without an account."""

import re

import pytest
from flask import Flask

from server.casework.queries import open_work
from server.errors import Problem
from server.people.principal import Role
from tests.company import Company, FixedClock
from tests.faults import HIDDEN, SHOWN, Report
from tests.links import PHOTO, is_number, upload
from tests.office import Office, Reviewer
from tests.pictures import draw

pytestmark = pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)

END = re.compile(r'action="/office(/records/[^"]+/end)"')


@pytest.fixture
def report(app: Flask, company: Company) -> Report:
    """A reported fault."""
    return Report(Office(app, company))


@pytest.fixture
def clerk(report: Report) -> Reviewer:
    """The sales clerk at a desk."""
    return report.office.reviewer(Role.SALES_CLERK, None)


def test_f6_what_a_dealer_hands_in_stands_beneath_the_fault_and_leads_it_on(
    report: Report, clerk: Reviewer
) -> None:
    report.lead("dealer_photographs")
    guest = report.guest(clerk)
    assert guest.hand_in("明天拍").status_code == 200
    assert report.state() == "photographs"
    pictures = PHOTO, draw(300)
    received = guest.hand_in("如图", *pictures).json
    assert received is not None
    assert is_number(received["number"])
    for content, photo in zip(pictures, received["photos"].values(), strict=True):
        assert upload(guest, photo, content)[-1] == 204
        assert report.state() == "opinion"
    (work,) = open_work(report.desk.company.store, [report.fault])[report.fault]
    assert (work.role, work.task) == (Role.SALES_DIRECTOR, "opinion")
    words, shown = sorted(report.supplements(), key=lambda one: one.data["photos"])
    assert (words.data["text"], words.data["photos"]) == ("明天拍", 0)
    assert (shown.data["text"], shown.data["photos"]) == ("如图", 2)
    with pytest.raises(Problem, match="wrong_state"):
        report.desk.undo(report.desk.reviewer(), report.fault)


def test_f6_photos_that_are_announced_and_have_not_arrived_lead_nothing_on(
    report: Report, clerk: Reviewer
) -> None:
    report.lead("dealer_photographs")
    guest = report.guest(clerk)
    received = guest.hand_in("如图", PHOTO).json
    assert received is not None
    assert report.state() == "photographs"
    [photo] = received["photos"].values()
    assert upload(guest, photo, PHOTO[:-1] + b"\0") == [460]
    assert report.state() == "photographs"
    assert report.supplements()[0].data["verified"] == 0


@pytest.mark.parametrize(
    ("moves", "state"), [((), "informed"), (("goes",), "on_site")], ids=["nobody yet", "manager"]
)
def test_f6_photos_that_the_manager_did_not_ask_for_lead_nothing_on(
    report: Report, clerk: Reviewer, moves: tuple[str, ...], state: str
) -> None:
    report.lead(*moves)
    guest = report.guest(clerk)
    received = guest.hand_in("如图", PHOTO).json
    assert received is not None
    [photo] = received["photos"].values()
    assert upload(guest, photo, PHOTO) == [204]
    assert report.state() == state
    assert [one.data["verified"] for one in report.supplements()] == [1]


def test_f2_f6_the_manager_still_goes_where_no_photos_come(report: Report) -> None:
    report.lead("dealer_photographs", "goes", "seen")
    assert report.state() == "opinion"
    store = report.desk.company.store
    assert [work.task for work in open_work(store, [report.fault])[report.fault]] == ["opinion"]


def test_f6_no_byte_that_the_link_gives_holds_what_is_not_shown(
    report: Report, clerk: Reviewer
) -> None:
    photo = report.rep.photo(report.fault, "product_fault", tag="goods", note="照片备注")
    guest = report.guest(clerk)
    answers = [guest.page(), guest.page("?lang=zh-CN"), guest.hand_in("如图", PHOTO)]
    for told in (SHOWN["product"], SHOWN["batch"], "23", "Piece", "Photos of a fault"):
        assert str(told) in answers[0].text
    assert "补充照片" in answers[1].text
    assert "/copies/" not in answers[0].text
    people = [report.rep.device.user, "赵业务员", "曹杨好又多", report.shop, report.fault, photo]
    hidden = [*people, HIDDEN["symptom"], "照片备注", "Over", "过保", "08:55", "Shanghai", "上海"]
    for answer in (*answers, guest.page()):
        told = answer.data + str(answer.headers).encode()
        for value in hidden:
            assert value.encode() not in told, value


def test_f6_the_link_is_over_after_its_own_term(
    report: Report, clerk: Reviewer, clock: FixedClock
) -> None:
    guest = report.guest(clerk)
    clock.advance(hours=48)
    report.lead("dealer_photographs")
    clock.advance(hours=24)
    assert guest.hand_in("in time").status_code == 200
    clock.advance(seconds=1)
    late = guest.hand_in("too late", PHOTO)
    assert late.json is not None
    assert (late.status_code, late.json["code"]) == (410, "link_over")
    page = guest.page()
    assert page.status_code == 410
    assert SHOWN["batch"] not in page.text
    assert [one.data["text"] for one in report.supplements()] == ["in time"]
    assert report.state() == "photographs"


def test_f6_the_office_sees_each_opening_and_what_came_and_ends_the_link(
    report: Report, clerk: Reviewer
) -> None:
    assert report.path in clerk.page(f"/records/{report.fault}")
    guest = report.guest(clerk)
    guest.ask("GET", headers={"User-Agent": "the dealer's phone"})
    received = guest.hand_in("如图", PHOTO).json
    assert received is not None
    page = clerk.page(report.path)
    seen = "Whoever has it sees product, batch and quantity, and may add photos."
    for told in ("the dealer's phone", "127.0.0.0/24", f"Handed in: {received['number']}", seen):
        assert told in page
    (came,) = report.supplements()
    assert "如图" in clerk.page(f"/records/{came.id}")
    found = END.search(page)
    assert found is not None
    assert clerk.post(found[1], seen=report.path).status_code == 302
    assert guest.page().status_code == guest.hand_in("late").status_code == 410


@pytest.mark.parametrize(
    ("role", "region", "status"),
    [
        (Role.REGION_MANAGER, "east", 200),
        (Role.SERVICE_OFFICER, None, 200),
        (Role.TECHNICAL_OFFICER, None, 403),
        (Role.SALES_MANAGER, "east", 403),
        (Role.REGION_MANAGER, "south", 404),
        (Role.MARKET_OFFICER, None, 404),
    ],
)
def test_f6_a_link_is_made_by_whoever_leads_the_fault(
    report: Report, role: Role, region: str | None, status: int
) -> None:
    reviewer = report.office.reviewer(role, region)
    assert reviewer.get(report.path).status_code == status
    assert reviewer.post(report.path).status_code == status
