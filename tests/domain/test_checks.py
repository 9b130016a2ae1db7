"""X4, X11: the machine's check of a case at its limits, and what a person says against it."""

from fractions import Fraction
from typing import Any

import pytest

from server.domain.cases.actions import Override, override_point
from server.domain.cases.checks import FACTS, Known, Point, x4_check, x11_statements
from server.domain.goods.facts import Answer, Line
from server.domain.goods.rules import x5_traced, x13_pieces
from server.errors import Problem
from server.people.principal import Role
from server.values import replace
from tests.company import Company
from tests.domain.disputes import Dispute
from tests.domain.records import POLICY, photo

PHOTOS = {"goods": ("p1",), "batch": ("p2",), "count_on_vehicle": ("p3",), "vehicle": ("p4",)}
LEAST = POLICY.cases.least_pieces


def known(*quantities: int, to: tuple[str, ...] = ("C-1",), **given: Any) -> Known:
    """Lines of so many pieces, each of its own batch, all of which went to each of ``to``."""
    lines = tuple(
        Line(product="Tea", quantity=quantity, unit="piece", batch=f"B{place}")
        for place, quantity in enumerate(quantities)
    )
    answers = [
        Answer(batch=str(line.batch), customer=customer, quantity=99, unit="piece")
        for line in lines
        for customer in to
    ]
    dealers = given.pop("dealers", {})
    traced = x5_traced(lines, answers, products={}, dealers=dealers)
    whole: dict[str, Any] = {
        "lines": lines,
        "traced": traced,
        "shares": x13_pieces(traced),
        "is_answered": True,
        "photos": PHOTOS,
        "statements": (),
        "unloaded": False,
        "is_inside": False,
        "is_confirmed": False,
        "permits": (),
        "licensed": (),
    }
    return Known(**{**whole, **given})


def point(name: str, of: Known) -> Point:
    """One point of the check."""
    return next(one for one in x4_check(of, LEAST) if one.point == name)


@pytest.mark.parametrize(("pieces", "result"), [(19, "no"), (20, "yes"), (21, "yes")])
def test_x4_below_twenty_pieces_of_one_source_the_quantity_is_not_reached(
    pieces: int, result: str
) -> None:
    assert point("pieces", known(pieces)).result == result
    assert point("pieces", known(pieces - 9, 9)).result == result


def test_x4_x13_pieces_of_two_sub_dealers_of_one_dealer_are_summed() -> None:
    apart = known(10, 10, to=("S-1", "S-2"))
    assert point("pieces", apart).result == "unknown"
    one = known(10, 10, to=("S-1", "S-2"), dealers={"S-1": "D", "S-2": "D"})
    assert (point("pieces", one).value, point("pieces", one).result) == ("20", "yes")
    assert point("sources", one).result == "yes"


def test_x4_a_batch_that_leads_to_two_dealers_identifies_no_source() -> None:
    two = known(40, to=("C-1", "C-2"))
    assert point("sources", two).result == "no"
    assert point("pieces", two).result == "unknown"


def test_x4_one_piece_counts_where_a_vehicle_unloaded_it_on_the_way() -> None:
    assert point("pieces", known(1, unloaded=True)).result == "yes"
    assert point("pieces", known(1, unloaded=True, photos={})).result == "no"


def test_x4_a_quantity_without_direct_proof_is_none() -> None:
    assert point("pieces", known(200, photos={"goods": ("p1",), "batch": ("p2",)})).result == "no"


@pytest.mark.parametrize(("pieces", "result"), [(19, "no"), (20, "unknown")])
def test_x4_x5_before_logistics_has_answered_the_check_says_what_can_be_said(
    pieces: int, result: str
) -> None:
    waiting = known(pieces, is_answered=False)
    assert point("pieces", waiting).result == result
    assert point("sources", waiting).result == "unknown"


def test_x4_a_quantity_that_the_table_cannot_convert_is_unknown() -> None:
    lines = (Line(product="Tea", quantity=2, unit="bag", batch="B0"),)
    answers = [Answer(batch="B0", customer="C-1", quantity=9, unit="bag")]
    traced = x5_traced(lines, answers, products={}, dealers={})
    told = known(1, lines=lines, traced=traced, shares=x13_pieces(traced))
    assert point("pieces", told).result == "unknown"
    assert traced[0].pieces is None


@pytest.mark.parametrize(
    ("batches", "result"), [(("B", "C"), "yes"), (("B", None), "unknown"), ((None, None), "no")]
)
def test_x4_a_case_without_batch_numbers_is_not_taken_in(
    batches: tuple[str | None, ...], result: str
) -> None:
    lines = tuple(Line(product="T", quantity=9, unit="piece", batch=batch) for batch in batches)
    assert point("batch_numbers", known(1, lines=lines)).result == result


def test_x11_each_key_fact_needs_direct_proof_from_the_closed_list() -> None:
    bare = known(20, photos={"price": ("p",), "person": ("p",), "other": ("p",)})
    assert {point(f"proof_{fact}", bare).result for fact in FACTS} == {"no"}
    paper = known(20, photos={"document": ("p5",)})
    assert {point(f"proof_{fact}", paper).proof for fact in FACTS} == {("p5",)}
    whole = known(20)
    assert point("proof_batch", whole).proof == ("p2",)
    assert point("proof_place", whole).proof == ("p4",)


def test_x11_the_complainants_own_statement_never_counts() -> None:
    parts = ("rep", "affected_dealer", "region_manager", "sales_manager", "customer", "witness")
    signatures = [{"signature": f"s-{part}", "part": part} for part in parts]
    assert x11_statements(signatures) == ("s-witness",)
    told = known(20, photos={}, statements=("s-witness",))
    assert point("proof_quantity", told).result == "yes"


