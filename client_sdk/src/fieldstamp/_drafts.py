"""Edits under way: what a person has begun and not yet saved. A draft is not a mutation yet."""

from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Any

from fieldstamp._capture import Base, Intent
from fieldstamp._values import Record


class Draft:
    """An edit whose base is fixed when it starts, however long it takes.

    Leaving the ``with`` block saves what was changed; an exception saves nothing.
    """

    def __init__(self, record: Record, save: Callable[[Sequence[Intent]], None]) -> None:
        self._record = record
        self._save = save
        self._set: dict[str, Any] = {}
        self._unset: set[str] = set()

    def __enter__(self) -> "Draft":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None and (self._set or self._unset):
            self._save([self._intent()])

    def __getitem__(self, name: str) -> Any:
        return self._set[name] if name in self._set else self._record[name]

    def __setitem__(self, name: str, value: Any) -> None:
        self._unset.discard(name)
        self._set[name] = value

    def unset(self, name: str) -> None:
        """Empties a field."""
        self._set.pop(name, None)
        self._unset.add(name)

    def _intent(self) -> Intent:
        return Intent(
            action="patch",
            kind=self._record.kind,
            record=self._record.id,
            base=Base(version=self._record.version, epoch=self._record.epoch),
            set=self._set,
            unset=tuple(self._unset),
        )


class Group:
    """Changes that the server takes together or not at all; saved when the block ends."""

    def __init__(
        self,
        *,
        new_id: Callable[[], str],
        find: Callable[[str], Record],
        save: Callable[[Sequence[Intent]], None],
    ) -> None:
        self._new_id = new_id
        self._find = find
        self._save = save
        self._intents: list[Intent] = []

    def __enter__(self) -> "Group":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None and self._intents:
            self._save(self._intents)

    def create(self, kind: str, fields: Mapping[str, Any]) -> str:
        """Adds a new record; returns its id."""
        record = self._new_id()
        self._intents.append(Intent(action="create", kind=kind, record=record, set=fields))
        return record

    def patch(
        self, record_id: str, fields: Mapping[str, Any], *, unset: Sequence[str] = ()
    ) -> None:
        """Adds a change of a record that this store holds."""
        self._add("patch", record_id, fields, unset)

    def withdraw(self, record_id: str) -> None:
        """Adds the taking back of a record that this store holds."""
        self._add("withdraw", record_id, {}, ())

    def _add(
        self, action: str, record_id: str, fields: Mapping[str, Any], unset: Sequence[str]
    ) -> None:
        record = self._find(record_id)
        base = Base(version=record.version, epoch=record.epoch)
        self._intents.append(
            Intent(
                action=action,
                kind=record.kind,
                record=record_id,
                base=base,
                set=fields,
                unset=unset,
            )
        )
