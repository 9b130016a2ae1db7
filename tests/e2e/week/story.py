"""What a story of the week is, and the ways that many of them go. Data only.

Every story is one record. ``then`` tells what people do about it, line by line: days after it was
found, time of the day, who, what, and the fields that this needs. What the player of the week has
no word for is a move on the record's page in the office; after ``penalty``, on its penalty's page.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

ALL_TAGS = ("goods", "batch", "count_on_vehicle", "vehicle")
BY_ALL = ("affected_dealer", "region_manager")
DEALER_ALONE = ("affected_dealer",)
WITH_CONFIRMATION = (*BY_ALL, "sales_manager")
STANDING_IN = ("affected_dealer", "sales_manager")
Script = tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """One record, and what becomes of it by which rule."""

    name: str
    rule: str
    ends: str
    """The state in which the week leaves it."""
    kind: str = "cross_region_case"
    by: str = "rep"
    """Whose device finds it."""
    day: int = 0
    """Days after Monday."""
    market: str = "shanghai"
    goods: Script = ("24 piece G-1",)
    """Quantity, unit and batch of each line."""
    fields: Mapping[str, Any] = field(default_factory=dict)
    """Further fields; ``@name`` is the record of another story, ``#number`` a customer."""
    shows: Script = ("count_on_vehicle",)
    """What it is filmed of."""
    signed: Script = BY_ALL
    then: Script = ()
    clocks: str = ""
    """X8: the tasks that somebody had, in any order; what was done late is marked ``!``."""
    points: Mapping[str, str] = field(default_factory=dict)
    """X4: what the machine says of points of its check."""
    flags: Script = ()
    accused: str = ""
    """X5: the customer's number to whom the traces lead."""
    penalty: str = ""
    """X14: where the penalty ends that was proposed with the decision."""
    waits_for: Script = ()
    """B1: in whose queues it still is, because its state says so."""


TAKEN_IN = ("+0 16:00 market_officer accepted", "+0 16:00 market_officer notified")
VERIFIED = (*TAKEN_IN, "+2 10:00 market_officer facts_verified")
UPHELD = (*VERIFIED, "+2 10:00 market_officer upheld")
IN_THE_REGION = (
    "+0 16:00 region_manager accepted",
    "+0 16:00 region_manager notified",
    "+2 10:00 region_manager facts_verified",
)
AT_THE_OFFICE = "unsigned intake"
UNANSWERED = f"{AT_THE_OFFICE} notice rebuttal! facts"
WHOLE_WAY = f"{UNANSWERED} decision"
REFUSED = ("+0 16:00 market_officer not_accepted",)
