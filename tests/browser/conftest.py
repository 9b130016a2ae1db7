"""A real browser before a real server on a port of its own; skipped where there is no browser."""

import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright
from werkzeug.serving import make_server

from server.app import create_app, open_store
from server.clock import SystemClock
from server.extensions import db
from server.settings import Settings
from tests.company import Company
from tests.office import RACK, Office
from tests.until import LIMIT_SECONDS

NAMES = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM = next((path for path in map(shutil.which, NAMES) if path), None)
LIMIT_MS = 1000 * LIMIT_SECONDS
SWITCHES = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]


@pytest.fixture
def app(tmp_path: Path, sqlite_template: Path) -> Iterator[Flask]:
    """A server by the machine's clock, as a browser's cookies expect."""
    store = tmp_path / "fieldstamp.sqlite"
    shutil.copy(sqlite_template, store)
    settings = Settings(data=tmp_path / "data", database=f"sqlite:///{store}")
    app = create_app(settings, clock=SystemClock(), kinds=(RACK,))
    open_store(app)
    yield app
    with app.app_context():
        db.session.remove()
        db.engine.dispose()


@pytest.fixture
def office(app: Flask, company: Company) -> Office:
    """The company at its desks."""
    return Office(app, company)


@pytest.fixture
def address(app: Flask) -> Iterator[str]:
    """Where the server listens."""
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """The system's Chromium."""
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine: the pages were not tried in a browser")
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=SWITCHES, timeout=LIMIT_MS)
        yield browser
        browser.close()


@pytest.fixture
def desk(browser: Browser) -> Iterator[BrowserContext]:
    """A browser of its own for each test, in English; no console error stays unseen."""
    expect.set_options(timeout=LIMIT_MS)
    context = browser.new_context(locale="en-US", viewport={"width": 1280, "height": 800})
    yield context
    context.close()


@pytest.fixture
def page(desk: BrowserContext, address: str) -> Iterator[Page]:
    """A page that fails the test where a script fails or something is refused."""
    page = desk.new_page()
    page.set_default_timeout(LIMIT_MS)
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda said: faults.append(said.text) if said.type == "error" else None)
    page.goto(f"{address}/office/")
    yield page
    assert faults == []
