"""The HTTP shell: health, headers, problems."""

from flask import Flask
from flask.testing import FlaskClient

from tests.company import Company


def test_healthz_answers(client: FlaskClient) -> None:
    assert client.get("/healthz").json == {"status": "ok"}


def test_readyz_names_each_check(client: FlaskClient) -> None:
    answer = client.get("/readyz")
    assert answer.json == {
        "status": "ok",
        "checks": {"schema": "ok", "store": "ok", "blobs": "ok"},
    }


def test_a_company_can_be_built(company: Company, app: Flask) -> None:
    assert company.rep().headers["Authorization"].startswith("Bearer ey")
