"""The rules of the kinds, as pure functions of records and changes."""

import dataclasses
from typing import Any

import pytest

from server.api.kinds import describe_kinds
from server.casework.items import OpenItem
from server.casework.terms import open_item
from server.domain import all_kinds
from server.domain.positions import distance_m
from server.people.principal import Role
from server.sync.kinds import Author, Change, Data, Registry
from server.values import replace
from tests.domain.records import (
    CASE,
    CUSTOMER,
    ID,
    KINDS,
    OFFICER,
    PHOTO,
    POLICY,
    REP,
    SHANGHAI_TOWER,
    SIGNATURE,
    case,
    change,
    create,
    decision,
    patch,
    person,
    photo,
    receipt,
    signature,
    visit,
)

CASES = KINDS["cross_region_case"]
ALL_TAGS = list(POLICY.cases.required_tags)


def child(kind: str, data: dict[str, Any], record: str, **given: Any) -> Change:
    """A change of a record beneath the case, with what the server derives of it."""
    told = change(kind, data, record=record, **given)
    return replace(told, after={**data, **KINDS[kind].derive(told, None)})


def folded(record: Data, *children: Change) -> Data:
    """The case after its children, one by one, as the engine folds them."""
    for written in children:
        record = {**record, **CASES.fold(record, (written,))}
    return record


def signed(*parts: str) -> list[Change]:
    """Signatures in ``parts``."""
    return [
        child("signature", signature(part), ID.format(index + 4))
        for index, part in enumerate(parts)
    ]


def test_k1_a_new_customer_belongs_to_its_creator_and_the_creators_region() -> None:
    shop = create("customer", {"name": "好又多", "customer_type": "store"})
    assert (shop["owner"], shop["region"]) == ("rep-1", "shanghai")
    placed = KINDS["customer"].place
    assert placed is not None
    place = placed({**shop, "owner": "rep-2"}, Author(user="rep-1", home_region="shanghai"))
    assert place.scopes == {"user:rep-2", "region:shanghai"}
    assert place.region == "shanghai"


def test_k1_before_it_is_derived_the_place_is_the_creators_too() -> None:
    placed = KINDS["customer"].place
    assert placed is not None
    author = Author(user="rep-1", home_region="shanghai")
    assert placed({"name": "a"}, author).scopes == {"user:rep-1", "region:shanghai"}
    assert placed({"name": "a"}, replace(author, home_region=None)).scopes == {"user:rep-1"}


def test_k1_a_device_may_not_put_a_customer_into_a_foreign_region() -> None:
    check = KINDS["customer"].check
    foreign = {"name": "a", "region": "guangzhou"}
    assert check(change("customer", foreign), None) == {"region": "region"}
    assert check(change("customer", {**foreign, "region": "shanghai"}), None) == {}
    assert check(change("customer", {**foreign, "name": "b"}, before=foreign), None) == {}
    assert check(change("customer", foreign, by=OFFICER), None) == {}


def test_v3_the_distance_between_two_known_places_is_right() -> None:
    beijing, shanghai = {"lat": "39.9042", "lon": "116.4074"}, {"lat": "31.2304", "lon": "121.4737"}
    assert distance_m(beijing, shanghai) == pytest.approx(1_067_000, rel=0.005)
    assert distance_m(beijing, beijing) == 0


@pytest.mark.parametrize(
    ("position", "flags"),
    [
        (SHANGHAI_TOWER, []),
        ({**SHANGHAI_TOWER, "lat": "31.2379"}, []),
        ({**SHANGHAI_TOWER, "lat": "31.2381"}, ["far"]),
        ({**SHANGHAI_TOWER, "age_s": 300}, []),
        ({**SHANGHAI_TOWER, "age_s": 301}, ["stale_position"]),
        ({**SHANGHAI_TOWER, "mocked": True}, ["mocked"]),
        (
            {"lat": "0", "lon": "0", "age_s": 999, "mocked": True},
            ["far", "mocked", "stale_position"],
        ),
    ],
)
def test_v3_a_check_in_that_is_far_old_or_mocked_is_kept_and_flagged(
    position: dict[str, Any], flags: list[str]
) -> None:
    customer = {"name": "a", "position": SHANGHAI_TOWER}
    came = visit(check_in={"at": "2026-03-02T10:00:00+08:00", "position": position})
    assert KINDS["visit"].check(change("visit", came), customer) == {}
    assert create("visit", came, parent=customer)["flags"] == flags


