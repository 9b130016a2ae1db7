"""Turns the data of any record into readable facts by its kind's JSON Schema. Pure."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import orjson

from server.clock import from_wire
from server.domain.queries import Reference
from server.domain.shapes import UUID7
from server.errors import Words
from server.people.queries import Names

YES, NO = Words("是", "Yes"), Words("否", "No")
AGE = Words("{0} 秒前定位", "fix {0} s old")
MOCKED = Words("模拟定位", "mocked")
TAIL = 8
"""Characters of an id that are shown where nothing better names it."""

ID = re.compile(UUID7)

Schema = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A value made readable: a text (perhaps a link to a record), entries, members, or a table."""

    text: str = ""
    record: str | None = None
    entries: tuple["Shown", ...] = ()
    members: tuple["Fact", ...] = ()
    columns: tuple[str, ...] = ()
    rows: tuple[tuple["Shown", ...], ...] = ()

    @property
    def plain(self) -> str:
        """All of it on one line."""
        inner = [entry.plain for entry in self.entries]
        inner += [f"{fact.title} {fact.shown.plain}" for fact in self.members]
        inner += [" ".join(cell.plain for cell in row if cell.plain) for row in self.rows]
        return "; ".join([*([self.text] if self.text else []), *inner])


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One field of a record: its title and its value."""

    name: str
    title: str
    shown: Shown


@dataclass(frozen=True, slots=True, kw_only=True)
class Lens:
    """Whose eyes look: their language and time zone, and the names of what ids stand for."""

    language: str
    zone: str
    names: Names

    def moment(self, wire: str) -> str:
        """A time of the wire in the reader's zone, to the minute."""
        return self.local(from_wire(wire))

    def local(self, moment: datetime) -> str:
        """A moment in the reader's zone, to the minute."""
        return moment.astimezone(ZoneInfo(self.zone)).strftime("%Y-%m-%d %H:%M")

    def title(self, schema: Schema, name: str) -> str:
        """The title of a field; its name where the schema does not know it."""
        told = schema.get("x-title", {})
        return str(told.get(self.language, name.replace("_", " ")))

    def name(self, key: str) -> str:
        """Whom or what ``key`` names; the end of it where nobody knows."""
        return self.names.of(key, self.language) or key[-TAIL:]

    def choice(self, schema: Schema, code: str) -> str | None:
        """The words of a code, where the schema lists it."""
        words = schema.get("x-choices", {}).get(code)
        return None if words is None else str(words[self.language])

    def facts(
        self,
        schema: Schema,
        data: Mapping[str, Any],
        *,
        references: Mapping[str, Reference] | None = None,
        without: Iterable[str | None] = (),
    ) -> tuple[Fact, ...]:
        """The fields of ``data`` in the order of the schema; unknown ones come last."""
        members, left_out = schema.get("properties", {}), set(without)
        named = references or {}
        order = [*(name for name in members if name in data), *(data.keys() - members.keys())]
        return tuple(
            self._fact(members.get(name, {}), name, data[name], named.get(name))
            for name in order
            if name not in left_out
        )

    def _fact(self, schema: Schema, name: str, value: Any, reference: Reference | None) -> Fact:
        shown = self._link(reference) if reference else self.show(schema, value)
        return Fact(name=name, title=self.title(schema, name), shown=shown)

    def _link(self, reference: Reference) -> Shown:
        if reference.label is None:  # P5: the reader may not open it
            return Shown(text=f"…{reference.record[-TAIL:]}")
        return Shown(text=reference.label, record=reference.record)

    def show(self, schema: Schema, value: Any) -> Shown:
        """A value of any depth."""
        if value is None:
            return Shown(text="—")
        if isinstance(value, bool):
            return Shown(text=(YES if value else NO).say(self.language))
        if isinstance(value, str):
            return Shown(text=self._text(schema, value))
        if isinstance(value, Mapping):
            return self._object(schema, value)
        if isinstance(value, list):
            return self._list(schema, value)
        return Shown(text=str(value))

    def _text(self, schema: Schema, value: str) -> str:
        words = self.choice(schema, value)
        if words is not None:
            return words
        if "pattern" not in schema:  # free text is shown as it was typed
            return value
        known = self.names.of(value, self.language)
        return known or _time(self, value) or _shortened(value)

    def _object(self, schema: Schema, value: Mapping[str, Any]) -> Shown:
        if "lat" in value and "lon" in value:
            return Shown(text=self._position(value))
        if not schema.get("properties"):
            return Shown(text=orjson.dumps(value).decode())
        return Shown(members=self.facts(schema, value))

    def _position(self, value: Mapping[str, Any]) -> str:
        parts = [f"{value['lat']}, {value['lon']}"]
        if "accuracy_m" in value:
            parts.append(f"± {value['accuracy_m']} m")
        if "age_s" in value:
            parts.append(AGE.say(self.language).format(value["age_s"]))
        if value.get("mocked"):
            parts.append(MOCKED.say(self.language))
        return " · ".join(parts)

    def _list(self, schema: Schema, value: list[Any]) -> Shown:
        items = schema.get("items", {})
        if value and all(isinstance(entry, Mapping) for entry in value) and items.get("properties"):
            return self._table(items["properties"], value)
        inherited = {"x-choices": schema["x-choices"]} if "x-choices" in schema else {}
        return Shown(entries=tuple(self.show({**inherited, **items}, one) for one in value))

    def _table(self, members: Schema, value: list[Mapping[str, Any]]) -> Shown:
        used = [name for name in members if any(name in entry for entry in value)]
        return Shown(
            columns=tuple(self.title(members[name], name) for name in used),
            rows=tuple(
                tuple(
                    self.show(members[name], entry[name]) if name in entry else Shown()
                    for name in used
                )
                for entry in value
            ),
        )


def _time(lens: Lens, value: str) -> str | None:
    if "T" not in value:
        return None
    try:
        return lens.moment(value)
    except ValueError:
        return None


def _shortened(value: str) -> str:
    return f"…{value[-TAIL:]}" if ID.fullmatch(value) else value


def keys_in(value: Any) -> Iterator[str]:
    """Every text in ``value`` that could be the id of a person, a region or a device."""
    if isinstance(value, str) and 0 < len(value) <= 36 and " " not in value:
        yield value
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from keys_in(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from keys_in(inner)
