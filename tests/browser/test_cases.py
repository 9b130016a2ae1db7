"""A case on its way through states, in a browser: its moves, its clocks, its pauses."""

from playwright.sync_api import Page, expect

from server.people.principal import Role
from tests.browser.test_office import sign_in
from tests.office import Office
from tests.phone import customer


def test_b2_x8_a_fault_is_led_on_paused_and_taken_over_from_its_page(
    page: Page, office: Office
) -> None:
    rep = office.rep()
    shop = rep.create("customer", **customer())
    leak = rep.create(
        "product_fault",
        customer=shop,
        product="龙井 Tea",
        quantity=12,
        unit="piece",
        symptom="漏液",
        found_at="2026-03-02T09:00:00+08:00",
    )
    clerk = office.person(Role.SALES_CLERK, None)
    sign_in(page, clerk)
    page.get_by_role("link", name="Tea").first.click()
    page.wait_for_url(f"**/office/records/{leak}")
    expect(page.get_by_role("heading", name="Clocks")).to_be_visible()
    page.get_by_role("button", name="Stop the clock").click()
    expect(page.locator(".clocks").get_by_text("paused")).to_be_visible()
    page.get_by_role("button", name="Let the clock go on").click()
    page.get_by_role("button", name="I work on this").click()
    expect(page.get_by_role("button", name="I work on this")).to_have_count(0)
    page.keyboard.press("1")
    page.keyboard.press("n")
    page.keyboard.type("Registered")
    page.keyboard.press("Tab")
    page.get_by_role("button", name="Decide and stay").click()
    expect(page.locator(".marks .state")).to_have_text("The region manager is told")
    expect(page.locator(".clocks").get_by_text("done in time")).to_have_count(2)
