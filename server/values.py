"""The shape of values that come by the hundred in every push: frozen, compared by content.

A msgspec structure is built and copied in a tenth of the time that a frozen dataclass takes, and
there are a dozen of them to a mutation. What comes once a request stays a dataclass.
"""

import msgspec
from msgspec.structs import replace

__all__ = ["Value", "replace"]


class Value(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A frozen value, made with keywords. It may not lead back to itself: cycles stay for ever."""
