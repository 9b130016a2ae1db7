"""P5: remembers what a device was given, to tell late work on what it lost from a stranger's."""

from dataclasses import dataclass

from sqlalchemy.orm import Session

from server.db import transaction
from server.rows import Rows, as_table
from server.sync.tables import DeviceLoss, DeviceScope

DEVICE_SCOPE, DEVICE_LOSS = as_table(DeviceScope), as_table(DeviceLoss)


@dataclass(frozen=True, slots=True, kw_only=True)
class ToldDevice:
    """Scopes and records that one page gives to a device or takes away."""

    gained: frozenset[str]
    lost: frozenset[str]
    left: frozenset[str]


def note_told(session: Session, told: ToldDevice, *, device: str, at: str) -> None:
    """Writes down what a page says, before it is sent; most pages say nothing of the kind."""
    if not (told.gained or told.lost or told.left):
        return
    with transaction(session):
        rows = Rows(session)
        gained = [(device, scope, at, None) for scope in sorted(told.gained)]
        rows.delete(DEVICE_SCOPE, ("device", "scope"), [row[:2] for row in gained])
        # Another pull of the same device may have written it down at this very moment.
        fresh = ("device", "scope", "gained_at", "lost_at")
        rows.insert(DEVICE_SCOPE, fresh, gained, skip_known=True)
        rows.execute(
            f"UPDATE device_scope SET lost_at = ? WHERE device = ? AND {rows.among('scope')}",
            at,
            device,
            rows.listed(sorted(told.lost)),
        )
        left = [(device, record, at) for record in sorted(told.left)]
        rows.insert(DEVICE_LOSS, ("device", "record", "at"), left, skip_known=True)
