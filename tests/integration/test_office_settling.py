"""P6, B4 on the pages: what lost or was refused is brought back by one button. Both databases."""

from typing import Any

import pytest
from flask import Flask

from server.people.principal import Role
from tests.company import Company
from tests.domain.records import receipt
from tests.office import Office, Rep
from tests.phone import customer


@pytest.fixture
def office(app: Flask, company: Company) -> Office:
    """The company at its desks."""
    return Office(app, company)


@pytest.fixture
def rep(office: Office) -> Rep:
    """A rep in Shanghai."""
    return office.rep()


def quarrel(office: Office, rep: Rep) -> tuple[str, str]:
    """A customer on which a rep's value lost against another one's; and the conflict."""
    record = rep.create("customer", **customer())
    other = Rep(office.app, office.company.manager())
    assert other.patch(record, "customer", 1, address="1 号")["outcome"] == "applied"
    lost = rep.patch(record, "customer", 1, address="2 号")
    return record, lost["conflicts"][0]


def held(rep: Rep, record: str) -> dict[str, Any]:
    """The record as the device gets it."""
    (item,) = [item for item in rep.phone.pull_all() if item["record"] == record]
    return dict(item["data"])


def test_b4_a_lost_value_is_brought_back_by_one_button(office: Office, rep: Rep) -> None:
    record, conflict = quarrel(office, rep)
    manager = office.reviewer()
    assert "Bring back" in manager.page(f"/records/{record}")
    seen = f"/records/{record}"
    answer = manager.post(f"{seen}/kept/{conflict}", seen=seen, act="restore")
    assert answer.status_code == 302
    assert held(rep, record)["address"] == "2 号"
    assert held(rep, conflict)["state"] == "resolved"
    assert "Bring back" not in manager.page(seen)
    again = manager.post(f"{seen}/kept/{conflict}", seen="/", act="restore")
    assert again.status_code == 409


def test_p6_work_of_a_revoked_device_waits_for_its_manager_who_brings_it_back(
    office: Office, rep: Rep
) -> None:
    made = rep.phone.create("receipt", receipt(seller="late"))
    office.company.revoke(rep.device)
    (result,) = rep.phone.push(made)
    manager = office.reviewer()
    assert "Handed in and refused" in manager.page("/")
    seen = f"/records/{result['parked']}"
    assert "late" in manager.page(seen)
    answer = manager.post(f"{seen}/kept/{result['parked']}", seen=seen, act="restore")
    assert answer.status_code == 302, answer.get_data(as_text=True)
    again = Rep(office.app, office.company.device(rep.device.user))
    assert held(again, made["record"])["seller"] == "late"
    assert "Handed in and refused" not in manager.page("/")


def test_p6_what_a_refused_edit_unset_is_unset_by_bringing_it_back(
    office: Office, rep: Rep
) -> None:
    made = rep.phone.create("receipt", receipt(note="wrong"))
    rep.phone.push(made)
    office.company.revoke(rep.device)
    (result,) = rep.phone.push(rep.phone.patch(made, 1, {"seller": "B"}, unset=["note"]))
    seen = f"/records/{made['record']}"
    answer = office.reviewer().post(f"{seen}/kept/{result['parked']}", seen=seen, act="restore")
    assert answer.status_code == 302, answer.get_data(as_text=True)
    again = Rep(office.app, office.company.device(rep.device.user))
    data = held(again, made["record"])
    assert data["seller"] == "B"
    assert "note" not in data


def test_k1_a_customer_that_is_brought_back_is_its_first_senders_in_data_and_scopes(
    office: Office, rep: Rep
) -> None:
    made = rep.phone.create("customer", customer())
    office.company.revoke(rep.device)
    (result,) = rep.phone.push(made)
    seen = f"/records/{result['parked']}"
    office.reviewer().post(f"{seen}/kept/{result['parked']}", seen=seen, act="restore")
    again = Rep(office.app, office.company.device(rep.device.user))
    (item,) = [one for one in again.phone.pull_all() if one["record"] == made["record"]]
    assert item["data"]["owner"] == rep.device.user
    assert f"user:{rep.device.user}" in item["scopes"]


def test_p6_a_manager_leaves_a_refused_mutation_refused(office: Office, rep: Rep) -> None:
    made = rep.phone.create("receipt", receipt())
    office.company.revoke(rep.device)
    (result,) = rep.phone.push(made)
    manager = office.reviewer()
    seen = f"/records/{result['parked']}"
    manager.post(f"{seen}/kept/{result['parked']}", seen=seen, act="dismiss")
    page = manager.page(seen)
    assert "Bring back" not in page
    assert "Dismissed" in page


def test_p5_who_may_not_open_a_record_brings_nothing_back(office: Office, rep: Rep) -> None:
    record, conflict = quarrel(office, rep)
    stranger = office.reviewer(region="south")
    path = f"/records/{record}/kept/{conflict}"
    assert stranger.post(path, act="restore").status_code == 404
    finance = office.reviewer(Role.FINANCE_OFFICER, None)
    assert finance.post(path, act="restore").status_code in {403, 404}
    assert held(rep, conflict)["state"] == "open"


def test_p6_b4_a_record_is_put_back_as_devices_had_written_it_by_one_button(
    office: Office, rep: Rep
) -> None:
    record = rep.create("customer", **customer(), address="1 号", phone="021 1")
    rep.patch(record, "customer", 1, address="2 号", note="new")
    manager = office.reviewer()
    answer = manager.post(f"/records/{record}/versions/1", base=2)
    assert answer.status_code == 302
    now = held(rep, record)
    assert (now["address"], now["phone"]) == ("1 号", "021 1")
    assert manager.page(f"/records/{record}").count("<summary><b>") == 3
    again = manager.post(f"/records/{record}/versions/2", base=2)
    assert again.status_code == 409, "somebody wrote since"


def test_p6_b4_nobody_brings_back_what_the_other_side_owns(office: Office, rep: Rep) -> None:
    slip = rep.create("receipt", **receipt())
    manager = office.reviewer()
    for verdict in ("accepted", "rejected"):
        assert manager.decide(slip, verdict, note="seen").status_code == 302
    about, then = {"record": slip, "kind": "receipt"}, {"version": 2}
    made = rep.phone.patch(about, 3, {"verdict": "accepted"}, restores=then)
    (refused,) = rep.phone.push(made)
    assert refused["outcome"] == "rejected"


def test_p5_b4_a_version_of_what_one_may_not_open_is_not_there(office: Office, rep: Rep) -> None:
    record = rep.create("customer", **customer())
    stranger = office.reviewer(region="south")
    assert stranger.post(f"/records/{record}/versions/1", base=1).status_code == 404
