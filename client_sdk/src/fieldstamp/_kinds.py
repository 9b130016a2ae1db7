"""The kinds as the server last described them: offline validation, lanes and parents. No I/O."""

import functools
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn

import fastjsonschema

from fieldstamp import _moves
from fieldstamp._wire import JsonObject

URGENT, NORMAL = 0, 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One declared type of record; its urgent changes go ahead of everything else."""

    name: str
    whole: str = "{}"
    """The JSON Schema of a whole record, as sorted JSON."""
    part: str = "{}"
    """The same for a change, which may leave out what is required."""
    fields: Mapping[str, Any] = field(default_factory=dict)
    parent: str | None = None
    lane: int = NORMAL
    urgent_field: str | None = None
    """In place of ``lane``: a change is urgent where this field has one of ``urgent_values``."""
    urgent_values: Sequence[Any] = ()
    states: _moves.States = field(default_factory=dict)
    """Empty: this kind has none, or the server is older than their description."""

    def lane_of(self, data: Mapping[str, Any]) -> int:
        """The lane of a change of a record in which ``data`` stands."""
        if self.urgent_field is None:
            return self.lane
        return URGENT if data.get(self.urgent_field) in self.urgent_values else NORMAL

    def errors_of(self, values: Mapping[str, Any], *, whole: bool) -> dict[str, str]:
        """Why ``values`` cannot stand, by field; ``whole`` also asks for what is required."""
        errors = {
            name: "not written by devices"
            for name in values
            if name in self.fields and "device" not in self.fields[name].get("writers", ())
        }
        return errors or _schema_errors(self, dict(values), whole=whole)


@functools.lru_cache(maxsize=4)
def read(text: str | None) -> Mapping[str, Kind]:
    """The kinds by name; what cannot be read is left out and therefore not validated here."""
    answer = json.loads(text or "null")
    listed = answer.get("kinds") if isinstance(answer, dict) else None
    entries = listed if isinstance(listed, list) else []
    named = [one for one in entries if isinstance(one, dict) and isinstance(one.get("name"), str)]
    return {entry["name"]: _kind(entry) for entry in named}


def _kind(entry: JsonObject) -> Kind:
    urgent_field, urgent_values = _urgent_when(entry.get("lane"))
    schema, parent = _members(entry, "schema"), entry.get("parent")
    part = {name: member for name, member in schema.items() if name != "required"}
    return Kind(
        name=entry["name"],
        whole=json.dumps(schema, sort_keys=True),
        part=json.dumps(part, sort_keys=True),
        fields={name: one for name, one in _members(entry, "fields").items() if _says_who(one)},
        parent=parent if isinstance(parent, str) else None,
        lane=URGENT if entry.get("lane") == "urgent" else NORMAL,
        urgent_field=urgent_field,
        urgent_values=urgent_values,
        states=_moves.read(entry.get("states")),
    )


def _members(entry: JsonObject, name: str) -> JsonObject:
    told = entry.get(name)
    return told if isinstance(told, dict) else {}


def _says_who(told: object) -> bool:
    """Whether the description of a field can be read."""
    return isinstance(told, dict) and isinstance(told.get("writers", []), list)


def _urgent_when(lane: object) -> tuple[str | None, Sequence[Any]]:
    match lane:
        case {"field": str(name), "urgent": list(values)}:
            return name, values
    return None, ()


def _schema_errors(kind: Kind, values: JsonObject, *, whole: bool) -> dict[str, str]:
    validate = _validator(kind.whole if whole else kind.part)
    if validate is None:
        return {}
    try:
        validate(values)
    except fastjsonschema.JsonSchemaValueException as error:
        return _told(error, values)
    except Exception:  # a schema that compiled may still say nothing that can be checked
        return {}
    return {}


def _told(error: fastjsonschema.JsonSchemaValueException, values: JsonObject) -> dict[str, str]:
    if error.rule == "required" and len(error.path) == 1:
        missing = [name for name in error.rule_definition if name not in values]
        return dict.fromkeys(missing, "is needed")
    path = [str(step) for step in error.path[1:]]
    reason = str(error.message).removeprefix(str(error.name)).strip()
    return {".".join(path) or _rule_of(error): reason}


def _rule_of(error: fastjsonschema.JsonSchemaValueException) -> str:
    """The rule that failed, where it belongs to no field."""
    return str(error.rule)


@functools.lru_cache(maxsize=256)
def _validator(schema: str) -> Any:
    """A compiled check; None where the schema is beyond this library: saving must go on."""
    try:
        readable = _readable(json.loads(schema))
        return fastjsonschema.compile(readable, handlers=_ELSEWHERE, use_default=False)
    except Exception:  # the library raises whatever the garbage leads it to
        return None


def _not_fetched(uri: str) -> NoReturn:
    """Saving uses no network, whatever a schema points at."""
    raise LookupError(uri)


_ELSEWHERE = dict.fromkeys(("http", "https", "ftp", "file", "data"), _not_fetched)


_CLASS = re.compile(r"\\.|\[(?:\\.|[^\]\\])*\]")
_DOLLAR = re.compile(r"(?<!\\)\$")


def _readable(schema: Any) -> Any:
    """The schema with ``$`` escaped where a pattern means the character.

    fastjsonschema takes each bare ``$`` for the end of the text, also inside brackets.
    """
    if isinstance(schema, list):
        return [_readable(member) for member in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        name: _escaped(member)
        if name == "pattern" and isinstance(member, str)
        else _readable(member)
        for name, member in schema.items()
    }


def _escaped(pattern: str) -> str:
    return _CLASS.sub(lambda found: _DOLLAR.sub(r"\\$", found[0]), pattern)