def test_v3_a_customer_without_a_known_position_is_never_far() -> None:
    came = visit(check_in={"at": "2026-03-02T10:00:00+08:00", "position": SHANGHAI_TOWER})
    kept = create("visit", came, parent={"name": "a"})
    assert kept["flags"] == []
    assert "distance_m" not in kept


def test_v3_a_flag_once_given_stays_when_the_customer_is_measured_again() -> None:
    came = visit(check_in={"at": "2026-03-02T10:00:00+08:00", "position": SHANGHAI_TOWER})
    kept = create("visit", came, parent={"position": {"lat": "31.0", "lon": "121.5"}})
    assert kept["distance_m"] > 20_000
    later = patch("visit", kept, parent={"position": SHANGHAI_TOWER}, topics="价格")
    assert later["flags"] == ["far"]
    assert later["distance_m"] == kept["distance_m"]


def test_v3_nobody_checks_out_before_checking_in() -> None:
    at = {
        "check_in": {"at": "2026-03-02T10:00:00+08:00"},
        "check_out": {"at": "2026-03-02T01:59:00Z"},
    }
    check = KINDS["visit"].check
    assert check(change("visit", visit(**at)), None) == {"check_out": "order:check_in"}
    at["check_out"]["at"] = "2026-03-02T02:00:00Z"
    assert check(change("visit", visit(**at)), None) == {}


def test_v3_what_was_measured_at_the_door_is_frozen() -> None:
    fields = KINDS["visit"].fields
    assert {fields[name].rule for name in ("customer", "check_in", "check_out")} == {"frozen"}


def test_v9_the_score_counts_the_points_that_apply() -> None:
    asked = [("pop_inside", "pass"), ("own_rack", "fail"), ("together", "pass"), ("gift", "na")]
    answers = [{"item": item, "answer": answer} for item, answer in asked]
    checked = create("visit", visit(checklist={"version": 1, "answers": answers}))
    assert checked["checklist_score"] == 67
    none_apply = create("visit", visit(checklist={"version": 1, "answers": answers[3:]}))
    assert "checklist_score" not in none_apply


def test_v9_the_list_is_data_of_the_policy_and_its_codes_are_valid_answers() -> None:
    answers = [{"item": item, "answer": "pass"} for item in POLICY.visits.checklist]
    checklist = {"version": POLICY.visits.checklist_version, "answers": answers}
    assert KINDS["visit"].check_create(visit(checklist=checklist)) == {}
    assert all(" / " in words for words in POLICY.visits.checklist.values())
    told = describe_kinds(Registry(KINDS), POLICY)["policy"]
    assert (told["checklist_version"], told["checklist"]) == (1, POLICY.visits.checklist)


def test_v4_v5_a_visit_report_hangs_under_its_visit_and_waits_for_the_region_manager() -> None:
    kind = KINDS["visit_report"]
    assert kind.parent == "visit"
    report = create("visit_report", {"visit": CASE, "summary": "ok"})
    assert kind.waits(change("visit_report", report)) == (
        open_item(POLICY, POLICY.terms.v5_review, Role.REGION_MANAGER, "review"),
    )
    assert kind.fields["guidance"].writers == {"office"}


def test_x1_a_case_belongs_to_its_sender_and_the_affected_market() -> None:
    assert CASES.place is not None
    place = CASES.place(case(), Author(user="rep-1", home_region="hangzhou"))
    assert place.scopes == {"user:rep-1", "region:shanghai"}
    assert place.region == "shanghai"
    assert CASES.fields["affected_market"].rule == "frozen"


def test_x2_the_form_shows_which_tags_are_still_missing() -> None:
    record = create("cross_region_case", case())
    assert record["missing_tags"] == ALL_TAGS
    record = folded(record, child("photo", photo(tag="batch"), PHOTO))
    assert record["missing_tags"] == [tag for tag in ALL_TAGS if tag != "batch"]
    every = [child("photo", photo(tag=tag), ID.format(0)) for tag in ALL_TAGS]
    assert folded(record, *every)["missing_tags"] == []


