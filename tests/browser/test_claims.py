"""K2: two customers that are likely the same before a manager: side by side, and an answer."""

from pathlib import Path

from playwright.sync_api import Page, expect

from tests.browser.test_office import DOUBLE_IDS, UNNAMED, WIDTH, sign_in
from tests.office import Office
from tests.phone import customer


def test_k2_a_match_is_opened_from_the_queue_and_answered(
    page: Page, office: Office, tmp_path: Path
) -> None:
    for region, address in (("hangzhou", "文一路 1 号"), ("guangzhou", "文二路 22 号")):
        values = customer(name="红星超市", phone="0571-8888 1234", address=address)
        office.rep(region).create("customer", **values)
    sign_in(page, office.person(region="root"))
    page.get_by_role("link", name="Customer").click()
    expect(page.get_by_role("heading", name="Likely the same")).to_be_visible()
    for words in ("文一路 1 号", "文二路 22 号", "Hangzhou", "Guangzhou"):
        expect(page.get_by_text(words, exact=True)).to_be_visible()
    assert page.evaluate(UNNAMED) == page.evaluate(DOUBLE_IDS) == []
    page.screenshot(path=tmp_path / "match.png", full_page=True)
    page.get_by_label("The same", exact=True).check()
    page.get_by_label("Note").fill("one shop, two reps")
    page.get_by_role("button", name="Answer").click()
    expect(page.get_by_text("one shop, two reps").first).to_be_visible()
    page.set_viewport_size({"width": 360, "height": 780})
    assert page.evaluate(WIDTH) <= 360
    page.screenshot(path=tmp_path / "narrow.png", full_page=True)
    page.get_by_role("link", name="红星超市").first.click()
    expect(page.get_by_role("heading", name="红星超市")).to_be_visible()
