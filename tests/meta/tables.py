"""Tables of the documents, made from the code that they describe. No checks here."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import click
import msgspec

from server.cli import cli
from server.domain import all_kinds
from server.errors import CODES
from server.policies.reading import load_defaults
from server.policy import ROUND_THE_CLOCK, Policy, Term
from server.settings import Settings
from server.sync.kinds import RecordKind


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def problems() -> str:
    """Every problem code: status, what happened, what a person can do."""
    head = ("code", "status", "title", "action", "retryable")
    rows = (
        (
            f"`{code}`",
            str(meaning.status),
            meaning.title.en,
            meaning.action.en,
            "yes" if meaning.retryable else "",
        )
        for code, meaning in sorted(CODES.items())
    )
    return table(head, rows)


def kinds() -> str:
    """Every kind: its names, its place, who makes it and who decides it."""
    head = ("kind", "zh-CN", "English", "parent", "created by", "decided by")
    return table(head, (_kind(kind) for kind in all_kinds(load_defaults())))


def _kind(kind: RecordKind) -> tuple[str, ...]:
    made = ", ".join(sorted(kind.create_roles)) or "the server"
    parent = f"`{kind.parent}`" if kind.parent else ""
    decided = ", ".join(sorted(kind.decide_roles))
    return (f"`{kind.name}`", kind.title["zh-CN"], kind.title["en"], parent, made, decided)


def settings() -> Iterator[tuple[str, str]]:
    """(name, default) of every setting."""
    for field in msgspec.structs.fields(Settings):
        yield field.name, _said(field.default)


def policy() -> Iterator[tuple[str, str]]:
    """(section.key, default) of every key of the policy; a list or table stands as ``list``."""
    for section in msgspec.structs.fields(Policy):
        held: Any = getattr(load_defaults(), section.name)
        if section.name == "version":
            continue
        if not isinstance(held, msgspec.Struct):
            yield section.name, _said(held)
            continue
        for field in msgspec.structs.fields(held):
            yield f"{section.name}.{field.name}", _said(getattr(held, field.name))


def _term(term: Term) -> str:
    """Its length, and its calendar unless it runs day and night."""
    parts = ((term.days, "d"), (term.hours, "h"), (term.minutes, "min"))
    length = " ".join(f"{amount} {unit}" for amount, unit in parts if amount)
    return f"`{length}`" if term.calendar == ROUND_THE_CLOCK else f"`{length}, {term.calendar}`"


def _said(value: object) -> str:
    if isinstance(value, Term):
        return _term(value)
    if value is None or value == "":
        return ""
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, tuple) and len(value) == 1:
        return f"`{value[0]}`"
    if isinstance(value, tuple | dict):
        return "list"
    return f"`{value.as_posix() if isinstance(value, Path) else value}`"


def commands(group: click.Command = cli, path: str = "fieldstamp-server") -> Iterator[str]:
    """Every command line of the server, without its arguments."""
    if not isinstance(group, click.Group):
        yield path
        return
    for name, command in sorted(group.commands.items()):
        yield from commands(command, f"{path} {name}")
