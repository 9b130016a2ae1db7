"""Push over HTTP: outcomes, replays, what is kept and what is hidden. Both databases."""

import hashlib
import json

import pytest
from flask.testing import FlaskClient
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from server.sync.tables import Feed, MutationRow, Record, RecordVersion
from tests.company import Company
from tests.phone import Phone, canonical, customer, new_id


@pytest.fixture
def phone(client: FlaskClient, company: Company) -> Phone:
    """A rep's phone in Shanghai."""
    return Phone(client, company.rep())


def count(store: Session, table: type) -> int:
    """Rows in a table."""
    store.rollback()
    return store.execute(select(func.count()).select_from(table)).scalar_one()


def test_p1_versions_of_a_record_are_numbered_by_the_server(phone: Phone) -> None:
    made = phone.create("customer", customer())
    first, second = phone.push(made, phone.patch(made, 1, {"phone": "021-1"}))
    assert (first["outcome"], first["version"]) == ("applied", 1)
    assert (second["outcome"], second["version"]) == ("applied", 2)


def test_p2_a_repeated_push_changes_nothing_and_says_the_same(phone: Phone, store: Session) -> None:
    made = phone.create("customer", customer())
    batch = (made, phone.patch(made, 1, {"phone": "021-1"}))
    first = phone.push(*batch)
    before = count(store, RecordVersion), count(store, Feed), count(store, MutationRow)
    again = phone.push(*batch)
    assert (count(store, RecordVersion), count(store, Feed), count(store, MutationRow)) == before
    assert all(result["replay"] for result in again)
    now = {"data": 0, "data_version": 0, "hash": 0}
    for one, two in zip(first, again, strict=True):
        assert one | now | {"replay": True} == two | now


def test_p2_the_same_mutation_twice_in_one_batch_has_one_effect(
    phone: Phone, store: Session
) -> None:
    made = phone.create("customer", customer())
    first, again = phone.push(made, made)
    assert (first["outcome"], again["outcome"], again["replay"]) == ("applied", "applied", True)
    assert count(store, RecordVersion) == 1


def test_p2_other_content_under_a_known_id_is_refused_and_kept(
    phone: Phone, store: Session
) -> None:
    made = phone.create("customer", customer())
    phone.push(made)
    forged = {**made, "set": customer(name="别的名字")}
    [result] = phone.push(forged)
    assert (result["outcome"], result["problem"]["code"]) == ("rejected", "mutation_reused")
    store.rollback()
    record = store.execute(select(Record.data)).scalar_one()
    assert json.loads(record)["name"] == "红星商店"


def test_p3_everything_answered_as_applied_is_stored_and_in_the_feed(
    phone: Phone, store: Session
) -> None:
    batch = [phone.create("customer", customer(name=f"店 {n}")) for n in range(20)]
    results = phone.push(*batch)
    assert {result["outcome"] for result in results} == {"applied"}
    held = {item["record"]: item for item in phone.pull_all(limit=7)}
    assert set(held) == {made["record"] for made in batch}
    assert [held[made["record"]]["data"]["name"] for made in batch] == [
        made["set"]["name"] for made in batch
    ]


def test_p6_two_devices_editing_one_field_make_a_conflict_that_keeps_both_values(
    phone: Phone, client: FlaskClient, company: Company
) -> None:
    made = phone.create("customer", customer())
    phone.push(made)
    manager = Phone(client, company.manager())
    [theirs] = manager.push(manager.patch(made, 1, {"address": "人民路 1 号"}))
    assert theirs["outcome"] == "applied"
    [mine] = phone.push(phone.patch(made, 1, {"address": "人民路 2 号", "phone": "021-2"}))
    assert mine["outcome"] == "conflict"
    assert mine["data"]["address"] == "人民路 1 号"
    assert mine["data"]["phone"] == "021-2"
    items = {item["record"]: item for item in phone.pull_all()}
    assert mine["hash"] == items[made["record"]]["hash"]
    conflict = items[mine["conflicts"][0]]["data"]
    assert conflict["lost"] == {"address": "人民路 2 号"}
    assert conflict["kept"] == {"address": "人民路 1 号"}


def test_p6_edits_of_different_fields_merge_without_a_conflict(
    phone: Phone, client: FlaskClient, company: Company
) -> None:
    made = phone.create("customer", customer())
    phone.push(made)
    manager = Phone(client, company.manager())
    manager.push(manager.patch(made, 1, {"address": "人民路 1 号"}))
    [mine] = phone.push(phone.patch(made, 1, {"phone": "021-2"}))
    assert (mine["outcome"], mine["version"], mine["fields"]) == ("merged", 3, ["address"])
    assert mine["data"]["address"] == "人民路 1 号"


def test_p6_a_refused_mutation_is_parked_where_its_sender_sees_it(phone: Phone) -> None:
    bad = phone.create("customer", {"name": "无类型"})
    good = phone.create("customer", customer())
    refused, taken = phone.push(bad, good)
    assert refused["outcome"] == "rejected"
    assert refused["problem"]["code"] == "validation"
    assert refused["problem"]["fields"] == {"customer_type": "is needed"}
    assert taken["outcome"] == "applied"  # P8
    parked = {item["record"]: item for item in phone.pull_all()}[refused["parked"]]
    assert refused["parked"] == bad["id"]
    assert parked["data"]["set"] == {"name": "无类型"}


def test_p5_anothers_record_answers_like_an_unknown_one(
    phone: Phone, client: FlaskClient, company: Company
) -> None:
    other = Phone(client, company.rep("guangzhou"))
    theirs = other.create("customer", customer())
    other.push(theirs)
    [foreign] = phone.push(phone.patch(theirs, 1, {"phone": "1"}))
    [unknown] = phone.push(phone.patch({**theirs, "record": new_id()}, 1, {"phone": "1"}))
    assert foreign["outcome"] == unknown["outcome"] == "waiting"
    assert set(foreign) == set(unknown)


