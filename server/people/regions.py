"""The region tree: planted by an administrator, read as paths. Callers hold the transaction."""

from collections.abc import Iterable

from sqlalchemy import select
from sqlalchemy.orm import Session as Store

from server.errors import Problem
from server.ids import IdMaker
from server.people.centres import RegionTree
from server.people.tables import Region


def add_region(
    store: Store,
    ids: IdMaker,
    *,
    level: str,
    name_zh: str,
    name_en: str,
    parent: str | None = None,
) -> Region:
    """A new region below ``parent`` (an id); without one, a root.

    *Raises* ``not_found``, and ``validation`` where a name stands there already: neither of the two
    could be named by it any more, in a command, a file or an alliance.
    """
    above = None if parent is None else store.get(Region, parent)
    if parent is not None and above is None:
        raise Problem("not_found")
    for field, column, name in (
        ("name_zh", Region.name_zh, name_zh),
        ("name_en", Region.name_en, name_en),
    ):
        if store.scalar(select(Region.id).where(Region.parent == parent, column == name).limit(1)):
            raise Problem("validation", fields={field: "taken"})
    region = ids.new()
    path = f"{above.path if above else '/'}{region}/"
    row = Region(id=region, parent=parent, path=path, level=level, name_zh=name_zh, name_en=name_en)
    store.add(row)
    store.flush()
    return row


def list_regions(store: Store) -> list[Region]:
    """All regions; each stands after its parent."""
    return list(store.scalars(select(Region).order_by(Region.path)))


def need_region(store: Store, name: str) -> Region:
    """The one region with that id or name. *Raises* ``not_found`` for none and for several."""
    same = (Region.id == name) | (Region.name_zh == name) | (Region.name_en == name)
    found = list(store.scalars(select(Region).where(same).limit(2)))
    if not found:
        raise Problem("not_found", detail=f"There is no region {name}.")
    if len(found) > 1:
        raise Problem("not_found", detail=f"Several regions are called {name}. Use the id of one.")
    return found[0]


def load_tree(store: Store) -> RegionTree:
    """The whole tree as one value, for rules that compare places."""
    found = list_regions(store)
    names: dict[str, set[str]] = {}
    for region in found:
        for name in {region.name_zh, region.name_en}:
            names.setdefault(name, set()).add(region.id)
    return RegionTree(
        paths={region.id: tuple(region.path.strip("/").split("/")) for region in found},
        levels={region.id: region.level for region in found},
        names={name: frozenset(called) for name, called in names.items()},
    )


def nearest_common(store: Store, regions: Iterable[str | None]) -> str | None:
    """The smallest region that holds all of ``regions``; None where there is none.

    Whoever has a role there has it in each of them.
    """
    wanted = set(regions)
    paths = list(store.scalars(select(Region.path).where(Region.id.in_(wanted - {None}))))
    if None in wanted or len(paths) != len(wanted):
        return None
    above = [path.strip("/").split("/") for path in paths]
    shared = [step[0] for step in zip(*above, strict=False) if len(set(step)) == 1]
    return shared[-1] if shared else None


def subtree(store: Store, region: str) -> frozenset[str]:
    """The ids of ``region`` and all below it; empty where there is no such region."""
    top = store.get(Region, region)
    if top is None:
        return frozenset()
    return frozenset(
        store.scalars(select(Region.id).where(Region.path.startswith(top.path, autoescape=True)))
    )
