"""X6: the accused at a phone: a draft that survives, photos that arrive, and a number to keep."""

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Route, expect

from server.db import transaction
from server.domain.links.actions import Made
from server.domain.links.tables import CaseLink
from server.people.principal import Role
from server.sync.queries import children
from tests.browser.conftest import LIMIT_MS
from tests.browser.test_office import DOUBLE_IDS, UNNAMED, WIDTH, WITHOUT_ALT
from tests.faults import Report
from tests.links import Dispute
from tests.office import Office
from tests.pictures import draw

NUMBER = re.compile(r"[0-9A-Z]{3} [0-9A-Z]{3} [0-9A-Z]{3}")
LONG = draw(2400, 1800)
WOKEN = """async (place) => {
  const { rest } = await import(place);
  const slept = new Promise((resolve) => setTimeout(() => resolve("slept"), 10000));
  const woken = rest(9).then(() => "woken");
  dispatchEvent(new Event("online"));
  return Promise.race([woken, slept]);
}"""
SLOW = """() => {
  const read = File.prototype.arrayBuffer;
  const free = new Promise((resolve) => { window.readOn = resolve; });
  File.prototype.arrayBuffer = async function () { await free; return read.call(this); };
}"""
FULL = """() => {
  const put = IDBObjectStore.prototype.put;
  IDBObjectStore.prototype.put = function (value, key) {
    if (value instanceof Blob) throw new DOMException("full", "QuotaExceededError");
    return put.call(this, value, key);
  };
}"""
SMALL_TARGETS = """() => [...document.querySelectorAll("button, .button, nav a")]
  .filter((one) => one.offsetParent && one.getBoundingClientRect().height < 43)
  .map((one) => one.outerHTML)"""


@pytest.fixture
def dispute(office: Office) -> Dispute:
    """A case and who deals with it."""
    return Dispute(office)


@pytest.fixture
def made(dispute: Dispute) -> Made:
    """A link for 24 hours."""
    return dispute.make()


@pytest.fixture
def phone(browser: Browser) -> Iterator[BrowserContext]:
    """A phone in English; a busy machine may take its time."""
    expect.set_options(timeout=LIMIT_MS)
    context = browser.new_context(
        locale="en-US", viewport={"width": 360, "height": 740}, has_touch=True, is_mobile=True
    )
    yield context
    context.close()


@pytest.fixture
def page(phone: BrowserContext, address: str, made: Made) -> Iterator[Page]:
    """The opened link; a script that fails, or anything that is refused, fails the test."""
    page = phone.new_page()
    page.set_default_timeout(LIMIT_MS)
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda said: faults.append(said.text) if "Policy" in said.text else None)
    page.goto(f"{address}/l/{made.token}")
    yield page
    assert faults == []


def choose(page: Page, *contents: bytes, by: str = "gallery") -> None:
    """Chooses photos, and waits until they are on the phone."""
    before = page.locator("[data-chosen] li").count()
    for place, content in enumerate(contents):
        file = {"name": f"slip{place}.jpg", "mimeType": "image/jpeg", "buffer": content}
        page.locator(f"#{by}").set_input_files(file)
        expect(page.locator("[data-chosen] li")).to_have_count(before + place + 1)
    expect(page.get_by_role("status")).to_contain_text("Saved on this phone")


def evidence(dispute: Dispute) -> list[tuple[str, list[str]]]:
    """(words, states of photos) of each hand-in that the server has."""
    store = dispute.company.store
    store.rollback()
    return [
        (
            one.data.get("text", ""),
            [photo.data["state"] for photo in children(store, one.id, "photo")],
        )
        for one in children(store, dispute.case, "rebuttal")
    ]


def test_x6_words_and_photos_are_handed_in_and_the_number_stays(
    page: Page, dispute: Dispute, tmp_path: Path
) -> None:
    page.get_by_label("What you want to say").fill("sold to a local shop")
    choose(page, draw(), draw(500, 400))
    choose(page, draw(400, 300), by="camera")
    page.get_by_role("button", name="Remove slip1.jpg").click()
    expect(page.locator("[data-chosen] li")).to_have_count(2)
    page.screenshot(path=tmp_path / "draft.png", full_page=True)
    page.get_by_role("button", name="Hand in").click()
    expect(page.get_by_role("status")).to_have_text("The server has received all of it.")
    number = page.locator(".number").inner_text()
    assert NUMBER.fullmatch(number)
    expect(page.locator("#handed-in")).to_contain_text("Photos: 2 of 2 received")
    page.screenshot(path=tmp_path / "handed_in.png", full_page=True)
    assert evidence(dispute) == [("sold to a local shop", ["verified", "verified"])]
    [rebuttal] = children(dispute.company.store, dispute.case, "rebuttal")
    photos = children(dispute.company.store, rebuttal.id, "photo")
    assert {photo.data["source"] for photo in photos} == {"gallery", "system_camera"}
    page.reload()
    expect(page.locator(".number")).to_have_text(number)
    expect(page.get_by_label("What you want to say")).to_have_value("")


