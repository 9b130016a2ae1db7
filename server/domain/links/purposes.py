"""What a link may be for: who makes it, what it shows, what it brings. Data only.

Whatever is not named here stays hidden from who holds the link (X6).
"""

from collections.abc import Mapping
from dataclasses import dataclass

from server.people.principal import Role


@dataclass(frozen=True, slots=True, kw_only=True)
class Purpose:
    """One purpose of links."""

    name: str
    kind: str
    """The kind of the record that such a link is about."""
    makers: frozenset[Role]
    """Who may make and revoke one, where the role covers the record's region."""
    listed: str | None
    """The field of the record whose entries are shown; None: the record itself is the one entry."""
    shown: tuple[str, ...]
    """The members of each entry that are shown, in order."""
    copies: bool
    """Whether copies of the record's photos are shown, as far as the policy names their tags."""
    made: str
    """The kind that is handed in, a child of the record."""
    beneath: str
    """The field by which what is handed in names the record."""
    term: str
    """The policy's term by which a link for it runs."""
    task: str | None
    """The task of the record whose clock it runs by, once that runs; None: by its term alone."""


GOODS = ("product", "batch", "quantity", "unit")

REBUTTAL = Purpose(
    name="rebuttal",
    kind="cross_region_case",
    makers=frozenset({Role.REGION_MANAGER, Role.SALES_MANAGER, Role.MARKET_OFFICER}),
    listed="lines",
    shown=GOODS,
    copies=True,
    made="rebuttal",
    beneath="case",
    term="x6_rebuttal",
    task="rebuttal",
)
"""X6: the accused answers a case."""

FAULT_PHOTOS = Purpose(
    name="fault_photos",
    kind="product_fault",
    makers=frozenset({Role.SALES_CLERK, Role.REGION_MANAGER, Role.SERVICE_OFFICER}),
    listed=None,
    shown=GOODS,
    copies=False,
    made="fault_supplement",
    beneath="fault",
    term="f6_link",
    task=None,
)
"""F6: a dealer adds photos to a fault."""

PURPOSES: Mapping[str, Purpose] = {one.name: one for one in (REBUTTAL, FAULT_PHOTOS)}


def purpose_for(kind: str) -> Purpose | None:
    """The purpose of links about records of ``kind``; None where there are no such links."""
    return next((one for one in PURPOSES.values() if one.kind == kind), None)
