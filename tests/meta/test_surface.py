"""What others build on: the client's public names, the OpenAPI document, and the lock."""

import os
import re
import shutil
import subprocess
import sys
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from openapi_spec_validator import validate

import fieldstamp
from tests.meta.source import ROOT, SDK

METHODS = {"GET", "POST", "PUT", "PATCH", "DELETE"}
PARAMETER = re.compile(r"<(?:\w+(?:\([^)]*\))?:)?(\w+)>")


@pytest.fixture
def document(client: FlaskClient) -> dict[str, Any]:
    """The OpenAPI document as the server serves it."""
    found: dict[str, Any] = client.get("/v1/openapi.json").get_json()
    return found


def _documented(document: dict[str, Any]) -> set[tuple[str, str]]:
    return {
        (method.upper(), path)
        for path, described in document["paths"].items()
        for method in described
        if method.upper() in METHODS
    }


def _served(app: Flask) -> set[tuple[str, str]]:
    """(method, path) of every route of the wire, its parameters as OpenAPI writes them."""
    return {
        (method, PARAMETER.sub(r"{\1}", rule.rule))
        for rule in app.url_map.iter_rules()
        if rule.rule.startswith("/v1/")
        for method in (rule.methods or set()) & METHODS
    }


def test_the_openapi_document_is_valid(document: dict[str, Any]) -> None:
    validate(document)


def test_the_openapi_document_lists_the_routes_there_are(
    app: Flask, document: dict[str, Any]
) -> None:
    assert sorted(_documented(document)) == sorted(_served(app))


def test_the_client_lists_what_it_exports_in_order() -> None:
    assert fieldstamp.__all__ == sorted(fieldstamp.__all__)
    assert [name for name in fieldstamp.__all__ if not hasattr(fieldstamp, name)] == []


def test_everything_that_the_client_imports_for_others_is_listed() -> None:
    shown = {name for name in vars(fieldstamp) if not name.startswith("_")}
    modules = {path.stem for path in SDK.glob("[a-z]*.py")}
    assert shown - modules == set(fieldstamp.__all__)


def test_the_client_tells_type_checkers_that_it_is_typed() -> None:
    assert (SDK / "py.typed").exists()


def _uv() -> str | None:
    private = ROOT / ".dev" / "uv" / "bin" / "uv"
    return os.environ.get("UV") or shutil.which("uv") or shutil.which(private)


def test_the_lock_is_current() -> None:
    uv = _uv()
    if uv is None:
        pytest.skip("uv is not on this machine; run the tests by `python3 dev.py test`")
    checked = subprocess.run(
        [uv, "lock", "--check", "--offline", "--python", sys.executable],
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stderr.decode()
