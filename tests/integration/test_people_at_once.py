"""What people do at the same moment: real threads on real databases."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select

from server.errors import Problem
from server.people import attempts
from server.people.tables import Device, RefreshToken, Session
from tests.company import Company
from tests.phones import Phone, issue_code

AT_ONCE = 6


@pytest.fixture
def phone(client: FlaskClient, company: Company) -> Phone:
    return Phone(client, company.services.ids.new())


def _all_at_once(app: Flask, phone: Phone, path: str, body: dict[str, Any]) -> list[Any]:
    """The answers to one request that ``AT_ONCE`` threads send at the same moment."""
    gate = Barrier(AT_ONCE)

    def send(_number: int) -> Any:
        client = app.test_client()
        gate.wait()
        answer = client.post(path, json=body)
        return answer.status_code, answer.json

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(send, range(AT_ONCE)))


def _count(company: Company, table: Any) -> int:
    company.store.rollback()
    return int(company.store.scalar(select(func.count()).select_from(table)) or 0)


def test_one_code_sent_several_times_at_once_enrols_one_device_with_one_session(
    app: Flask, phone: Phone, company: Company
) -> None:
    body = phone.about(code=issue_code(company, company.user()))
    answers = _all_at_once(app, phone, "/v1/auth/enrol", body)
    good = [answer for status, answer in answers if status == 200]
    assert {status for status, _ in answers} <= {200, 429}
    assert len({answer["refresh_token"] for answer in good}) == 1
    assert (_count(company, Device), _count(company, Session)) == (1, 1)


def test_attack_8_one_refresh_sent_several_times_at_once_has_one_successor(
    app: Flask, phone: Phone, company: Company
) -> None:
    phone.enrol(issue_code(company, company.user()))
    token = phone.tokens["refresh_token"]
    body = phone.refresh_body(token, "r1")
    answers = _all_at_once(app, phone, "/v1/auth/refresh", body)
    assert [status for status, _ in answers] == [200] * AT_ONCE
    assert len({answer["refresh_token"] for _, answer in answers}) == 1
    assert _count(company, RefreshToken) == 2


def test_attack_10_guesses_at_once_are_all_counted(
    app: Flask, phone: Phone, company: Company
) -> None:
    assert phone.enrol("AAAAAAAAAA").status_code == 403
    answers = _all_at_once(app, phone, "/v1/auth/enrol", phone.about(code="AAAAAAAAAA"))
    assert sorted(status for status, _ in answers) == [403] * 4 + [429] * 2


def test_colleagues_who_log_in_at_the_same_moment_are_not_taken_for_guessers(
    company: Company,
) -> None:
    """The request that began first may be counted last."""
    now, office = company.services.clock.now(), attempts.subject("address", "192.0.2.1")
    for number in range(attempts.ADDRESS.free - 1):
        moment = now - timedelta(milliseconds=number)
        attempts.take(company.store, office, pace=attempts.ADDRESS, now=moment)
    attempts.take(company.store, office, pace=attempts.ADDRESS, now=now)
    with pytest.raises(Problem, match="too_many"):
        attempts.take(company.store, office, pace=attempts.ADDRESS, now=now)
