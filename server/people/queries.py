"""Names of people, regions and devices for pages. Reads only; tells nothing but names."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session as Store

from server.people.tables import Device, Region, User


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """What ids of people, regions and devices mean to a person."""

    people: Mapping[str, str]
    regions: Mapping[str, tuple[str, str]]
    """Id → name in zh and en."""
    devices: Mapping[str, str]

    def of(self, key: str, language: str) -> str | None:
        """The name of a person or region in ``language``; None for any other key."""
        if key in self.regions:
            zh, en = self.regions[key]
            return zh if language.startswith("zh") else en
        return self.people.get(key)


def names_of(store: Store, keys: Iterable[str]) -> Names:
    """The names behind ``keys``, whichever of the three each is; unknown ones are left out."""
    wanted = sorted(set(keys))
    people = store.execute(select(User.id, User.name).where(User.id.in_(wanted)))
    regions = store.execute(
        select(Region.id, Region.name_zh, Region.name_en).where(Region.id.in_(wanted))
    )
    devices = store.execute(select(Device.id, Device.name).where(Device.id.in_(wanted)))
    return Names(
        people={row.id: row.name for row in people},
        regions={row.id: (row.name_zh, row.name_en) for row in regions},
        devices={row.id: row.name for row in devices},
    )
