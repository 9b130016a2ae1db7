"""P5: a record that moves takes along what shares its scopes, in the mover's transaction. Pure."""

from collections.abc import Mapping

from server.sync.batch import Head
from server.sync.kinds import Registry
from server.values import replace


def movers(finals: Mapping[str, Head], before: Mapping[str, Head]) -> dict[str, Head]:
    """The stored records whose own place changes."""
    return {
        head.id: head
        for head in finals.values()
        if head.key is not None and head.placement != before[head.id].placement
    }


def follow(
    registry: Registry, finals: Mapping[str, Head], known: Mapping[str, Head]
) -> dict[str, Head]:
    """The records that must follow their parents: the same versions in another place."""
    heads = {**known, **finals}
    moved: dict[str, Head] = {}
    below = _by_parent(heads)
    line = [head.id for head in finals.values()]
    while line:
        parent = heads[line.pop()]
        for child in below.get(parent.id, ()):
            kind = registry.get(heads[child].kind)
            if kind is None or kind.place is not None:
                continue
            placement = kind.follow(heads[child].fields, parent.placement)
            if placement != heads[child].placement:
                heads[child] = moved[child] = replace(heads[child], placement=placement)
                line.append(child)
    return moved


def _by_parent(heads: Mapping[str, Head]) -> dict[str, list[str]]:
    below: dict[str, list[str]] = {}
    for head in heads.values():
        if head.parent is not None:
            below.setdefault(head.parent, []).append(head.id)
    return below
