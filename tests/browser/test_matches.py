"""B3: two photos of the same before a reviewer: side by side, why, and an answer."""

from pathlib import Path

from playwright.sync_api import Page, expect

from server.people.principal import Role
from tests.browser.test_office import DOUBLE_IDS, UNNAMED, WIDTH, WITHOUT_ALT, sign_in
from tests.media.scenes import MUST, plan_scene, save, take
from tests.office import Office, Rep
from tests.phone import customer

LOADED = "(one) => one.decode().then(() => one.naturalWidth > 100)"


def hand_in(rep: Rep, content: bytes) -> str:
    """The visit to which a photo was taken."""
    shop = rep.create("customer", **customer())
    visit = rep.create("visit", customer=shop, purpose="routine", method="on_site")
    rep.photo(visit, "visit", content, tag="display")
    return visit


def test_b3_a_match_is_opened_from_the_queue_and_answered(
    page: Page, office: Office, tmp_path: Path
) -> None:
    photo = take(plan_scene(11))
    hand_in(office.rep("shanghai"), save(photo))
    hand_in(office.rep("guangzhou"), save(MUST["caption over 7 %"](photo)))
    sign_in(page, office.person(Role.MARKET_OFFICER, None))
    page.get_by_role("link", name="Nearly the same picture").click()
    expect(page.get_by_role("heading", name="Similar photos")).to_be_visible()
    expect(page.locator(".pair img")).to_have_count(2)
    for picture in page.locator(".pair img").all():
        assert picture.evaluate(LOADED)
    for words in ("Another region", "Another rep", "Another customer"):
        expect(page.get_by_text(words, exact=True)).to_be_visible()
    assert page.evaluate(UNNAMED) == page.evaluate(DOUBLE_IDS) == []
    assert page.evaluate(WITHOUT_ALT) == 0
    page.screenshot(path=tmp_path / "match.png", full_page=True)
    page.get_by_label("The same", exact=True).check()
    page.get_by_label("Note").fill("one shelf, two shops")
    page.get_by_role("button", name="Answer").click()
    expect(page.get_by_text("one shelf, two shops").first).to_be_visible()
    page.set_viewport_size({"width": 360, "height": 780})
    assert page.evaluate(WIDTH) <= 360
    page.goto(page.url.partition("/matches/")[0])
    expect(page.get_by_text("Nearly the same picture")).to_have_count(0)


def test_b3_a_record_leads_to_what_is_like_its_photos(page: Page, office: Office) -> None:
    content = save(take(plan_scene(12)))
    hand_in(office.rep(), content)
    visit = hand_in(office.rep(), content)
    sign_in(page, office.person())
    page.goto(f"{page.url.partition('/office/')[0]}/office/records/{visit}")
    page.get_by_role("link", name="Like another photo").click()
    expect(page.get_by_role("heading", name="Similar photos")).to_be_visible()
    expect(page.get_by_text("The same file").first).to_be_visible()
