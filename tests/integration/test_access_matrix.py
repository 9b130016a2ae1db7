"""Each cell of ``access_matrix.toml`` against the running server."""

import tomllib
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from server.db import transaction
from server.people import devices
from server.people.principal import Role
from tests.company import Company

MATRIX = tomllib.loads(Path(__file__).parents[1].joinpath("access_matrix.toml").read_text("utf-8"))
ANSWERS = {"yes", "no", "sign in"}
PLACE = {"form": "original", "version": 1}
UNKNOWN_ID = "019cac2a-0000-7000-8000-000000000000"

pytestmark = pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)


def _routes(app: Flask) -> dict[str, tuple[str, str]]:
    """Row name → method and a path with unknown ids."""
    adapter = app.url_map.bind("localhost")
    found = {}
    for rule in app.url_map.iter_rules():
        automatic = {"OPTIONS"} if getattr(rule, "provide_automatic_options", True) else set()
        methods = (rule.methods or set()) - automatic
        if "GET" in methods:
            methods -= {"HEAD"}
        values = {name: PLACE.get(name, UNKNOWN_ID) for name in rule.arguments}
        for method in methods:
            path = adapter.build(rule.endpoint, values, method=method)
            found[f"{method} {rule.rule}"] = method, path
    return found


def _everybody(company: Company) -> dict[str, dict[str, str]]:
    """Who → headers of a device of theirs."""
    who: dict[str, dict[str, str]] = {"anonymous": {}}
    for role in Role:
        who[role.value] = company.device(company.user(role)).headers
    revoked = company.rep()
    with transaction(company.store):
        device = devices.need_device(company.store, revoked.id)
        now = company.services.clock.now()
        devices.revoke(company.store, device, erase="all", now=now)
    return who | {"revoked_device": revoked.headers}


def _expected(row: dict[str, str], who: str) -> str:
    return row[who] if who in row else row["everybody"]


def _seen(client: FlaskClient, route: tuple[str, str], headers: dict[str, str]) -> str:
    method, path = route
    body = {} if method in {"GET", "HEAD", "OPTIONS"} else {"json": {}}
    answer = client.open(path, method=method, headers=headers, **body)
    assert answer.status_code < 500, (method, path, answer.status_code, answer.text)
    if path.startswith("/office/"):  # pages know cookies and form tokens; a bearer is a stranger
        return _seen_on_page(answer)
    return {401: "sign in", 403: "no"}.get(answer.status_code, "yes")


def _seen_on_page(answer: TestResponse) -> str:
    to_login = answer.headers.get("Location", "").startswith("/office/login")
    return "sign in" if to_login else "no" if answer.status_code == 400 else "yes"


def test_attack_1_every_route_has_a_row_and_every_row_a_route(app: Flask) -> None:
    assert set(MATRIX) == set(_routes(app))


def test_every_row_names_only_roles_and_answers_that_exist(app: Flask) -> None:
    names = {"anonymous", "revoked_device", "everybody"} | {role.value for role in Role}
    for row, cells in MATRIX.items():
        assert set(cells) >= {"anonymous", "revoked_device", "everybody"}, row
        assert set(cells) <= names, row
        assert set(cells.values()) <= ANSWERS, row


def test_every_route_declares_what_it_asks_for(app: Flask) -> None:
    own = {
        name: view for name, view in app.view_functions.items() if name != "api-docs.openapi_json"
    }
    silent = [name for name, view in own.items() if not hasattr(view, "access")]
    assert silent == []


def test_attack_4_every_cell_holds(app: Flask, client: FlaskClient, company: Company) -> None:
    who = _everybody(company)
    wrong = []
    for name, route in _routes(app).items():
        # Logging out ends the session that the other rows need.
        people = who if name != "POST /v1/auth/logout" else _everybody(company)
        for person, headers in people.items():
            seen = _seen(client, route, headers)
            if seen != _expected(MATRIX[name], person):
                wrong.append((name, person, seen))
    assert wrong == []