def test_x2_a_tag_is_missing_again_when_its_last_photo_is_tagged_anew_or_withdrawn() -> None:
    first, second = (
        child("photo", photo(tag="batch"), PHOTO),
        child("photo", photo(tag="batch"), CASE),
    )
    record = folded(create("cross_region_case", case()), first, second)
    away = change("photo", photo(tag="goods"), before=first.after, record=PHOTO)
    record = folded(record, away)
    assert "batch" not in record["missing_tags"]
    gone = change("photo", second.after, before=second.after, record=CASE, withdrawn=True)
    record = folded(record, gone)
    assert "batch" in record["missing_tags"]
    assert "goods" not in record["missing_tags"]


def test_x2_a_photo_from_the_gallery_is_taken_and_flagged_on_photo_and_case() -> None:
    added = child("photo", photo(tag="goods", source="gallery"), PHOTO)
    assert added.after["flags"] == ["gallery"]
    assert KINDS["photo"].check(added, None) == {}
    record = folded(create("cross_region_case", case()), added)
    assert record["flags"] == ["gallery"]
    assert patch("cross_region_case", record, reason="x")["flags"] == ["gallery"]
    taken = child("photo", photo(tag="goods"), PHOTO)
    assert taken.after["flags"] == []


def test_x2_what_a_photo_says_of_its_bytes_is_frozen_and_its_state_is_the_servers() -> None:
    fields = KINDS["photo"].fields
    frozen = {"sha256", "bytes", "type", "source", "captured", "position", "parent"}
    assert {fields[name].rule for name in frozen} == {"frozen"}
    assert not any(fields[name].writers for name in ("state", "content", "exif", "flags"))
    assert create("photo", photo())["state"] == "declared"
    assert patch("photo", create("photo", photo()), state="verified")["state"] == "verified"


@pytest.mark.parametrize(
    ("parts", "state"),
    [
        ((), "unsigned"),
        (("affected_dealer",), "unsigned"),
        (("region_manager",), "unsigned"),
        (("rep", "witness", "customer"), "unsigned"),
        (("affected_dealer", "region_manager"), "submitted"),
        (("sales_manager", "affected_dealer"), "submitted"),
        (("accused_dealer", "region_manager"), "unsigned"),
        (("accused_dealer", "affected_dealer", "region_manager"), "submitted"),
    ],
)
def test_x3_a_case_is_submitted_by_the_signatures_that_the_policy_asks_for(
    parts: tuple[str, ...], state: str
) -> None:
    record = folded(create("cross_region_case", case()), *signed(*parts))
    assert record["state"] == state
    assert "accused_dealer" not in record["signed_by"]


def test_x3_the_accused_dealers_signature_never_counts_in_whatever_part() -> None:
    record = create("cross_region_case", case(accused_customer=CUSTOMER))
    mine = child("signature", signature("affected_dealer", customer=CUSTOMER), SIGNATURE)
    record = folded(record, mine, *signed("region_manager"))
    assert (record["state"], record["signed_by"]) == ("unsigned", ["region_manager"])


def test_x3_naming_the_signer_as_the_accused_before_submission_takes_the_signature_out() -> None:
    dealer = child("signature", signature("affected_dealer", customer=CUSTOMER), SIGNATURE)
    record = folded(create("cross_region_case", case()), dealer)
    assert record["signed_by"] == ["affected_dealer"]
    assert patch("cross_region_case", record, accused_customer=CUSTOMER)["signed_by"] == []


def test_x3_even_a_policy_cannot_let_the_accused_dealer_sign() -> None:
    bent = replace_cases(required_signatures=("accused_dealer",))
    record = {**case(), "state": "unsigned"}
    fold = bent["cross_region_case"].fold(record, tuple(signed("accused_dealer")))
    assert fold["state"] == "unsigned"


def replace_cases(**given: Any) -> Any:
    """The kinds under a policy whose cases differ."""
    from msgspec.structs import replace as replaced  # noqa: PLC0415

    policy = replaced(POLICY, cases=replaced(POLICY.cases, **given))
    return Registry.of(all_kinds(policy)).kinds


