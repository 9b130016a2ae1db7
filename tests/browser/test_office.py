"""What a reviewer does all day, in a browser, without a mouse."""

import pytest
from playwright.sync_api import Page, expect

from tests.domain.records import receipt
from tests.office import PASSWORD, Office
from tests.pictures import draw

UNNAMED = """() => {
  const controls = "input:not([type=hidden]), textarea, select, button, a[href]";
  const named = (one) => one.labels?.length || one.getAttribute("aria-label")
    || one.textContent.trim() || one.querySelector("img[alt]:not([alt=''])");
  return [...document.querySelectorAll(controls)]
    .filter((one) => !named(one)).map((one) => one.outerHTML);
}"""
WITHOUT_ALT = "() => [...document.images].filter((one) => !one.hasAttribute('alt')).length"
DOUBLE_IDS = """() => {
  const ids = [...document.querySelectorAll("[id]")].map((one) => one.id);
  return ids.filter((id, place) => ids.indexOf(id) !== place);
}"""
UNSEEN_FOCUS = """() => {
  const one = document.activeElement;
  if (one === document.body) return false;
  const around = [one, one.closest("label"), one.closest(".row")].filter(Boolean);
  const styles = around.map((part) => getComputedStyle(part));
  return !styles.some((style) => style.outlineStyle !== "none" || style.boxShadow !== "none");
}"""
WIDTH = "() => document.documentElement.scrollWidth"


def type_credentials(page: Page, username: str) -> None:
    """Types name and password: the name has the focus as soon as the page is there."""
    expect(page.get_by_label("Name", exact=True)).to_be_focused()
    page.keyboard.type(username)
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")


def sign_in(page: Page, username: str) -> None:
    """Signs in with the keyboard alone, to the queue."""
    type_credentials(page, username)
    expect(page.get_by_role("heading", name="Waiting for me")).to_be_visible()


def test_b2_a_record_is_opened_decided_and_gone_by_keyboard_alone(
    page: Page, office: Office
) -> None:
    rep = office.rep()
    first = rep.create("receipt", **receipt(seller="first"))
    second = rep.create("receipt", **receipt(seller="second"))
    rep.photo(first, "receipt", draw())
    sign_in(page, office.person())
    for key in ("j", "j", "k", "Enter"):
        page.keyboard.press(key)
    page.wait_for_url(f"**/office/records/{first}")
    for key in ("3", "1"):
        page.keyboard.press(key)
    expect(page.get_by_label("Not enough evidence")).to_be_checked()
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/office/records/{second}")
    expect(page.get_by_role("status")).to_contain_text("Rejected")
    page.keyboard.press("u")
    page.wait_for_url("**/office/")
    expect(page.locator(".row-link")).to_have_count(1)
    expect(page.locator(".row-link")).to_contain_text("second")


def test_b2_z_takes_the_last_decision_back(page: Page, office: Office) -> None:
    record = office.rep().create("receipt", **receipt())
    sign_in(page, office.person())
    for key in ("j", "Enter"):
        page.keyboard.press(key)
    page.wait_for_url(f"**/{record}")
    for key in ("1", "2", "Enter"):
        page.keyboard.press(key)
    expect(page.get_by_text("The queue is clear")).to_be_visible()
    page.keyboard.press("z")
    page.wait_for_url(f"**/{record}")
    expect(page.locator(".record-head .state")).to_have_text("Submitted")


def test_keys_are_text_while_somebody_types_and_while_an_input_method_composes(
    page: Page, office: Office
) -> None:
    record = office.rep().create("receipt", **receipt())
    sign_in(page, office.person())
    page.goto(page.url + f"records/{record}")
    page.keyboard.press("n")
    page.keyboard.type("1jz4?")
    expect(page.get_by_label("Note")).to_have_value("1jz4?")
    assert page.locator("[name=verdict]:checked").count() == 0
    composing = "new KeyboardEvent('keydown', {key: '1', bubbles: true, isComposing: true})"
    page.evaluate(f"() => document.body.dispatchEvent({composing})")
    assert page.locator("[name=verdict]:checked").count() == 0
    page.evaluate(f"() => document.body.dispatchEvent({composing.replace('true}', 'false}')})")
    assert page.locator("[name=verdict]:checked").count() == 1


