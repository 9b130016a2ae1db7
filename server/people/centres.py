"""Which sales centre and which alliance a region belongs to. Pure; the tree is handed in."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

Alliances = Iterable[Collection[str]]
"""Sets of regions, by id or name, that count as one centre with all below them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RegionTree:
    """The regions as they stand; ``paths`` has the ids from the root to each, itself included."""

    paths: Mapping[str, tuple[str, ...]]
    levels: Mapping[str, str]
    names: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """Name in any language → the ids of the regions that are called so."""

    def above(self, region: str) -> frozenset[str]:
        """``region`` and all regions above it; empty where there is no such region."""
        return frozenset(self.paths.get(region, ()))

    def find(self, name: str) -> str | None:
        """The one region with that id or name."""
        if name in self.paths:
            return name
        called = self.names.get(name, frozenset())
        return next(iter(called)) if len(called) == 1 else None


def centre_of(tree: RegionTree, region: str, *, level: str) -> str | None:
    """The region of ``level`` in which ``region`` lies, or None where it lies in none."""
    path = tree.paths.get(region, ())
    return next((above for above in reversed(path) if tree.levels[above] == level), None)


def same_centre(tree: RegionTree, alliances: Alliances, a: str, b: str, *, level: str) -> bool:
    """X4, X7: whether two markets lie in one sales centre, or in one sales alliance.

    What lies in no centre shares none, not even with itself: the market department decides.
    """
    centre = centre_of(tree, a, level=level)
    if centre is not None and centre == centre_of(tree, b, level=level):
        return True
    return any(_holds(tree, alliance, a) and _holds(tree, alliance, b) for alliance in alliances)


def _holds(tree: RegionTree, alliance: Collection[str], region: str) -> bool:
    above = tree.above(region)
    return any(tree.find(name) in above for name in alliance)
