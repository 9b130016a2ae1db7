"""What became of one mutation, for whoever sent it. Reads only."""

from typing import Any

import orjson
from sqlalchemy import select
from sqlalchemy.orm import Session

from server.people.principal import Principal
from server.rows import Rows
from server.sync.answers import Told, result_of
from server.sync.engine import Sync
from server.sync.load import known_mutations
from server.sync.tables import MutationRow
from server.sync.wire import read_mutation


def fate_of(sync: Sync, session: Session, asker: Principal, mutation: str) -> dict[str, Any] | None:
    """Result, body and seal of a mutation; None where it is unknown or another user's (P5)."""
    row = session.execute(
        select(MutationRow).where(MutationRow.id == mutation)
    ).scalar_one_or_none()
    if row is None or row.user != asker.user:
        return None
    stored = known_mutations(Rows(session), [mutation])[mutation]
    body = orjson.loads(row.body)
    read = read_mutation(body, user=row.user, device=row.device)
    result = result_of(sync, Told.replayed(read, stored))
    return {**result, "mutation": body, "seal": row.seal, "received_at": row.received_at}