def test_a_typed_note_survives_a_session_that_ended(page: Page, office: Office) -> None:
    record = office.rep().create("receipt", **receipt())
    username = office.person()
    sign_in(page, username)
    page.goto(page.url + f"records/{record}")
    page.get_by_label("Note").fill("three hundred careful words")
    page.context.clear_cookies()
    page.get_by_label("Accept").check()
    page.goto(page.url)
    type_credentials(page, username)
    page.wait_for_url(f"**/{record}?*")
    expect(page.get_by_label("Note")).to_have_value("three hundred careful words")


def test_photos_are_walked_through_enlarged_and_turned_by_keys(page: Page, office: Office) -> None:
    rep = office.rep()
    record = rep.create("receipt", **receipt())
    for seed, tag in ((1, "receipt"), (2, "document")):
        rep.photo(record, "receipt", draw(seed=seed), tag=tag)
    sign_in(page, office.person())
    page.goto(page.url + f"records/{record}")
    shown = page.locator("[data-photo]:not([hidden])")
    expect(shown).to_contain_text("Receipt")
    page.keyboard.press("ArrowRight")
    expect(shown).to_contain_text("Document")
    for key in ("+", "o"):
        page.keyboard.press(key)
    turned = shown.locator("img").evaluate("(one) => one.style.transform")
    assert turned == "rotate(90deg) scale(1.5)"
    seen = shown.locator("img").evaluate("(one) => one.decode().then(() => one.naturalWidth)")
    assert seen > 0


def test_the_language_is_switched_from_any_page(page: Page, office: Office) -> None:
    sign_in(page, office.person())
    page.get_by_role("button", name="中文").press("Enter")
    expect(page.get_by_role("heading", name="我的待办")).to_be_visible()
    assert page.evaluate("() => document.documentElement.lang") == "zh-CN"


def test_the_list_of_keys_opens_and_single_keys_can_be_switched_off(
    page: Page, office: Office
) -> None:
    office.rep().create("receipt", **receipt())
    sign_in(page, office.person())
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_contain_text("Next and previous line")
    page.get_by_label("Switch single keys off").check()
    page.keyboard.press("Escape")
    page.keyboard.press("j")
    assert page.evaluate("() => document.activeElement.className") != "row-link"


@pytest.mark.parametrize("width", [320, 1280])
def test_every_control_is_named_focus_is_seen_and_nothing_overflows(
    page: Page, office: Office, width: int
) -> None:
    rep = office.rep()
    record = rep.create("receipt", **receipt(seller="a very long name " * 8))
    rep.photo(record, "receipt", draw())
    page.set_viewport_size({"width": width, "height": 700})
    assert page.evaluate(UNNAMED) == []
    sign_in(page, office.person())
    start = page.url
    for address in (start, f"{start}records/{record}"):
        page.goto(address)
        assert page.evaluate(UNNAMED) == []
        assert page.evaluate(WITHOUT_ALT) == 0
        assert page.evaluate(DOUBLE_IDS) == []
        assert page.evaluate(WIDTH) <= width
        for _ in range(25):
            page.keyboard.press("Tab")
            focused = page.evaluate("() => document.activeElement.outerHTML")
            assert not page.evaluate(UNSEEN_FOCUS), focused
    page.goto(start)
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to content")).to_be_in_viewport()


def test_a_decision_needs_no_script(page: Page, office: Office, address: str) -> None:
    record = office.rep().create("receipt", **receipt())
    plain = page.context.browser.new_context(java_script_enabled=False, locale="en-US")
    bare = plain.new_page()
    bare.goto(f"{address}/office/records/{record}")
    bare.fill("#username", office.person())
    bare.fill("#password", PASSWORD)
    bare.press("#password", "Enter")
    bare.get_by_label("Return", exact=False).first.check()
    bare.get_by_label("Photo unclear").check()
    bare.get_by_role("button", name="Decide and stay").click()
    expect(bare.locator(".record-head .state")).to_have_text("Returned")
    plain.close()