def test_f6_a_dealer_at_a_phone_adds_photos_to_a_fault(
    phone: BrowserContext, address: str, office: Office, tmp_path: Path
) -> None:
    report = Report(office)
    report.lead("dealer_photographs")
    page = phone.new_page()
    page.goto(f"{address}/l/{report.make(office.reviewer(Role.SALES_CLERK, None))}")
    expect(page.get_by_role("heading", name="Photos of a fault")).to_be_visible()
    page.get_by_label("What you want to say").fill("all leak at the seam")
    choose(page, draw(), by="camera")
    page.screenshot(path=tmp_path / "fault.png", full_page=True)
    page.get_by_role("button", name="Hand in").click()
    expect(page.get_by_role("status")).to_have_text("The server has received all of it.")
    assert NUMBER.fullmatch(page.locator(".number").inner_text())
    [came] = report.supplements()
    assert (came.data["text"], came.data["verified"]) == ("all leak at the seam", 1)
    assert report.state() == "opinion"
    page.goto(f"{page.url.partition('?')[0]}?lang=zh-CN")
    assert page.evaluate(WIDTH) <= 360
    assert page.evaluate(UNNAMED) == page.evaluate(DOUBLE_IDS) == page.evaluate(SMALL_TARGETS) == []
    page.screenshot(path=tmp_path / "fault-zh.png", full_page=True)


def test_x6_a_draft_with_photos_is_there_after_a_reload(page: Page, dispute: Dispute) -> None:
    page.get_by_label("What you want to say").fill("half a sen")
    choose(page, draw())
    page.reload()
    expect(page.get_by_label("What you want to say")).to_have_value("half a sen")
    expect(page.locator("[data-chosen] img")).to_have_js_property("naturalWidth", 800)
    expect(page.get_by_role("status")).to_have_text("Saved on this phone. Not handed in yet.")
    page.get_by_role("button", name="Hand in").click()
    expect(page.get_by_role("status")).to_have_text("The server has received all of it.")
    assert evidence(dispute) == [("half a sen", ["verified"])]


def test_x6_what_is_typed_and_chosen_before_the_script_has_come_is_kept(
    page: Page, dispute: Dispute
) -> None:
    late: list[Route] = []

    def hold(route: Route) -> None:
        late.append(route)

    page.route("**/drafts.js", hold)
    with page.expect_request("**/drafts.js"):
        page.reload(wait_until="commit")
    page.get_by_label("What you want to say").fill("quick")
    file = {"name": "slip.jpg", "mimeType": "image/jpeg", "buffer": draw()}
    page.locator("#gallery").set_input_files(file)
    late[0].continue_()
    expect(page.locator("[data-chosen] img")).to_have_js_property("naturalWidth", 800)
    expect(page.get_by_label("What you want to say")).to_have_value("quick")
    page.get_by_role("button", name="Hand in").click()
    expect(page.get_by_role("status")).to_have_text("The server has received all of it.")
    assert evidence(dispute) == [("quick", ["verified"])]


def test_x6_what_is_handed_in_without_a_network_goes_when_there_is_one(
    page: Page, phone: BrowserContext, dispute: Dispute
) -> None:
    page.get_by_label("What you want to say").fill("from the cellar")
    choose(page, draw())
    phone.set_offline(True)
    page.get_by_role("button", name="Hand in").click()
    expect(page.get_by_role("status")).to_contain_text("as soon as there is a network")
    assert evidence(dispute) == []
    expect(page.locator("#handed-in")).to_be_hidden()
    phone.set_offline(False)
    expect(page.get_by_role("status")).to_have_text("The server has received all of it.")
    assert evidence(dispute) == [("from the cellar", ["verified"])]


def test_x6_a_phone_does_not_wait_longer_than_for_the_network(page: Page) -> None:
    script = str(page.locator("script[type=module]").get_attribute("src"))
    assert page.evaluate(WOKEN, script.replace("page.js", "pace.js")) == "woken"


def test_x6_an_upload_that_is_cut_goes_on_where_the_server_stands(
    page: Page, dispute: Dispute
) -> None:
    offsets: list[int] = []

    def cut_the_second(route: Route) -> None:
        if route.request.method != "PATCH":
            route.continue_()
            return
        offsets.append(int(route.request.headers["upload-offset"]))
        if len(offsets) in {2, 3}:
            route.abort("connectionreset")
        else:
            route.continue_()

    page.route("**/uploads/*", cut_the_second)
    choose(page, LONG)
    page.get_by_role("button", name="Hand in").click()
    expect(page.get_by_role("status")).to_have_text("The server has received all of it.")
    assert offsets[0] == 0
    assert offsets[1] == offsets[2] == offsets[3] > 0
    assert sorted(offsets) == offsets
    assert evidence(dispute) == [("", ["verified"])]


