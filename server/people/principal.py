"""Who is acting in this request, and how far that reaches. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from server.people.keys import PublicKey
from server.roles import Role

__all__ = ["MANAGERS", "Grant", "Principal", "Role"]

MANAGERS = frozenset({Role.REGION_MANAGER, Role.SALES_MANAGER})
"""Roles whose devices also hold the region scopes of their subtree."""


@dataclass(frozen=True, slots=True)
class Grant:
    """One role, in a region and all below it; ``regions`` is None for the whole company."""

    role: Role
    regions: frozenset[str] | None

    def covers(self, region: str | None) -> bool:
        """Whether this grant reaches ``region``; what has no region is the company's."""
        return self.regions is None or region in self.regions


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """The acting user. ``device`` is None for a browser; ``scopes`` come from the live tables."""

    user: str
    name: str
    session: str
    device: str | None = None
    grants: tuple[Grant, ...] = ()
    home_region: str | None = None
    zone: str = "Asia/Shanghai"
    upload_only: bool = False
    """A revoked device may push, upload and ask `have`, and is answered with no data."""
    key: PublicKey | None = None
    """The key that the device is bound to."""
    erase: str | None = None
    """What a revoked device must remove: ``scopes`` or ``all``."""
    roles: frozenset[Role] = field(init=False, compare=False)
    """The roles held anywhere."""
    scopes: frozenset[str] = field(init=False, compare=False)
    """P5: what this principal's device may hold."""

    def __post_init__(self) -> None:
        """Works out roles and scopes once; every record of a request is held against them."""
        held = {f"user:{self.user}", "company"}
        for grant in self.grants:
            if grant.role in MANAGERS and grant.regions:
                held |= {f"region:{region}" for region in grant.regions}
        object.__setattr__(self, "roles", frozenset(grant.role for grant in self.grants))
        object.__setattr__(self, "scopes", frozenset(held))

    def has(self, roles: Iterable[Role], region: str | None = None) -> bool:
        """Whether one of ``roles`` is held where ``region`` lies."""
        wanted = frozenset(roles)
        return any(grant.role in wanted and grant.covers(region) for grant in self.grants)

    def has_any(self, roles: Iterable[Role]) -> bool:
        """Whether one of ``roles`` is held anywhere."""
        return not self.roles.isdisjoint(roles)

    def reach(self, roles: Iterable[Role]) -> frozenset[str] | None:
        """The regions in which one of ``roles`` is held; None: everywhere; empty: nowhere."""
        wanted = frozenset(roles)
        held = [grant.regions for grant in self.grants if grant.role in wanted]
        if None in held:
            return None
        return frozenset().union(*(regions for regions in held if regions is not None))
