"""X6: links below HTTP: who makes them, what comes by them, and what survives."""

from dataclasses import replace
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import select

from server.clock import from_wire
from server.domain.links import queries
from server.domain.links.tables import CaseLink
from server.errors import Problem
from server.people import rights
from server.people.principal import Principal, Role
from server.sync.queries import children, find_record, history
from server.sync.tables import ReusedMutation
from server.upkeep.verify import verify
from tests.company import Company, FixedClock
from tests.domain.desk import Desk
from tests.domain.records import signature
from tests.links import PHOTO, Dispute, declared, given, is_number
from tests.office import Office
from tests.stores import copy_of, put_back, start_again

on_sqlite = pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)


@pytest.fixture
def dispute(app: Flask, company: Company) -> Dispute:
    """A case and who deals with it."""
    return Dispute(Office(app, company))


def somebody(company: Company, role: Role, region: str | None) -> Principal:
    """Another person at a desk."""
    return rights.load_principal(company.store, company.user(role, region), device=None)


def test_x6_what_is_handed_in_stands_beneath_the_case_with_its_evidence(dispute: Dispute) -> None:
    made, store = dispute.make(), dispute.company.store
    received = dispute.hand_in(
        made, given("see the slips", declared(PHOTO), declared(PHOTO + b"2"))
    )
    [rebuttal] = children(store, dispute.case, "rebuttal")
    assert (rebuttal.id, rebuttal.data["text"]) == (received.record, "see the slips")
    assert rebuttal.data["number"] == received.number
    assert is_number(received.number)
    photos = children(store, rebuttal.id, "photo")
    assert {photo.id for photo in photos} == set(received.photos.values())
    assert rebuttal.creator == photos[0].creator == dispute.link(made).guest
    [version] = history(store, rebuttal.id)
    assert (version.user, version.writer, version.seal) == (rebuttal.creator, "guest", "unsealed")


def test_p2_x6_the_same_hand_in_sent_again_changes_nothing(
    dispute: Dispute, clock: FixedClock
) -> None:
    made, what = dispute.make(), given("words", declared(PHOTO))
    first = dispute.hand_in(made, what)
    clock.advance(hours=30)
    assert dispute.hand_in(made, what) == first
    [known] = queries.links_about(dispute.company.store, dispute.case)
    assert [one.number for one in known.handed_in] == [first.number]


@on_sqlite
def test_p6_x6_other_content_under_a_known_id_is_refused_and_kept(dispute: Dispute) -> None:
    made, what = dispute.make(), given("first")
    first = dispute.hand_in(made, what)
    with pytest.raises(Problem, match="mutation_reused"):
        dispute.hand_in(made, replace(what, text="second"))
    store = dispute.company.store
    standing = find_record(store, first.record)
    assert standing is not None
    assert standing.data["text"] == "first"
    assert "second" in store.scalars(select(ReusedMutation.body)).one()


@on_sqlite
@pytest.mark.parametrize(("seconds", "taken"), [(-1, True), (0, True), (1, False)])
def test_x6_twenty_four_hours_are_counted_to_the_second(
    dispute: Dispute, clock: FixedClock, seconds: int, taken: bool
) -> None:
    made = dispute.make(hours=24)
    clock.advance(hours=24, seconds=seconds)
    if taken:
        received = dispute.hand_in(made, given())
        assert from_wire(received.at) <= dispute.link(made).expires_at
        return
    with pytest.raises(Problem, match="link_over"):
        dispute.hand_in(made, given())
    assert children(dispute.company.store, dispute.case, "rebuttal") == []


@on_sqlite
def test_x6_the_term_of_a_link_runs_from_the_recorded_notice(
    dispute: Dispute, clock: FixedClock
) -> None:
    desk, officer = Desk(dispute.company), dispute.officer
    for part in ("affected_dealer", "region_manager"):
        dispute.rep.create("signature", **signature(part, parent=dispute.case))
    desk.decide(officer, dispute.case, "accepted")
    made = dispute.make()
    clock.advance(minutes=20)
    desk.decide(officer, dispute.case, "notified")
    due = clock.now() + timedelta(hours=24)
    clock.advance(hours=3)
    later = dispute.make()
    assert dispute.link(made).expires_at == dispute.link(later).expires_at == due
    clock.advance(hours=20, minutes=59)
    dispute.hand_in(made, given("a", declared(PHOTO)))
    assert desk.data(dispute.case)["state"] == "rebuttal"  # the bytes have not come
    assert dispute.link(made).expires_at == due
    clock.advance(minutes=1, seconds=1)
    for over in (made, later):
        with pytest.raises(Problem, match="link_over"):
            dispute.hand_in(over, given())


