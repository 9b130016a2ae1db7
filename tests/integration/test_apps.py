"""Apps that are too old: they hand in, and are sent nothing. Both databases."""

from pathlib import Path
from typing import Any

import pytest

from server.api.apps import order_of
from server.settings import Settings
from tests.company import ORIGIN, Company
from tests.phone import Phone, customer


@pytest.fixture
def settings(tmp_path: Path, store_url: str) -> Settings:
    """A server that has left apps below 1.2 behind."""
    return Settings(
        data=tmp_path / "data", database=store_url, origins=(ORIGIN,), min_app_hard="1.2.0"
    )


@pytest.fixture
def phone(client: Any, company: Company) -> Phone:
    """A rep's phone."""
    return Phone(client, company.rep())


def ask(phone: Phone, path: str, app: str | None, **body: Any) -> Any:
    """The answer to a POST of that app."""
    stated = {} if app is None else {"Fieldstamp-App": app}
    return phone.client.post(
        path, json={"protocol": 1, **body}, headers=phone.device.headers | stated
    )


@pytest.mark.parametrize("old", ["1.1.9", "1", "0.9", "1.1.99-beta"])
def test_p6_an_app_that_is_too_old_hands_in_and_is_sent_nothing(phone: Phone, old: str) -> None:
    made = phone.create("customer", customer())
    pushed = ask(phone, "/v1/sync/push", old, mutations=[made])
    assert pushed.get_json()["results"][0]["outcome"] == "applied"
    for path, place in (("/v1/sync/pull", "cursor"), ("/v1/sync/snapshot", "page")):
        refused = ask(phone, path, old, **{place: None})
        assert (refused.status_code, refused.get_json()["code"]) == (426, "app_too_old")


@pytest.mark.parametrize("new", ["1.2.0", "1.2", "1.10.0", "2", None])
def test_an_app_that_is_new_enough_is_sent_everything(phone: Phone, new: str | None) -> None:
    assert ask(phone, "/v1/sync/pull", new, cursor=None).status_code == 200
    assert ask(phone, "/v1/sync/snapshot", new, page=None).status_code == 200


def test_versions_are_compared_number_by_number() -> None:
    assert order_of("1.10.2") > order_of("1.9.12") > order_of("v1.9") > order_of("")