def test_x3_a_policy_without_signatures_takes_a_case_as_submitted() -> None:
    kind = replace_cases(required_signatures=())["cross_region_case"]
    assert kind.derive(change("cross_region_case", case()), None)["state"] == "submitted"


def test_x3_what_is_submitted_stays_submitted_when_a_signature_is_withdrawn() -> None:
    parts = signed("affected_dealer", "region_manager")
    record = folded(create("cross_region_case", case()), *parts)
    gone = replace(parts[0], before=parts[0].after, withdrawn=True)
    record = folded(record, gone)
    assert (record["state"], record["signed_by"]) == ("submitted", ["region_manager"])
    assert patch("cross_region_case", record, reason="补充")["state"] == "submitted"


def test_x3_a_managers_signature_sent_by_a_rep_is_flagged() -> None:
    assert create("signature", signature("region_manager"))["flags"] == ["not_the_role"]
    manager = person(Role.REGION_MANAGER)
    assert create("signature", signature("region_manager"), by=manager)["flags"] == []
    assert create("signature", signature("affected_dealer"))["flags"] == []


def test_x3_b1_an_unsigned_case_waits_for_its_region_and_starts_no_intake() -> None:
    record = create("cross_region_case", case())
    opened = CASES.waits(change("cross_region_case", record))
    assert opened == (open_item(POLICY, POLICY.terms.x3_unsigned, Role.REGION_MANAGER, "unsigned"),)
    done = folded(record, *signed("affected_dealer", "region_manager"))
    assert CASES.waits(change("cross_region_case", done, before=record)) == (
        open_item(POLICY, POLICY.terms.x4_intake, Role.MARKET_OFFICER, "intake"),
    )


def test_r1_a_receipt_has_exact_money_and_belongs_to_its_sender_at_home() -> None:
    kind = KINDS["receipt"]
    assert kind.check_create(receipt(amount="0.10")) == {}
    assert kind.check_create(receipt(amount="0.101")) == {"amount": "decimal"}
    assert kind.check_create(receipt(amount=1)) == {"amount": "type"}
    assert kind.place is not None
    place = kind.place(receipt(), Author(user="rep-1", home_region="shanghai"))
    assert place.scopes == {"user:rep-1", "region:shanghai"}
    assert create("receipt", receipt())["sender"] == "rep-1"


@pytest.mark.parametrize(("kind", "data"), [("visit", visit()), ("receipt", receipt())])
def test_b1_a_new_record_opens_an_item_once_and_a_decision_closes_it(
    kind: str, data: dict[str, Any]
) -> None:
    waits = KINDS[kind].waits
    record = create(kind, data)
    (opened,) = waits(change(kind, record))
    assert isinstance(opened, OpenItem)
    assert opened.role == Role.REGION_MANAGER
    touched = {**record, "note": "x"}
    assert waits(change(kind, touched, before=record)) is None
    decided = patch(kind, record, by=OFFICER, **decision("accepted"))
    assert waits(change(kind, decided, before=record)) == ()


def test_b1_a_withdrawn_record_waits_for_nobody() -> None:
    record = create("visit", visit())
    gone = change("visit", record, before=record, withdrawn=True)
    assert KINDS["visit"].waits(gone) == ()


def test_b1_what_was_returned_waits_again_when_its_device_mends_it() -> None:
    record = create("visit", visit())
    returned = patch("visit", record, by=OFFICER, **decision("returned"))
    assert returned["state"] == "returned"
    mended = patch("visit", returned, topics="价格")
    assert mended["state"] == "submitted"
    (opened,) = KINDS["visit"].waits(change("visit", mended, before=returned))
    assert isinstance(opened, OpenItem)
    again = patch("visit", mended, by=OFFICER, **decision("returned", "2026-03-03T09:00:00Z"))
    assert again["state"] == "returned"


def test_b1_an_edit_that_changes_nothing_does_not_open_what_was_returned() -> None:
    returned = patch("visit", create("visit", visit()), by=OFFICER, **decision("returned"))
    assert patch("visit", returned, purpose="routine") == returned


