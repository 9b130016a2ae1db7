"""What is handed to a thread that speaks to a receiver, and what comes back. Values only."""

from server.values import Value


class Parcel(Value, frozen=True):
    """One event for one receiver."""

    delivery: int
    event: str
    body: str


class Letter(Parcel, frozen=True):
    """The same for a person."""

    user: str
    email: str
    language: str


class Report(Value, frozen=True):
    """What came of one try. What was not tried has no report, and its turn comes again."""

    delivery: int
    arrived: bool
    answer: str
    """A word for a person: a status, or what went wrong."""
    gone: bool = False
    """The receiver wants no more, ever."""
