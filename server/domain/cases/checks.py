"""X4: the machine's check of a case, point by point. A person decides. Pure."""

from collections.abc import Collection, Iterable, Mapping
from fractions import Fraction
from typing import Any, Literal

from server.domain.goods.facts import Line, Share, Traced
from server.sync.kinds import Data
from server.values import Value

Result = Literal["yes", "no", "unknown"]

RESULTS = {
    "yes": ("✓ 符合", "✓ Yes"),
    "no": ("✗ 不符合", "✗ No"),
    "unknown": ("? 待查", "? Unknown"),
}
"""Whether a point speaks for taking the case in."""
POINTS = {
    "batch_numbers": ("有批号", "There are batch numbers"),
    "sources": ("批号可确定货源", "The batches identify a source"),
    "pieces": ("数量达到标准", "The quantity is reached"),
    "proof_goods": ("货物有直接证据", "Direct proof of the goods"),
    "proof_batch": ("批号有直接证据", "Direct proof of the batch"),
    "proof_quantity": ("数量有直接证据", "Direct proof of the quantity"),
    "proof_place": ("地点有直接证据", "Direct proof of the place"),
    "photos_match": ("表单与照片一致", "The form matches the photos"),
    "no_permit": ("无跨区备案", "No permit covers it"),
    "not_licensed": ("无当地授权", "No licence for this market"),
    "competence": ("归市场部受理", "It is the market department's"),
}
FACTS: Mapping[str, frozenset[str]] = {
    "goods": frozenset({"goods"}),
    "batch": frozenset({"batch"}),
    "quantity": frozenset({"count_on_vehicle", "storage_place"}),
    "place": frozenset({"vehicle", "storage_place"}),
}
"""X11: key fact → tags of the photos and videos that prove it directly."""
PAPER = "document"
"""X11: the tag of papers, which may prove every fact."""
DIRECT_SIGNERS = frozenset({"accused_dealer", "witness"})
"""X11: whose signed statement counts; the complainant's side is never among them."""
COMPLAINANT = "affected_dealer"
MATCHED = ("goods", "batch", "count_on_vehicle")
"""X4: what a photo must show before a person can hold the form against it."""


class Point(Value, frozen=True):
    """One point of the check."""

    point: str
    rule: str
    result: Result
    value: str = ""
    proof: tuple[str, ...] = ()


class Known(Value, frozen=True):
    """All that the check looks at."""

    lines: tuple[Line, ...]
    traced: tuple[Traced, ...]
    shares: tuple[Share, ...]
    is_answered: bool
    """Whether logistics has answered every trace."""
    photos: Mapping[str, tuple[str, ...]]
    """Tag → the standing photos and files that show it."""
    statements: tuple[str, ...]
    """X11: signed statements that count."""
    unloaded: bool
    """Whether a vehicle for one region's customer unloaded on the way."""
    is_inside: bool | None
    is_confirmed: bool
    permits: tuple[str, ...] | None
    """X12: those that cover the find; None: nobody is accused yet."""
    licensed: tuple[str, ...] | None
    """K6: products found that the accused may sell there; None: nobody is accused yet."""
    codes: Mapping[str, str] = {}
    """What a line calls a product → its code, where the table has it."""


def x11_statements(signatures: Iterable[Data], accused: Collection[str] = ()) -> tuple[str, ...]:
    """X11: the signed statements of direct participants and witnesses, and nobody else's.

    Who signed for the complainant's side is of that side, in whatever part it signs again.
    """
    standing = list(signatures)
    own = {one.get("customer") for one in standing if one["part"] == COMPLAINANT} - {None, *accused}
    return tuple(
        one["signature"]
        for one in standing
        if one["part"] in DIRECT_SIGNERS and one.get("customer") not in own
    )


def x11_proof(known: Known, fact: str) -> tuple[str, ...]:
    """X11: what proves ``fact`` directly: photos and videos of it, papers, signed statements."""
    tags = sorted({*FACTS[fact], PAPER})
    shown = [photo for tag in tags for photo in known.photos.get(tag, ())]
    return (*shown, *known.statements)


def x4_check(known: Known, least: int) -> tuple[Point, ...]:
    """X4: every point, in the order in which a form shows them; ``least`` in pieces."""
    return (
        _batch_numbers(known),
        _sources(known),
        x4_pieces(known, least),
        *(_proof(known, fact) for fact in FACTS),
        _photos_match(known),
        _permit(known),
        _licence(known),
        _competence(known),
    )


