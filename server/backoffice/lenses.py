"""Makes a page's lens from the store, and the words for records that it lists. Reads only."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from sqlalchemy.orm import Session

from server.backoffice.facts import Lens, keys_in
from server.backoffice.languages import language
from server.domain.queries import Reference
from server.people.principal import Principal
from server.people.queries import names_of
from server.services import services
from server.sync.kinds import RecordKind, Registry
from server.sync.queries import StoredRecord


def lens_for(
    session: Session,
    reader: Principal,
    records: Iterable[StoredRecord],
    further: Iterable[str | None] = (),
) -> Lens:
    """The eyes of ``reader``, knowing every name in ``records`` and among the keys ``further``."""
    keys = {key for key in further if key}
    for record in records:
        keys |= {record.creator, record.region or ""} | set(keys_in(record.data))
    names = names_of(session, keys - {""})
    return Lens(language=language(), zone=reader.zone, names=names)


def worded(
    lens: Lens, registry: Registry, references: Mapping[str, Reference]
) -> dict[str, Reference]:
    """The same references with labels in the reader's words."""
    return {
        field: replace(one, label=label_in(lens, registry.get(one.kind), one.label))
        for field, one in references.items()
    }


def label_in(lens: Lens, kind: RecordKind | None, label: str | None) -> str | None:
    """A label in the reader's words, where it is a code of its kind or the name of another."""
    if kind is None or kind.label is None or label is None:
        return label
    if kind.label == "record_kind":
        concerned = services().sync.registry.get(label)
        return concerned.title[lens.language] if concerned else label
    schema = kind.json_schema["properties"].get(kind.label, {})
    return lens.choice(schema, label) or label


def flag_words(lens: Lens, kind: RecordKind, flag: str) -> str | None:
    """The kind's own words for one of its flags."""
    return lens.choice(kind.json_schema["properties"].get("flags", {}), flag)


def state_words(lens: Lens, kind: RecordKind, data: Mapping[str, Any]) -> str:
    """The state of a record in words; empty for a kind without states."""
    state = str(data.get("state", ""))
    return lens.choice(kind.json_schema["properties"].get("state", {}), state) or state
