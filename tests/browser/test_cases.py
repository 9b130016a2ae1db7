"""A case on its way through states, in a browser: its moves, its clocks, its pauses."""

from pathlib import Path

from playwright.sync_api import Page, expect

from server.domain.cases.actions import follow_cases
from server.people.principal import Role
from tests.browser.test_office import DOUBLE_IDS, UNNAMED, WIDTH, sign_in
from tests.domain.desk import Desk
from tests.domain.records import signature
from tests.links import Dispute
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


def test_x4_x9_an_officer_says_otherwise_than_the_check_and_writes_a_note(
    page: Page, office: Office, tmp_path: Path
) -> None:
    page.set_default_timeout(60_000)
    expect.set_options(timeout=60_000)  # a busy machine may take its time
    dispute, desk = Dispute(office), Desk(office.company)
    for part in ("affected_dealer", "region_manager"):
        dispute.rep.create("signature", **signature(part, parent=dispute.case))
    look_at_cases(desk)
    sign_in(page, office.person(Role.MARKET_OFFICER, None))
    page.goto(f"{page.url.partition('/office')[0]}/office/records/{dispute.case}")
    point = page.locator("#point-proof_batch")
    expect(point).to_contain_text("✗ No")
    point.get_by_text("Say otherwise: Direct proof of the batch").click()
    point.get_by_label("✓ Yes").check()
    point.get_by_label("Reason").fill("the paper shows it")
    point.get_by_role("button", name="Write it beside the check").click()
    expect(point.locator(".why")).to_contain_text("✓ Yes · the paper shows it")
    expect(point).to_contain_text("✗ No")
    page.get_by_label("Note for the other departments").fill("call the driver")
    page.get_by_role("button", name="Write the note").click()
    expect(page.locator(".timeline")).to_contain_text("call the driver")
    expect(page.locator(".timeline")).to_contain_text("for the offices only")
    page.screenshot(path=tmp_path / "case.png", full_page=True)
    for width in (1280, 390):
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate(WIDTH) <= width
        assert page.evaluate(UNNAMED) == page.evaluate(DOUBLE_IDS) == []


def look_at_cases(desk: Desk) -> None:
    """The worker looks at what was submitted."""
    services = desk.company.services
    follow_cases(desk.company.store, services.sync, services.policy)