def _share_of(some: int, many: int) -> Result:
    return "yes" if some == many else "unknown" if some else "no"


def _batch_numbers(known: Known) -> Point:
    named = sum(1 for line in known.lines if line.batch)
    value = f"{named}/{len(known.lines)}"
    return Point(
        point="batch_numbers", rule="X4", value=value, result=_share_of(named, len(known.lines))
    )


def _sources(known: Known) -> Point:
    found = sum(1 for one in known.traced if one.source is not None)
    result = _share_of(found, len(known.traced)) if known.is_answered else "unknown"
    return Point(point="sources", rule="X4", value=f"{found}/{len(known.traced)}", result=result)


def x4_pieces(known: Known, least: int) -> Point:
    """X4: enough pieces of one source, directly proven; unloaded on the way, any quantity."""
    proof = x11_proof(known, "quantity")
    if known.unloaded:
        value, result = "unloaded", _when_proven(proof, "yes")
    else:
        value, enough = _most(known, least)
        result = _when_proven(proof, enough)
    return Point(point="pieces", rule="X4", value=value, proof=proof, result=result)


def _when_proven(proof: tuple[str, ...], result: Result) -> Result:
    return result if proof else "no"


def _most(known: Known, least: int) -> tuple[str, Result]:
    """The most pieces that lead to one dealer (X13), and whether they are enough."""
    if not known.is_answered or not known.shares:
        counted = [one.pieces for one in known.traced]
        total = sum((pieces for pieces in counted if pieces is not None), Fraction(0))
        is_less = total < least and None not in counted
        return str(total), "no" if is_less else "unknown"
    if known.shares[0].pieces >= least:
        return str(known.shares[0].pieces), "yes"
    may_be = any(one.possible >= least or one.unconverted_lines for one in known.shares)
    return str(known.shares[0].pieces), "unknown" if may_be else "no"


def _proof(known: Known, fact: str) -> Point:
    proof = x11_proof(known, fact)
    return Point(
        point=f"proof_{fact}", rule="X11", value=str(len(proof)), proof=proof,
        result="yes" if proof else "no",
    )  # fmt: skip


def _photos_match(known: Known) -> Point:
    """X4: what no photo shows cannot match; whether the rest does, a person must see."""
    missing = [tag for tag in MATCHED if not known.photos.get(tag)]
    shown = tuple(photo for tag in MATCHED for photo in known.photos.get(tag, ()))
    return Point(
        point="photos_match", rule="X4", value=" ".join(missing), proof=shown,
        result="no" if missing else "unknown",
    )  # fmt: skip


def _permit(known: Known) -> Point:
    proof = known.permits or ()
    return Point(
        point="no_permit", rule="X12", value=str(len(proof)), proof=proof,
        result="unknown" if known.permits is None else "no" if proof else "yes",
    )  # fmt: skip


def _licence(known: Known) -> Point:
    if known.licensed is None:
        return Point(point="not_licensed", rule="K6", result="unknown")
    products = {known.codes.get(line.product, line.product) for line in known.lines}
    result = _share_of(len(products) - len(known.licensed), len(products))
    return Point(
        point="not_licensed", rule="K6", value=", ".join(known.licensed)[:200], result=result
    )


def _competence(known: Known) -> Point:
    """X4: across centres, or inside one with both managers' word."""
    if known.is_inside is None:
        return Point(point="competence", rule="X7", result="unknown")
    is_markets = not known.is_inside or known.is_confirmed
    value = "inside" if known.is_inside else "across"
    return Point(point="competence", rule="X7", value=value, result="yes" if is_markets else "no")


def write_points(points: Iterable[Point]) -> list[dict[str, Any]]:
    """The points as a case keeps them."""
    return [
        {
            "point": one.point,
            "rule": one.rule,
            "value": one.value,
            "proof": list(one.proof),
            "result": one.result,
        }
        for one in points
    ]


def with_overrides(case: Data) -> list[dict[str, Any]]:
    """X4: the points of ``case`` with what a person said of them last; the machine's word stays."""
    said = {entry["point"]: entry for entry in case.get("overrides", ())}
    bare = (
        {name: value for name, value in point.items() if name != "override"}
        for point in case.get("check_points", ())
    )
    return [
        {**point, "override": said[point["point"]]} if point["point"] in said else point
        for point in bare
    ]