def test_x6_an_upload_goes_on_after_a_reload_in_its_middle(page: Page, dispute: Dispute) -> None:
    offsets: list[int] = []
    is_cut = True

    def let_one_piece_through(route: Route) -> None:
        if route.request.method == "PATCH":
            offsets.append(int(route.request.headers["upload-offset"]))
            if is_cut and len(offsets) > 1:
                route.abort("internetdisconnected")
                return
        route.continue_()

    page.route("**/uploads/*", let_one_piece_through)
    choose(page, LONG)
    page.get_by_role("button", name="Hand in").click()
    expect(page.get_by_role("status")).to_contain_text("Photos are still missing")
    number = page.locator(".number").inner_text()
    assert evidence(dispute) == [("", ["declared"])]
    is_cut = False
    page.reload()
    expect(page.get_by_role("status")).to_have_text("The server has received all of it.")
    expect(page.locator(".number")).to_have_text(number)
    expect(page.locator("#handed-in")).to_contain_text("1 of 1 received")
    assert offsets.count(0) == 1
    assert evidence(dispute) == [("", ["verified"])]


def test_x6_a_photo_that_comes_a_week_late_is_said_to_be_too_late(
    page: Page, dispute: Dispute, made: Made
) -> None:
    page.route("**/uploads", lambda route: route.abort("connectionreset"))
    choose(page, draw())
    page.get_by_role("button", name="Hand in").click()
    expect(page.get_by_role("status")).to_contain_text("Photos are still missing")
    store = dispute.company.store
    with transaction(store):
        store.get_one(CaseLink, made.link).expires_at -= timedelta(days=9)
    page.unroute("**/uploads")
    page.reload()
    expect(page.get_by_role("heading", name="This link is over")).to_be_visible()
    expect(page.get_by_role("status")).to_contain_text("came too long after the term")
    expect(page.locator("#handed-in")).to_contain_text("0 of 1 received")
    assert evidence(dispute) == [("", ["declared"])]


def test_p2_x6_an_answer_that_is_lost_makes_no_second_hand_in(page: Page, dispute: Dispute) -> None:
    lost: list[str] = []

    def lose_the_first(route: Route) -> None:
        answer = route.fetch()
        if lost:
            route.fulfill(response=answer)
        else:
            lost.append(answer.text())
            route.abort("connectionreset")

    page.route("**/hand-in", lose_the_first)
    page.get_by_label("What you want to say").fill("once")
    page.get_by_role("button", name="Hand in").click()
    expect(page.get_by_role("status")).to_have_text("The server has received all of it.")
    assert page.locator(".number").inner_text() in lost[0]
    assert evidence(dispute) == [("once", [])]


def test_x6_who_is_too_late_is_told_and_keeps_what_was_written(
    page: Page, dispute: Dispute, made: Made
) -> None:
    page.get_by_label("What you want to say").fill("too late")
    choose(page, draw())
    dispute.revoke(made)
    page.get_by_role("button", name="Hand in").click()
    expect(page.get_by_role("heading", name="This link is over")).to_be_visible()
    expect(page.get_by_text("is too late and is not taken")).to_be_visible()
    expect(page.get_by_label("What you want to say")).to_have_value("too late")
    expect(page.locator("[data-chosen] img")).to_have_js_property("naturalWidth", 800)
    assert evidence(dispute) == []


def test_x6_the_page_fits_a_phone_and_names_its_controls(
    page: Page, dispute: Dispute, tmp_path: Path
) -> None:
    dispute.rep.photo(dispute.case, "cross_region_case", draw(), tag="goods")
    page.reload()
    expect(page.get_by_role("img", name="Photo 1: Goods")).to_be_visible()
    for language in ("en", "zh-CN"):
        page.goto(f"{page.url.partition('?')[0]}?lang={language}")
        assert page.evaluate(WIDTH) <= 360
        assert page.evaluate(UNNAMED) == page.evaluate(DOUBLE_IDS) == []
        assert page.evaluate(WITHOUT_ALT) == 0
        assert page.evaluate(SMALL_TARGETS) == []
        page.screenshot(path=tmp_path / f"{language}.png", full_page=True)


def test_x6_nothing_to_hand_in_is_said_beside_the_form(page: Page) -> None:
    page.get_by_role("button", name="Hand in").click()
    expect(page.get_by_role("alert")).to_have_text("Say something or choose a photo.")


