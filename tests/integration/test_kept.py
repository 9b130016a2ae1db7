"""P6: what lost or was refused can be resolved, restored, corrected. Both databases."""

from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.company import Company
from tests.phone import Phone, customer


@pytest.fixture
def phone(client: FlaskClient, company: Company) -> Phone:
    """A rep's phone in Shanghai."""
    return Phone(client, company.rep())


@pytest.fixture
def manager(client: FlaskClient, company: Company) -> Phone:
    """A region manager's phone in the East."""
    return Phone(client, company.manager())


def held(phone: Phone, record: str) -> dict[str, Any]:
    """The record as the device gets it."""
    [item] = [item for item in phone.pull_all() if item["record"] == record]
    return dict(item)


def quarrel(phone: Phone, manager: Phone) -> tuple[dict[str, Any], dict[str, Any]]:
    """A record, and the result of an edit whose value lost."""
    made = phone.create("customer", customer())
    phone.push(made)
    manager.push(manager.patch(made, 1, {"address": "人民路 1 号"}))
    [lost] = phone.push(phone.patch(made, 1, {"address": "人民路 2 号"}))
    return made, lost


def test_p6_a_lost_value_is_restored_by_one_mutation(phone: Phone, manager: Phone) -> None:
    made, lost = quarrel(phone, manager)
    [conflict] = lost["conflicts"]
    again = phone.patch(
        made, lost["data_version"], {"address": "人民路 2 号"}, restores={"conflict": conflict}
    )
    [result] = phone.push(again)
    assert result["outcome"] == "applied"
    assert held(phone, made["record"])["data"]["address"] == "人民路 2 号"
    settled = held(phone, conflict)["data"]
    assert (settled["state"], settled["settled_by"]) == ("resolved", again["id"])


def test_p6_a_base_that_this_store_never_had_has_seen_nothing(phone: Phone, manager: Phone) -> None:
    made = phone.create("customer", customer())
    phone.push(made)
    manager.push(manager.patch(made, 1, {"address": "人民路 1 号"}))
    [told] = phone.push(phone.patch(made, 6, {"address": "人民路 2 号"}))
    assert told["outcome"] == "conflict"
    assert held(phone, made["record"])["data"]["address"] == "人民路 1 号"


def test_p6_a_conflict_is_resolved_by_whoever_may_write_its_record(
    phone: Phone, manager: Phone
) -> None:
    made, lost = quarrel(phone, manager)
    values = {"address": "人民路 12 号"}
    [result] = manager.push(
        manager.patch(made, lost["data_version"], values, resolves=lost["conflicts"])
    )
    assert result["outcome"] == "applied"
    assert held(manager, lost["conflicts"][0])["data"]["state"] == "resolved"


def test_p6_a_resolution_that_loses_again_leaves_the_conflict_open(
    phone: Phone, manager: Phone
) -> None:
    made, lost = quarrel(phone, manager)
    manager.push(manager.patch(made, lost["data_version"], {"address": "人民路 3 号"}))
    old = phone.patch(
        made, lost["data_version"], {"address": "人民路 2 号"}, resolves=lost["conflicts"]
    )
    [result] = phone.push(old)
    assert result["outcome"] == "conflict"
    assert held(phone, lost["conflicts"][0])["data"]["state"] == "open"


def test_p6_a_refused_mutation_is_corrected_and_sent_again(phone: Phone) -> None:
    bad = phone.create("customer", {"name": "无类型"})
    phone.push(bad)
    about = {"action": "create", "kind": "customer", "record": bad["record"], "base": 0}
    mended = phone.seal({**about, "set": customer(), "restores": {"parked": bad["id"]}})
    [result] = phone.push(mended)
    assert (result["outcome"], result["version"]) == ("applied", 1)
    assert held(phone, bad["id"])["data"]["state"] == "restored"
    [replay] = phone.push(bad)
    assert (replay["outcome"], replay["replay"]) == ("rejected", True)


def test_p6_what_builds_on_a_refused_create_is_parked_under_it(phone: Phone) -> None:
    bad = phone.create("customer", {"name": "无类型"})
    edit = phone.patch(bad, 1, {"phone": "5"})
    visit = phone.create("visit", {"customer": bad["record"], "purpose": "routine"})
    phone.push(bad)
    results = phone.push(edit, visit)
    assert [r["problem"]["code"] for r in results] == ["depends_on_rejected"] * 2
    assert held(phone, edit["id"])["data"]["under"] == bad["id"]


def test_p6_what_waited_for_a_create_that_is_refused_is_parked_with_it(phone: Phone) -> None:
    bad = phone.create("customer", {"name": "无类型"})
    visit = phone.create("visit", {"customer": bad["record"], "purpose": "routine"})
    assert phone.push(visit)[0]["outcome"] == "waiting"
    phone.push(bad)
    assert held(phone, visit["id"])["data"]["code"] == "depends_on_rejected"


def test_p8_what_comes_late_is_told_at_once_that_its_create_was_refused(phone: Phone) -> None:
    bad = phone.create("customer", {"name": "无类型"})
    phone.push(bad)
    visit = phone.create("visit", {"customer": bad["record"], "purpose": "routine"})
    [again, told] = phone.push(bad, visit)  # a device sends all of it once more after a restore
    assert (again["outcome"], again["replay"]) == ("rejected", True)
    assert told["problem"]["code"] == "depends_on_rejected"
    assert held(phone, visit["id"])["data"]["under"] == bad["id"]


def test_p8_what_waits_is_told_of_its_refused_create_also_where_another_tries_it_in_vain(
    phone: Phone, manager: Phone
) -> None:
    bad = phone.create("customer", {"name": "无类型"})
    visit = phone.create("visit", {"customer": bad["record"], "purpose": "routine"})
    about = {"action": "create", "kind": "customer", "record": bad["record"], "base": 0}
    behind = phone.create("visit", {"customer": bad["record"], "purpose": "sale"})
    mended = phone.seal({**about, "set": customer(), "after": behind["id"]})
    phone.push(bad)
    assert [one["outcome"] for one in phone.push(visit, mended)] == ["waiting", "waiting"]
    manager.push(manager.seal({**about, "set": {"name": "无类型"}}))
    assert held(phone, visit["id"])["data"]["code"] == "depends_on_rejected"


def test_p6_a_manager_dismisses_what_was_parked_and_nobody_else(
    phone: Phone, manager: Phone
) -> None:
    bad = phone.create("customer", {"name": "无类型"})
    phone.push(bad)
    about = {"kind": "parked", "record": bad["id"]}
    [refused] = phone.push(phone.patch(about, 1, {"state": "dismissed"}))
    assert refused["problem"]["code"] == "validation"
    [taken] = manager.push(manager.patch(about, 1, {"state": "dismissed"}))
    assert taken["outcome"] == "applied"
    [late] = phone.push(phone.patch(about, 2, {"set": {"name": "x"}}))
    assert late["problem"]["code"] == "field_owner"


def test_p6_the_kinds_that_keep_take_no_create_from_outside(phone: Phone) -> None:
    for kind in ("conflict", "parked"):
        [result] = phone.push(phone.create(kind, {}))
        assert (result["outcome"], result["problem"]["code"]) == ("rejected", "forbidden")
