"""What can disagree in a store, in words for an administrator. Values only."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

What = Literal[
    "history_gap",
    "history_broken",
    "head_differs",
    "outcome_without_effect",
    "hash_differs",
    "field_versions_differ",
    "feed_differs",
    "item_differs",
    "scope_differs",
    "feed_head_behind",
    "content_differs",
    "outcome_without_version",
    "not_kept",
    "waits_for_nothing",
    "bytes_missing",
    "bytes_differ",
    "bytes_unknown",
]

MEANINGS: Mapping[What, str] = {
    "history_gap": "its versions are not 1, 2, 3 … up to the one that stands",
    "history_broken": "a version does not begin where the one before it ended",
    "head_differs": "it is not what its history says",
    "outcome_without_effect": "a version was written by a mutation that has no effect",
    "hash_differs": "its hash is not that of its data; devices would ask for it again and again",
    "field_versions_differ": "it misremembers who changed which field; a merge would go wrong",
    "feed_differs": "the feed does not say where it is; devices would miss it or keep it",
    "item_differs": "the queue does not say who must act on it",
    "scope_differs": "count or sum of the scope is not that of its records",
    "feed_head_behind": "numbers of the feed would be given twice; changes would be missed",
    "content_differs": "its bytes are not those that were sealed",
    "outcome_without_version": "it names a version that its record does not have",
    "not_kept": "it was refused, and what was sent stands nowhere for a person to see",
    "waits_for_nothing": "it waits, and nothing says for what; it would wait for ever",
    "bytes_missing": "its bytes are not on the disk",
    "bytes_differ": "its bytes have changed on the disk",
    "bytes_unknown": "it is said to be verified, and no bytes were ever noted",
}
"""What each means."""

DERIVED: frozenset[What] = frozenset(
    {
        "hash_differs",
        "field_versions_differ",
        "feed_differs",
        "item_differs",
        "scope_differs",
        "feed_head_behind",
    }
)
"""What follows from the rest, and can be made again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One disagreement; ``about`` is the id of a record or mutation, or the name of a scope."""

    what: What
    about: str
    detail: str = ""
    mended: bool = False
