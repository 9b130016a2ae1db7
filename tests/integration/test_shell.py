"""The HTTP shell: health, headers, problems, the page about the API."""

import gzip
import json
import shutil
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from openapi_spec_validator import validate
from sqlalchemy import text

from server.db import transaction
from server.errors import CODES
from server.extensions import db
from tests.company import Company, FixedClock


def test_healthz_answers(client: FlaskClient) -> None:
    assert client.get("/healthz").json == {"status": "ok"}


def test_readyz_names_each_check(client: FlaskClient) -> None:
    answer = client.get("/readyz")
    assert answer.json == {
        "status": "ok",
        "checks": {"schema": "ok", "store": "ok", "blobs": "ok"},
    }


def test_readyz_says_what_is_wrong_and_names_no_path(app: Flask, client: FlaskClient) -> None:
    with app.app_context(), transaction(db.session()):
        db.session.execute(text("UPDATE alembic_version SET version_num = '0000'"))
    blobs = app.extensions["fieldstamp"].settings.data / "blobs"
    shutil.rmtree(blobs)
    blobs.write_text("a file where the folder should be")
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json == {
        "status": "unready",
        "checks": {
            "schema": "the schema is not the newest",
            "store": "ok",
            "blobs": "FileExistsError",
        },
    }


def test_every_answer_has_date_request_id_and_no_store(
    client: FlaskClient, clock: FixedClock
) -> None:
    seen = set()
    for path in ("/healthz", "/v1/auth/me", "/nowhere", "/docs"):
        answer = client.get(path)
        assert answer.headers["Date"] == "Mon, 02 Mar 2026 01:30:00 GMT"
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        seen.add(answer.headers["X-Request-Id"])
    assert len(seen) == 4


@pytest.mark.parametrize(
    ("accepts", "title"),
    [
        ("zh-CN,zh;q=0.9,en;q=0.8", "没有找到。"),
        ("zh", "没有找到。"),
        ("en-GB,en;q=0.9,zh;q=0.1", "There is no such thing."),
        ("fr", "没有找到。"),
        ("", "没有找到。"),
    ],
)
def test_problems_speak_the_language_that_the_request_accepts(
    client: FlaskClient, accepts: str, title: str
) -> None:
    answer = client.get("/v1/nowhere", headers={"Accept-Language": accepts})
    assert answer.content_type == "application/problem+json"
    body = json.loads(answer.data)
    assert body["title"] == title
    assert set(body) == {"type", "code", "title", "status", "retryable", "action", "request_id"}
    assert body["request_id"] == answer.headers["X-Request-Id"]


def test_a_path_whose_method_is_not_served_says_which_are(client: FlaskClient) -> None:
    for method in ("POST", "TRACE", "DELETE"):
        answer = client.open("/v1/auth/me", method=method)
        assert (answer.status_code, answer.json["code"]) == (405, "method_not_allowed")  # type: ignore[index]
        assert "GET" in answer.headers["Allow"]


def _break(app: Flask, error: Exception) -> None:
    def fail() -> None:
        raise error

    app.add_url_rule("/v1/broken", view_func=fail)


def test_an_unforeseen_error_shows_nothing_of_itself(
    capsys: pytest.CaptureFixture[str], app: Flask, client: FlaskClient
) -> None:
    _break(app, RuntimeError("the secret"))
    answer = client.get("/v1/broken", headers={"Accept": "text/html"})
    assert (answer.status_code, answer.content_type) == (500, "application/problem+json")
    assert "secret" not in answer.text
    assert "Traceback" not in answer.text
    logged = json.loads(capsys.readouterr().err.splitlines()[-1])
    assert logged["event"] == "request_failed"
    assert logged["request_id"] == answer.headers["X-Request-Id"]
    assert "the secret" in logged["exception"]


def test_a_failing_statement_is_logged_without_its_values(
    capsys: pytest.CaptureFixture[str], app: Flask, client: FlaskClient
) -> None:
    values = {"a": "-".join(["value", "of", "a", "token"])}

    def fail() -> None:
        db.session.execute(text("SELECT * FROM nothing WHERE a = :a"), values)

    app.add_url_rule("/v1/broken", view_func=fail)
    assert client.get("/v1/broken").status_code in {500, 503}
    logged = capsys.readouterr().err
    assert "request_failed" in logged
    assert values["a"] not in logged