def test_x4_whether_form_and_photos_match_is_for_a_person_to_see() -> None:
    assert point("photos_match", known(20)).result == "unknown"
    less = point("photos_match", known(20, photos={"goods": ("p1",)}))
    assert (less.result, less.value) == ("no", "batch count_on_vehicle")


@pytest.mark.parametrize(
    ("given", "name", "result"),
    [
        ({"permits": None}, "no_permit", "unknown"),
        ({"permits": ("r1",)}, "no_permit", "no"),
        ({"permits": ()}, "no_permit", "yes"),
        ({"licensed": None}, "not_licensed", "unknown"),
        ({"licensed": ("Tea",)}, "not_licensed", "no"),
        ({"licensed": ()}, "not_licensed", "yes"),
        ({"is_inside": None}, "competence", "unknown"),
        ({"is_inside": False}, "competence", "yes"),
        ({"is_inside": True}, "competence", "no"),
        ({"is_inside": True, "is_confirmed": True}, "competence", "yes"),
    ],
)
def test_x4_x12_k6_permits_licences_and_whose_case_it_is_are_shown(
    given: dict[str, Any], name: str, result: str
) -> None:
    assert point(name, known(20, **given)).result == result


def test_x4_pieces_are_exact_fractions() -> None:
    told = known(20)
    less = replace(told, shares=(replace(told.shares[0], pieces=Fraction(59, 3)),))
    assert point("pieces", less).value == "59/3"
    assert point("pieces", less).result == "unknown"  # the sum of all that may be its is 20


@pytest.fixture
def dispute(company: Company) -> Dispute:
    """A company with something to argue about."""
    return Dispute(company)


def results(dispute: Dispute, found: str) -> dict[str, str]:
    """Point → result, as the case has them."""
    return {one["point"]: one["result"] for one in dispute.data(found)["check_points"]}


def test_x4_the_check_stands_on_the_case_and_follows_its_facts_until_it_is_decided(
    dispute: Dispute,
) -> None:
    found = dispute.submitted(vehicle_unloading={"facts": "途中卸货"})
    dispute.look()
    assert results(dispute, found)["pieces"] == "no"
    shot = dispute.create(dispute.seller, "photo", **photo(parent=found, tag="count_on_vehicle"))
    dispute.look()
    (pieces,) = [one for one in dispute.data(found)["check_points"] if one["point"] == "pieces"]
    assert (pieces["result"], pieces["rule"], pieces["proof"]) == ("yes", "X4", [shot])
    dispute.take(dispute.officer, found, "accepted")
    stood = dispute.data(found)["check_points"]
    dispute.create(dispute.seller, "photo", **photo(parent=found, tag="batch"))
    dispute.look()
    assert dispute.data(found)["check_points"] == stood


def test_x4_a_person_says_otherwise_of_a_point_with_a_reason_until_the_intake_is_over(
    dispute: Dispute,
) -> None:
    found, officer, store = dispute.submitted(), dispute.officer, dispute.company.store
    sync = dispute.company.services.sync
    dispute.look()

    def say(by: Any = officer, reason: str = "照片清楚") -> int:
        base = dispute.record(found).version
        said = Override(case=found, base=base, point="photos_match", result="yes", reason=reason)
        return override_point(store, sync, by, said)

    with pytest.raises(Problem) as bare:
        say(reason="")
    assert bare.value.code == "validation"
    with pytest.raises(Problem) as stranger:
        say(dispute.reviewer(Role.GENERAL_MANAGER, None))
    assert stranger.value.code == "forbidden"
    say()
    (told,) = [one for one in dispute.data(found)["check_points"] if "override" in one]
    assert (told["point"], told["result"]) == ("photos_match", "no")
    assert told["override"] == {
        "point": "photos_match", "result": "yes", "reason": "照片清楚", "by": officer.user,
    }  # fmt: skip
    dispute.create(dispute.seller, "photo", **photo(parent=found, tag="batch"))
    dispute.look()
    assert [one for one in dispute.data(found)["check_points"] if "override" in one]
    dispute.take(officer, found, "accepted")
    with pytest.raises(Problem) as late:
        say(reason="照片不清楚")
    assert late.value.fields == {"overrides": "not_in_state"}


def test_x4_whose_market_a_case_is_about_is_asked_of_the_tree(dispute: Dispute) -> None:
    near = dispute.submitted(source_market="杭州")
    far = dispute.submitted(source_market="广州")
    dispute.look()
    assert results(dispute, near)["competence"] == "no"
    assert (dispute.state(near), dispute.state(far)) == ("region_submitted", "submitted")
    assert results(dispute, far)["competence"] == "yes"


def test_x11_who_signed_for_the_complainant_proves_nothing_as_a_witness() -> None:
    def signed(name: str, part: str, customer: str | None) -> dict[str, Any]:
        by = {"customer": customer} if customer else {}
        return {"signature": name, "part": part, **by}

    own, nobody = signed("a", "affected_dealer", "C"), signed("b", "affected_dealer", None)
    assert x11_statements([own, signed("w", "witness", "C")]) == ()
    assert x11_statements([own, nobody, signed("w", "witness", "D")]) == ("w",)
    assert x11_statements([nobody, signed("w", "witness", None)]) == ("w",)
    accused = signed("x", "accused_dealer", "C")
    assert x11_statements([own, accused], {"C"}) == ("x",)
    assert x11_statements([own, accused]) == ()
