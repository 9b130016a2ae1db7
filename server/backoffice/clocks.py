"""X8: the clocks of a record in the reader's words, those that ended included."""

from collections.abc import Iterator
from dataclasses import dataclass

from flask_babel import gettext

from server.backoffice import words
from server.backoffice.facts import Lens
from server.backoffice.words import in_language
from server.casework.queries import OpenWork
from server.domain.review.steps import PAUSES
from server.services import services


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockView:
    """One clock as its row shows it."""

    task: str
    who: str
    since: str
    due: str
    code: str
    standing: str
    lines: tuple[str, ...]
    """When it ended, whom it was told to, when and why it stood still."""


def clock_view(lens: Lens, work: OpenWork) -> ClockView:
    """The clock of ``work``."""
    standing = work.standing(services().clock.now())
    who = words.say(words.ROLES, work.role)
    return ClockView(
        task=words.say(words.TASKS, work.task),
        who=f"{who} · {lens.name(work.person)}" if work.person else who,
        since=lens.local(work.opened_at),
        due=lens.local(work.due_at),
        code=standing,
        standing=words.say(words.STANDINGS, standing),
        lines=tuple(_lines(lens, work)),
    )


def _lines(lens: Lens, work: OpenWork) -> Iterator[str]:
    if work.closed_at is not None:
        yield lens.local(work.closed_at)
    if work.escalated_to is not None:
        told = words.say(words.ROLES, work.escalated_to)
        yield gettext("told to: %(role)s", role=told)
    for begun, ended, why in work.pauses:
        yield f"{_pause(lens, why)} {lens.local(begun)} – {lens.local(ended)}"
    if work.pause is not None:
        yield _pause(lens, work.pause)


def _pause(lens: Lens, code: str) -> str:
    return in_language(" / ".join(PAUSES[code]), lens.language) if code in PAUSES else code
