"""Who sees the photos of a case, and what is said of one of them. Both databases."""

from typing import Any

import pytest
from flask import Flask

from server.people.principal import Role
from tests.company import Company
from tests.office import Office, Rep
from tests.phone import customer


@pytest.fixture
def office(app: Flask, company: Company) -> Office:
    """The company at its desks."""
    return Office(app, company)


def leak(rep: Rep) -> str:
    """A fault at a customer of the rep."""
    goods = {"product": "Tea", "quantity": 12, "unit": "piece", "symptom": "漏液"}
    shop = rep.create("customer", **customer())
    return rep.create("product_fault", customer=shop, found_at="2026-03-02T09:00:00+08:00", **goods)


def held(rep: Rep, record: str) -> dict[str, Any]:
    """The record as the device gets it."""
    (item,) = [item for item in rep.phone.pull_all() if item["record"] == record]
    return dict(item["data"])


@pytest.mark.parametrize(("role", "status"), [(Role.TECHNICAL_OFFICER, 200), (Role.CASHIER, 404)])
def test_p5_the_photos_of_a_case_are_seen_by_whoever_may_open_it(
    office: Office, role: Role, status: int
) -> None:
    rep = office.rep()
    fault = leak(rep)
    photo = rep.photo(fault, "product_fault")
    reader = office.reviewer(role, None)
    assert reader.get(f"/records/{fault}").status_code == status
    assert reader.get(f"/photos/{photo}/preview").status_code == status


def test_v5_guidance_on_one_photo_reaches_the_device_with_the_photo(office: Office) -> None:
    rep, clerk = office.rep(), office.reviewer(Role.SALES_CLERK, None)
    fault = leak(rep)
    photo = rep.photo(fault, "product_fault")
    path = f"/records/{fault}/photos/{photo}/guidance"
    version = next(one["version"] for one in rep.phone.pull_all() if one["record"] == photo)
    assert clerk.post(path, base=version, guidance="请拍清批号").status_code == 302
    assert held(rep, photo)["guidance"] == "请拍清批号"
    assert "请拍清批号" in clerk.page(f"/records/{fault}")
    assert clerk.post(path, base=version, guidance="other").status_code == 409


def test_p5_nobody_guides_a_photo_of_another_record(office: Office) -> None:
    rep, clerk = office.rep(), office.reviewer(Role.SALES_CLERK, None)
    mine, other = leak(rep), leak(rep)
    photo = rep.photo(other, "product_fault")
    answer = clerk.post(f"/records/{mine}/photos/{photo}/guidance", base=1, guidance="x")
    assert answer.status_code == 404