def test_p5_a_create_with_a_foreign_record_id_is_refused_without_a_word_about_it(
    phone: Phone, client: FlaskClient, company: Company
) -> None:
    other = Phone(client, company.rep("guangzhou"))
    theirs = other.create("customer", customer(name="秘密"))
    other.push(theirs)
    mine = phone.seal({**_about(theirs), "action": "create", "base": 0, "set": customer()})
    [result] = phone.push(mine)
    assert (result["outcome"], result["problem"]["code"]) == ("rejected", "id_taken")
    assert "秘密" not in json.dumps(result, ensure_ascii=False)


def _about(made: dict[str, object]) -> dict[str, object]:
    return {"kind": made["kind"], "record": made["record"]}


def test_p8_an_unknown_kind_waits_visibly_and_blocks_nothing(phone: Phone) -> None:
    strange = phone.create("weather_report", {"rain": 3})
    made = phone.create("customer", customer())
    first, second = phone.push(strange, made)
    assert (first["outcome"], first["for"]) == ("waiting", ["kind:weather_report"])
    assert second["outcome"] == "applied"


def test_p8_a_visit_waits_for_its_customer_and_is_taken_once_it_is_there(phone: Phone) -> None:
    made = phone.create("customer", customer())
    visit = phone.create("visit", {"customer": made["record"], "purpose": "routine"})
    [early] = phone.push(visit)
    assert (early["outcome"], early["for"]) == ("waiting", [made["record"]])
    phone.push(made)
    [late] = phone.push(visit)
    assert (late["outcome"], late["version"]) == ("applied", 1)


def test_p9_a_device_clock_orders_nothing(phone: Phone) -> None:
    made = phone.create("customer", customer(), captured={"wall": "2099-01-01T00:00:00+08:00"})
    early = {"wall": "1999-01-01T00:00:00+08:00"}
    phone.push(made)
    [later] = phone.push(phone.patch(made, 1, {"phone": "2"}, captured=early))
    assert (later["outcome"], later["version"]) == ("applied", 2)


def test_p6_unknown_fields_are_kept_under_extra(phone: Phone) -> None:
    made = phone.create("customer", customer(favourite_colour="red"))
    [result] = phone.push(made)
    assert result["outcome"] == "applied"
    [item] = phone.pull_all()
    assert item["data"]["extra"] == {"favourite_colour": "red"}


def test_a_field_of_the_office_is_refused_from_a_device(phone: Phone) -> None:
    made = phone.create("customer", customer(owner=new_id()))
    [result] = phone.push(made)
    assert result["problem"]["code"] == "field_owner"
    assert result["problem"]["fields"] == {"owner": "is written by the office"}


def test_a_problem_is_said_in_the_language_asked_for(phone: Phone) -> None:
    made = phone.create("customer", {"name": "无类型"})
    response = phone.send(made, language="zh-CN")
    problem = response.get_json()["results"][0]["problem"]
    assert problem["title"] == "内容有误。"
    assert problem["fields"] == {"customer_type": "必填"}


def test_the_seal_is_judged_and_refuses_nothing(phone: Phone, store: Session) -> None:
    sound = [phone.create("customer", customer()) for _ in range(3)]
    phone.push(sound[0], sound[1])
    phone.push(sound[2])
    bent = phone.create("customer", customer())
    bent["seal"] = {**bent["seal"], "sig": "A" * 86}
    [result] = phone.push(bent)
    assert result["outcome"] == "applied"
    later = [phone.create("customer", customer()) for _ in range(2)]
    phone.push(later[1])
    store.rollback()
    rows = store.execute(select(MutationRow.n, MutationRow.seal).order_by(MutationRow.n))
    assert dict(rows.all()) == {
        1: "chained", 2: "chained", 3: "chained", 4: "broken", 6: "gap",
    }  # fmt: skip


def test_the_sealed_bytes_are_stored_as_they_were_sealed(phone: Phone, store: Session) -> None:
    made = phone.create("customer", customer(name="שּׁ😀"))
    phone.push(made)
    store.rollback()
    row = store.execute(select(MutationRow)).scalar_one()
    sealed = canonical({name: value for name, value in made.items() if name != "seal"})
    assert row.body.encode() == sealed
    assert row.content == hashlib.sha256(sealed).hexdigest()
    assert row.digest == phone.prev


def test_the_fate_of_a_mutation_is_told_to_its_sender_only(
    phone: Phone, client: FlaskClient, company: Company
) -> None:
    made = phone.create("customer", customer())
    [result] = phone.push(made)
    path = f"/v1/sync/mutations/{made['id']}"
    fate = client.get(path, headers=phone.device.headers).get_json()
    assert (fate["outcome"], fate["ack"]) == ("applied", result["ack"])
    assert fate["mutation"]["set"] == made["set"]
    other = company.rep()
    assert client.get(path, headers=other.headers).status_code == 404


def test_withdrawing_keeps_the_record_and_an_edit_of_it_becomes_a_conflict(
    phone: Phone, client: FlaskClient, company: Company
) -> None:
    made = phone.create("customer", customer())
    phone.push(made)
    [gone] = phone.push(phone.withdraw(made, 1))
    assert (gone["outcome"], gone["version"]) == ("applied", 2)
    manager = Phone(client, company.manager())
    [edit] = manager.push(manager.patch(made, 1, {"phone": "3"}))
    assert edit["outcome"] == "conflict"
    [item] = [item for item in manager.pull_all() if item["record"] == made["record"]]
    assert item["item"] == "withdrawn"