@on_sqlite
def test_x6_a_revoked_link_takes_nothing_and_loses_nothing(dispute: Dispute) -> None:
    made = dispute.make()
    dispute.hand_in(made, given("in time"))
    dispute.revoke(made)
    with pytest.raises(Problem, match="link_over"):
        dispute.hand_in(made, given("after"))
    [known] = queries.links_about(dispute.company.store, dispute.case)
    assert known.link.revoked_at is not None
    assert len(known.handed_in) == 1


@on_sqlite
def test_x6_a_link_is_made_by_a_role_where_it_reaches(dispute: Dispute) -> None:
    company = dispute.company
    dispute.make(by=somebody(company, Role.REGION_MANAGER, "east"))
    strangers = [
        (somebody(company, Role.REGION_MANAGER, "south"), "not_found"),
        (somebody(company, Role.MARKET_INSPECTOR, None), "forbidden"),
        (somebody(company, Role.FINANCE_OFFICER, None), "not_found"),
    ]
    for stranger, code in strangers:
        with pytest.raises(Problem, match=code):
            dispute.make(by=stranger)
    with pytest.raises(Problem, match="not_found"):
        dispute.make(record=company.services.ids.new())
    with pytest.raises(Problem, match="not_found"):
        dispute.make(purpose="anything")
    with pytest.raises(Problem, match="validation"):
        dispute.make(hours=-1)


@on_sqlite
def test_p9_x6_a_clock_that_is_wrong_by_centuries_keeps_nobody_from_handing_in(
    dispute: Dispute,
) -> None:
    made, store = dispute.make(), dispute.company.store
    moments = ["2026-03-02T09:00:00.000Z", "2226-03-02T09:00:00.000Z", "+275760-09-13T00:00:00Z"]
    photos = (declared(bytes([place]), captured=at) for place, at in enumerate(moments))
    received = dispute.hand_in(made, given("a", *photos))
    told = [photo.data.get("captured") for photo in children(store, received.record, "photo")]
    assert sorted(told, key=str) == [moments[0], None, None]


@on_sqlite
def test_x6_only_the_hash_of_a_token_is_stored(dispute: Dispute) -> None:
    made = dispute.make()
    row = dispute.company.store.scalars(select(CaseLink)).one()
    assert made.token not in str(vars(row))
    assert len(made.token) * 6 >= 128


@on_sqlite
def test_x6_a_wrong_photo_leaves_no_half_of_a_hand_in(dispute: Dispute) -> None:
    made, store = dispute.make(), dispute.company.store
    wrong = [
        given("a", declared(PHOTO, sha256="no")),
        given("a", declared(PHOTO, type="image")),
        given("a", declared(PHOTO, bytes=31 * 1024 * 1024)),
        given("a", *(declared(PHOTO) for _ in range(41))),
        given(" "),
        given("a", id="1"),
        given("x" * 4001),
    ]
    for one in wrong:
        with pytest.raises(Problem, match="validation"):
            dispute.hand_in(made, one)
    assert children(store, dispute.case, "rebuttal") == []


@on_sqlite
def test_x6_a_guest_cannot_write_to_a_record_by_naming_it(dispute: Dispute) -> None:
    made, store = dispute.make(), dispute.company.store
    photo = dispute.rep.photo(dispute.case, "cross_region_case", PHOTO, tag="goods")
    before, stood = history(store, photo), history(store, dispute.case)
    dispute.hand_in(made, given("a", declared(b"mine", id=photo), id=dispute.case))
    came = history(store, dispute.case)[len(stood) :]
    assert history(store, photo) == before
    assert [set(version.changed) for version in came] == [{"rebuttals"}]


@on_sqlite
def test_p6_x6_a_store_put_back_has_the_link_and_what_came_by_it(
    app: Flask, dispute: Dispute, clock: FixedClock
) -> None:
    copy = copy_of(app, "before.sqlite")
    made = dispute.make()
    received = dispute.hand_in(made, given("words", declared(PHOTO)))
    put_back(app, copy)
    start_again(app)
    store = dispute.company.store
    assert dispute.link(made).expires_at == clock.now() + timedelta(hours=24)
    [rebuttal] = children(store, dispute.case, "rebuttal")
    assert (rebuttal.id, rebuttal.data["number"]) == (received.record, received.number)
    services = dispute.company.services
    assert list(verify(store, services.sync, services.media)) == []
    assert {one.id for one in children(store, rebuttal.id, "photo")} == {*received.photos.values()}
