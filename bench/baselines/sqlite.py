"""The bare store on SQLite: WAL, ``synchronous=FULL``, two tables, three statements a batch."""

from typing import Any

import orjson

from server.db import sqlite

SCHEMA = """
CREATE TABLE IF NOT EXISTS records (id text PRIMARY KEY, version integer, seq integer, body text);
CREATE INDEX IF NOT EXISTS records_seq ON records (seq);
CREATE TABLE IF NOT EXISTS history (seq integer PRIMARY KEY, id text, version integer,
  base integer, body text);
"""
KEEP = (
    "INSERT INTO records VALUES (?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET"
    " version = excluded.version, seq = excluded.seq, body = excluded.body"
)
Row = tuple[str, int, int, str, int]
"""id, version, seq, body, base."""


def judge(
    records: list[dict[str, Any]], known: dict[str, int], seq: int
) -> tuple[list[Row], list[dict[str, Any]]]:
    """The rows to write, numbered from behind ``seq``, and what is said about each record."""
    rows: list[Row] = []
    told: list[dict[str, Any]] = []
    for record in records:
        version = known.get(record["id"], 0)
        if record["base"] != version:
            told.append({"id": record["id"], "status": "conflict", "version": version})
            continue
        seq += 1
        body = orjson.dumps(record["data"]).decode()
        rows.append((record["id"], version + 1, seq, body, record["base"]))
        told.append({"id": record["id"], "status": "ok", "version": version + 1})
    return rows, told


class Store:
    """One connection of one worker."""

    def __init__(self, url: str) -> None:
        path = url.removeprefix("sqlite:///")
        self._connection = sqlite.connect(path, timeout=30, isolation_level=None)
        for pragma in ("journal_mode=WAL", "synchronous=FULL"):
            self._connection.execute(f"PRAGMA {pragma}")
        self._connection.executescript(SCHEMA)

    def push(self, records: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """One transaction."""
        ask = self._connection.execute
        ids = orjson.dumps([record["id"] for record in records]).decode()
        ask("BEGIN IMMEDIATE")
        query = "SELECT id, version FROM records WHERE id IN (SELECT value FROM json_each(?))"
        known = dict(ask(query, (ids,)).fetchall())
        [seq] = ask("SELECT coalesce(max(seq), 0) FROM history").fetchone()
        rows, told = judge(records, known, seq)
        self._connection.executemany(KEEP, [row[:4] for row in rows])
        history = [(seq, id_, version, base, body) for id_, version, seq, body, base in rows]
        self._connection.executemany("INSERT INTO history VALUES (?, ?, ?, ?, ?)", history)
        ask("COMMIT")
        return told

    def pull(self, since: int, limit: int) -> list[tuple[int, str]]:
        """(seq, body) behind ``since``."""
        query = "SELECT seq, body FROM records WHERE seq > ? ORDER BY seq LIMIT ?"
        rows: list[tuple[int, str]] = self._connection.execute(query, (since, limit)).fetchall()
        return rows