def test_b1_what_was_returned_for_a_missing_photo_waits_again_when_the_photo_comes() -> None:
    record = patch("visit", create("visit", visit()), by=OFFICER, **decision("returned"))
    fold = KINDS["visit"].fold
    fresh = change("photo", photo(), record=PHOTO)
    assert fold(record, (fresh,)) == {"state": "submitted"}
    bytes_came = change("photo", photo(state="verified"), before=photo(), record=PHOTO)
    assert fold(record, (bytes_came,)) == {}
    assert fold({**record, "state": "accepted"}, (fresh,)) == {}


@pytest.mark.parametrize(
    ("verdict", "state"), [("accepted", "submitted"), ("rejected", "rejected")]
)
def test_b2_what_a_device_changes_after_a_decision_never_passes_unseen(
    verdict: str, state: str
) -> None:
    record = patch("receipt", create("receipt", receipt()), by=OFFICER, **decision(verdict))
    assert record["flags"] == []
    raised = patch("receipt", record, amount="8650.00")
    assert (raised["state"], raised["flags"]) == (state, ["changed_after_decision"])
    assert patch("receipt", record, amount="86.50") == record


def test_x3_what_changes_after_the_signatures_is_flagged() -> None:
    record = create("cross_region_case", case())
    assert patch("cross_region_case", record, reason="x")["flags"] == []
    record = folded(record, *signed("affected_dealer", "region_manager"))
    assert patch("cross_region_case", record, reason="x")["flags"] == ["changed_after_signing"]


@pytest.mark.parametrize("verdict", ["accepted", "returned", "rejected"])
def test_b2_a_decision_needs_a_reason_a_name_and_a_time(verdict: str) -> None:
    record = create("receipt", receipt())
    check = KINDS["receipt"].check
    bare = {**record, "verdict": verdict}
    assert check(change("receipt", bare, before=record, by=OFFICER), None) == {
        "verdict_reason": "required",
        "decided_by": "required",
        "decided_at": "required",
    }
    whole = {**record, **decision(verdict)}
    assert check(change("receipt", whole, before=record, by=OFFICER), None) == {}


def test_b2_only_the_office_writes_a_decision() -> None:
    for kind in ("visit", "visit_report", "receipt", "cross_region_case"):
        for name in ("verdict", "verdict_reason", "decided_by", "decided_at", "guidance"):
            spec = KINDS[kind].fields[name]
            assert spec.writers == {"office"}
            assert (spec.rule, spec.owner) == ("authority", "office")


def test_b2_taking_a_decision_back_opens_the_record_again() -> None:
    record = create("receipt", receipt())
    decided = patch("receipt", record, by=OFFICER, **decision("rejected"))
    bare = {name: value for name, value in decided.items() if name not in decision("rejected")}
    undone = change("receipt", bare, before=decided, by=OFFICER)
    assert KINDS["receipt"].derive(undone, None)["state"] == "submitted"


def test_x3_b2_an_unsigned_case_cannot_be_decided() -> None:
    record = create("cross_region_case", case())
    early = change(
        "cross_region_case", {**record, **decision("accepted")}, before=record, by=OFFICER
    )
    assert CASES.check(early, None) == {"verdict": "unsigned"}


def test_the_sender_is_who_made_the_record_whoever_edits_it() -> None:
    record = create("cross_region_case", case(), by=REP)
    manager = dataclasses.replace(person(Role.REGION_MANAGER), user="manager-1")
    assert patch("cross_region_case", record, by=manager, reason="x")["sender"] == "rep-1"


@pytest.mark.parametrize("kind", ["product_fault", "faulty_goods_return", "incident"])
def test_f2_f4_f5_what_goes_on_by_its_evidence_says_under_which_policy(kind: str) -> None:
    shown = change("photo", photo(parent_kind=kind, parent=CASE), by=REP)
    sent_back = {"state": "returned", "policy_version": POLICY.version - 1}
    told = KINDS[kind].fold(sent_back, (shown,))
    assert told == {"state": "reported", "policy_version": POLICY.version}
    assert KINDS[kind].fold({**sent_back, **told}, (shown,)) == {"state": "reported"}
