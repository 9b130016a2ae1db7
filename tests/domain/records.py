"""Builders of principals, data and changes for the rules' tests."""

from typing import Any

from server.domain import all_kinds
from server.people.principal import Grant, Principal, Role
from server.policies.reading import load_defaults
from server.sync.kinds import Change, Registry

POLICY = load_defaults()
KINDS = Registry.of(all_kinds(POLICY)).kinds
SHANGHAI_TOWER = {"lat": "31.2335", "lon": "121.5056", "accuracy_m": "8", "age_s": 12}
ID = "01930000-0000-7000-8000-00000000000{}"
CASE, SIGNATURE, PHOTO, CUSTOMER = (ID.format(digit) for digit in range(4))
SHA = "ab" * 32


def person(*roles: Role, device: str | None = "phone", region: str = "shanghai") -> Principal:
    """Somebody with ``roles`` in ``region``."""
    grants = tuple(Grant(role, frozenset({region})) for role in roles or (Role.REP,))
    return Principal(
        user="rep-1", name="A", session="s", device=device, grants=grants, home_region=region
    )


REP = person()
OFFICER = person(Role.MARKET_OFFICER, device=None)


def change(
    kind: str,
    after: dict[str, Any],
    *,
    before: dict[str, Any] | None = None,
    by: Principal = REP,
    record: str = CASE,
    withdrawn: bool = False,
) -> Change:
    """What a kind is told."""
    return Change(kind=kind, record=record, before=before, after=after, withdrawn=withdrawn, by=by)


def create(
    kind: str, data: dict[str, Any], *, by: Principal = REP, parent: dict[str, Any] | None = None
) -> dict[str, Any]:
    """The record after its create, as the engine derives it."""
    derived = KINDS[kind].derive(change(kind, data, by=by), parent)
    return {**data, **derived}


def patch(
    kind: str,
    record: dict[str, Any],
    *,
    by: Principal = REP,
    parent: dict[str, Any] | None = None,
    **values: Any,
) -> dict[str, Any]:
    """The record after a patch of ``values``, as the engine derives it."""
    told = change(kind, {**record, **values}, before=record, by=by)
    return {**told.after, **KINDS[kind].derive(told, parent)}


def decision(verdict: str, at: str = "2026-03-02T09:00:00Z") -> dict[str, Any]:
    """The fields that a reviewer writes."""
    return {
        "verdict": verdict,
        "verdict_reason": "证据不足",
        "decided_by": "officer-1",
        "decided_at": at,
    }


def visit(**given: Any) -> dict[str, Any]:
    """A small visit."""
    return {"customer": CUSTOMER, "purpose": "routine", **given}


def case(**given: Any) -> dict[str, Any]:
    """A small cross-region case."""
    line = {"product": "Tea", "batch": "B-1", "quantity": 24, "unit": "piece"}
    found = {"affected_market": "shanghai", "found_at": "2026-03-02T09:00:00+08:00"}
    return {**found, "lines": [line], **given}


def receipt(**given: Any) -> dict[str, Any]:
    """A small receipt."""
    money = {"kind": "meal", "amount": "86.50", "currency": "CNY", "date": "2026-03-01"}
    return {**money, "seller": "老盛昌", **given}


def photo(**given: Any) -> dict[str, Any]:
    """A small photo of a case."""
    data = {"sha256": SHA, "bytes": 1024, "type": "image/jpeg", "source": "app_camera"}
    return {**data, "parent_kind": "cross_region_case", "parent": CASE, **given}


def signature(part: str, **given: Any) -> dict[str, Any]:
    """A small signature under a case."""
    data = {"sha256": SHA, "bytes": 900, "type": "image/png", "part": part, "signer": "王芳"}
    return {**data, "parent_kind": "cross_region_case", "parent": CASE, **given}