def test_a_busy_store_is_503_with_retry_after(app: Flask, client: FlaskClient) -> None:
    from sqlalchemy.exc import OperationalError  # noqa: PLC0415

    _break(app, OperationalError("UPDATE", {}, Exception("database is locked")))
    answer = client.get("/v1/broken")
    assert (answer.status_code, answer.json["retryable"]) == (503, True)  # type: ignore[index]
    assert int(answer.headers["Retry-After"]) > 0


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits a tenth of a second for a store that somebody else holds."""
    monkeypatch.setattr("server.db.BUSY_SECONDS", 0.1)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
def test_a_store_that_another_program_holds_is_503(app: Flask, client: FlaskClient) -> None:
    def write() -> str:
        with transaction(db.session()):
            return "nobody else may write now"

    app.add_url_rule("/v1/written", view_func=write)
    with app.app_context():
        holder = db.engine.raw_connection()
    holder.cursor().execute("BEGIN IMMEDIATE")
    answer = client.get("/v1/written")
    holder.cursor().execute("ROLLBACK")
    holder.close()
    assert answer.status_code == 503
    assert client.get("/v1/written").status_code == 200


def _post(client: FlaskClient, body: bytes, **headers: str) -> Any:
    sent = {"Content-Type": "application/json"} | {
        name.replace("_", "-"): value for name, value in headers.items()
    }
    return client.post("/v1/auth/refresh", data=body, headers=sent)


def test_attack_19_and_20_a_bad_body_is_400_on_every_json_route(client: FlaskClient) -> None:
    for body in (b"{", b'{"a":1,"a":2}', b'{"a":NaN}', b'{"a":"\\ud800"}', b"[" * 100_000):
        answer = _post(client, body)
        assert (answer.status_code, answer.json["code"]) == (400, "bad_json")


def test_attack_11_json_under_another_content_type_is_415(client: FlaskClient) -> None:
    for kind in ("text/plain", "application/x-www-form-urlencoded", ""):
        answer = _post(client, b"{}", Content_Type=kind)
        assert (answer.status_code, answer.json["code"]) == (415, "unsupported_media")


def test_attack_21_encodings_are_bounded_and_named(client: FlaskClient) -> None:
    assert _post(client, b"{}", Content_Encoding="br").status_code == 415
    bomb = _post(client, gzip.compress(b" " * 5_000_000), Content_Encoding="gzip")
    assert (bomb.status_code, bomb.json["limit"]) == (413, "push_bytes")
    long = _post(client, b" " * 1_100_000)
    assert (long.status_code, long.json["limit"]) == (413, "push_wire_bytes")
    assert _post(client, gzip.compress(b"{}"), Content_Encoding="gzip").status_code == 422


def test_the_openapi_document_is_valid_and_names_every_route(
    app: Flask, client: FlaskClient
) -> None:
    document = client.get("/v1/openapi.json").json
    assert document is not None
    validate(document)
    assert document["openapi"].startswith("3.1")
    routes = {
        rule.rule
        for rule in app.url_map.iter_rules()
        if rule.rule.startswith("/v1/") and (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    assert len(document["paths"]) == len(routes)
    assert document["paths"]["/v1/auth/me"]["get"]["security"] == [{"device": []}]
    assert "security" not in document["paths"]["/v1/auth/refresh"]["post"]


def test_the_docs_page_names_routes_and_problems_and_loads_nothing(client: FlaskClient) -> None:
    answer = client.get("/docs", headers={"Accept-Language": "en"})
    for code in CODES:
        assert f'id="{code}"' in answer.text
    assert "/v1/sync/push" in answer.text
    assert "http" not in answer.text.replace("<!doctype html>", "")
    assert "<script" not in answer.text


def test_a_page_may_load_its_own_origin_only_and_inline_only_by_nonce(client: FlaskClient) -> None:
    first, second = client.get("/docs"), client.get("/docs")
    policy = first.headers["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    nonce = policy.partition("'nonce-")[2].partition("'")[0]
    assert f'nonce="{nonce}"' in first.text
    assert nonce not in second.headers["Content-Security-Policy"]


def test_a_company_can_be_built(company: Company, client: FlaskClient) -> None:
    manager = company.manager("east")
    me = client.get("/v1/auth/me", headers=manager.headers).json
    assert me is not None
    held = {f"region:{company.regions[name]}" for name in ("east", "shanghai", "hangzhou")}
    assert set(me["scopes"]) == held | {"company", f"user:{manager.user}"}