def test_x6_without_scripts_the_form_does_its_work(
    browser: Browser, address: str, made: Made, dispute: Dispute
) -> None:
    context = browser.new_context(java_script_enabled=False, locale="zh-CN")
    page = context.new_page()
    page.goto(f"{address}/l/{made.token}")
    page.get_by_label("说明").fill("没有脚本")
    file = {"name": "slip.jpg", "mimeType": "image/jpeg", "buffer": draw()}
    page.locator("#gallery").set_input_files(file)
    page.get_by_role("button", name="提交").click()
    expect(page.locator(".number")).to_have_text(NUMBER)
    assert evidence(dispute) == [("没有脚本", ["verified"])]
    context.close()


def test_p5_x6_a_login_page_between_refuses_no_photo(page: Page, dispute: Dispute) -> None:
    between = [403, 200, 404]

    def answer(route: Route) -> None:
        if between:
            route.fulfill(status=between.pop(), content_type="text/html", body="<p>Sign in</p>")
        else:
            route.continue_()

    page.route("**/uploads", answer)
    choose(page, draw())
    page.get_by_role("button", name="Hand in").click()
    expect(page.get_by_role("status")).to_have_text("The server has received all of it.")
    assert between == []
    assert evidence(dispute) == [("", ["verified"])]


def test_x6_a_server_in_trouble_is_said_and_asked_again(page: Page, dispute: Dispute) -> None:
    trouble = {"status": 502, "content_type": "text/html", "body": "<p>Bad gateway</p>"}
    page.route("**/hand-in", lambda route: route.fulfill(**trouble))
    page.get_by_label("What you want to say").fill("patience")
    page.get_by_role("button", name="Hand in").click()
    expect(page.get_by_role("status")).to_contain_text("it is tried again by itself")
    assert evidence(dispute) == []
    page.unroute("**/hand-in")
    expect(page.get_by_role("status")).to_have_text("The server has received all of it.")
    assert evidence(dispute) == [("patience", [])]


def test_x6_what_one_page_hands_in_no_other_page_takes_away(
    page: Page, phone: BrowserContext, dispute: Dispute
) -> None:
    page.get_by_label("What you want to say").fill("first")
    choose(page, draw())
    page.locator("#gallery").set_input_files(
        {"name": "again.jpg", "mimeType": "image/jpeg", "buffer": draw()}
    )
    other = phone.new_page()
    other.goto(page.url)
    expect(other.locator("[data-chosen] li")).to_have_count(1)
    page.route("**/hand-in", lambda route: route.abort("connectionreset"))
    page.get_by_role("button", name="Hand in").click()
    expect(page.get_by_role("status")).to_contain_text("as soon as there is a network")
    other.get_by_role("button", name="Remove slip0.jpg").click()
    expect(other.locator("[data-chosen] li")).to_have_count(0)
    page.unroute("**/hand-in")
    expect(page.get_by_role("status")).to_have_text("The server has received all of it.")
    assert evidence(dispute) == [("first", ["verified"])]


def test_x6_words_typed_on_two_pages_are_both_kept(page: Page, phone: BrowserContext) -> None:
    other = phone.new_page()
    other.goto(page.url)
    expect(other.get_by_label("What you want to say")).to_be_editable()
    page.get_by_label("What you want to say").fill("typed here")
    expect(page.get_by_role("status")).to_contain_text("Saved on this phone")
    other.get_by_label("What you want to say").fill("typed there")
    expect(other.get_by_label("What you want to say")).to_have_value("typed here\ntyped there")
    page.reload()
    expect(page.get_by_label("What you want to say")).to_have_value("typed here\ntyped there")


def test_x6_a_photo_that_is_still_being_read_is_handed_in_with_the_rest(
    page: Page, dispute: Dispute
) -> None:
    page.evaluate(SLOW)
    file = {"name": "slip.jpg", "mimeType": "image/jpeg", "buffer": draw()}
    page.locator("#gallery").set_input_files(file)
    expect(page.get_by_role("status")).to_have_text("Reading the photo…")
    page.get_by_label("What you want to say").fill("with a slip")
    page.get_by_role("button", name="Hand in").click()
    page.evaluate("() => window.readOn()")
    expect(page.get_by_role("status")).to_have_text("The server has received all of it.")
    assert evidence(dispute) == [("with a slip", ["verified"])]


def test_x6_a_phone_without_room_says_which_photo_was_not_added(
    page: Page, dispute: Dispute
) -> None:
    choose(page, draw())
    page.evaluate(FULL)
    file = {"name": "large.jpg", "mimeType": "image/jpeg", "buffer": LONG}
    page.locator("#gallery").set_input_files(file)
    expect(page.get_by_role("alert")).to_contain_text("this was not added: large.jpg")
    expect(page.locator("[data-chosen] li")).to_have_count(1)
    page.get_by_role("button", name="Hand in").click()
    expect(page.get_by_role("status")).to_have_text("The server has received all of it.")
    assert evidence(dispute) == [("", ["verified"])]
