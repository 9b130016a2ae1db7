"""What the server does with market cases as time goes by: the same push as a device."""

from typing import Any

import structlog
from sqlalchemy.orm import Session

from server.domain.cases.queries import unanswered_cases
from server.domain.review.actions import write_version
from server.people.principal import Principal
from server.sync.engine import Sync
from server.sync.push import Envelope, push_batch
from server.sync.queries import StoredRecord, find_records

SERVER = Principal(user="server", name="server", session="")

log = structlog.get_logger()


def end_rebuttals(session: Session, sync: Sync) -> int:
    """X6: where the accused showed no evidence in time, the case goes on without; how many did."""
    late = find_records(session, unanswered_cases(session))
    return sum(_try(session, sync, case, {"rebuttal_over": True}) for case in late.values())


def _try(session: Session, sync: Sync, case: StoredRecord, values: dict[str, Any]) -> bool:
    """P8: one that fails is left for the next time and stands in nobody's way."""
    try:
        write_as_server(session, sync, case, values)
    except Exception:
        session.rollback()
        log.exception("case_not_written", record=case.id)
        return False
    return True


def write_as_server(
    session: Session, sync: Sync, record: StoredRecord, values: dict[str, Any]
) -> int:
    """The record's new version with fields that the server sets. *Raises* ``wrong_state``."""
    mutation = {
        "id": sync.ids.new(),
        "action": "patch",
        "kind": record.kind,
        "record": record.id,
        "base": record.version,
        "set": values,
    }
    envelope = Envelope(sender=SERVER, writer="server")
    [result] = push_batch(sync, session, envelope, [mutation]).results
    return write_version(result)
