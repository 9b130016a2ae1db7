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
    listed: str
    """The field of the record whose entries are shown."""
    shown: tuple[str, ...]
    """The members of each entry that are shown, in order."""
    made: str
    """The kind that is handed in, a child of the record."""
    term: str
    """The policy's term by which a link for it runs."""
    task: str
    """The task of the record whose clock it runs by, once that runs."""


REBUTTAL = Purpose(
    name="rebuttal",
    kind="cross_region_case",
    makers=frozenset({Role.REGION_MANAGER, Role.SALES_MANAGER, Role.MARKET_OFFICER}),
    listed="lines",
    shown=("product", "batch", "quantity", "unit"),
    made="rebuttal",
    term="x6_rebuttal",
    task="rebuttal",
)
"""X6: the accused answers a case."""

PURPOSES: Mapping[str, Purpose] = {REBUTTAL.name: REBUTTAL}


def purpose_for(kind: str) -> Purpose | None:
    """The purpose of links about records of ``kind``; None where there are no such links."""
    return next((one for one in PURPOSES.values() if one.kind == kind), None)
