"""The bare store on PostgreSQL: COPY, and one lock that keeps the numbers in order of commit."""

from typing import Any

import psycopg
from psycopg.abc import Query

from bench.baselines.sqlite import judge

SCHEMA: tuple[Query, ...] = (
    "CREATE TABLE IF NOT EXISTS records (id text PRIMARY KEY, version int, seq bigint, body text)",
    "CREATE INDEX IF NOT EXISTS records_seq ON records (seq)",
    "CREATE TABLE IF NOT EXISTS history"
    " (seq bigint PRIMARY KEY, id text, version int, base int, body text)",
)
LOCK = 7
STAGE: Query = "CREATE TEMP TABLE stage (id text, version int, seq bigint, body text, base int)"
KEEP: Query = (
    "INSERT INTO records SELECT id, version, seq, body FROM stage ON CONFLICT (id) DO UPDATE SET"
    " version = excluded.version, seq = excluded.seq, body = excluded.body"
)
NOTE: Query = "INSERT INTO history SELECT seq, id, version, base, body FROM stage"


class Store:
    """One connection of one worker."""

    def __init__(self, url: str) -> None:
        self._connection = psycopg.connect(url)
        with self._connection.transaction():
            self._connection.execute("SELECT pg_advisory_xact_lock(%s)", (LOCK,))
            for statement in SCHEMA:
                self._connection.execute(statement)
            self._connection.execute(STAGE)

    def push(self, records: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """One transaction."""
        with self._connection.transaction(), self._connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", (LOCK,))
            query = "SELECT id, version FROM records WHERE id = ANY(%s)"
            ids = [record["id"] for record in records]
            known: dict[str, int] = dict(cursor.execute(query, (ids,)).fetchall())
            [seq] = cursor.execute("SELECT coalesce(max(seq), 0) FROM history").fetchall()[0]
            rows, told = judge(records, known, seq)
            cursor.execute("TRUNCATE stage")
            with cursor.copy("COPY stage FROM STDIN") as copy:
                for row in rows:
                    copy.write_row(row)
            cursor.execute(KEEP)
            cursor.execute(NOTE)
        return told

    def pull(self, since: int, limit: int) -> list[tuple[int, str]]:
        """(seq, body) behind ``since``."""
        query = "SELECT seq, body FROM records WHERE seq > %s ORDER BY seq LIMIT %s"
        with self._connection.transaction():
            return self._connection.execute(query, (since, limit)).fetchall()
