"""Words for codes of the server that belong to no kind: roles, tasks, flags, seals, time left."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from flask_babel import gettext, lazy_gettext
from flask_babel.speaklater import LazyString

from server.backoffice.facts import Lens
from server.backoffice.lenses import flag_words
from server.casework.queries import OpenWork
from server.sync.kinds import RecordKind

ROLES = {
    "rep": lazy_gettext("Rep"),
    "region_manager": lazy_gettext("Region manager"),
    "sales_manager": lazy_gettext("Sales manager"),
    "market_officer": lazy_gettext("Market officer"),
    "market_inspector": lazy_gettext("Market inspector"),
    "logistics_officer": lazy_gettext("Logistics officer"),
    "sales_clerk": lazy_gettext("Sales clerk"),
    "service_officer": lazy_gettext("Service officer"),
    "technical_officer": lazy_gettext("Technical officer"),
    "sales_director": lazy_gettext("Sales director"),
    "general_manager": lazy_gettext("General manager"),
    "finance_officer": lazy_gettext("Finance officer"),
    "cashier": lazy_gettext("Cashier"),
    "warehouse_officer": lazy_gettext("Warehouse officer"),
    "administrator": lazy_gettext("Administrator"),
}
TASKS = {
    "compare": lazy_gettext("Compare the two"),
    "renew": lazy_gettext("Renew the licence"),
    "parked": lazy_gettext("Handed in and refused"),
    "review": lazy_gettext("Review"),
    "intake": lazy_gettext("Intake"),
    "unsigned": lazy_gettext("Collect signatures"),
    "mend": lazy_gettext("Mend what was returned"),
    "notice": lazy_gettext("Tell the accused"),
    "rebuttal": lazy_gettext("The accused may answer"),
    "trace": lazy_gettext("Say where the batch went"),
    "facts": lazy_gettext("Verify the facts"),
    "inspect": lazy_gettext("Work the case in the field"),
    "decision": lazy_gettext("Decide"),
    "end_pause": lazy_gettext("Let the clock go on"),
    "register": lazy_gettext("Register the report"),
    "acknowledge": lazy_gettext("Say who goes and looks"),
    "on_site": lazy_gettext("Look at it on site"),
    "opinion": lazy_gettext("Sign an opinion"),
    "technical": lazy_gettext("Decide technically"),
    "do": lazy_gettext("Carry out what was decided"),
    "acknowledge_result": lazy_gettext("Take note of the result"),
    "approve": lazy_gettext("Approve"),
    "top_up": lazy_gettext("Record the top-up of the deposit"),
    "confirm": lazy_gettext("Say whether it still stands"),
    "answer": lazy_gettext("Answer"),
    "solve": lazy_gettext("Solve"),
    "progress": lazy_gettext("Write a progress note"),
    "satisfaction": lazy_gettext("Ask whether they are satisfied"),
    "revisit": lazy_gettext("Visit again"),
}
FLAGS = {
    "parent_withdrawn": lazy_gettext("Its parent was withdrawn"),
    "moved": lazy_gettext("Moved to somebody else"),
    "claim_duplicate": lazy_gettext("Possible duplicate"),
    "late": lazy_gettext("Late"),
}
REASONS = {
    "far": lazy_gettext("Checked in farther from the customer than the policy allows."),
    "stale_position": lazy_gettext("The position was older than the policy allows."),
    "mocked": lazy_gettext("The device said that its position was made up."),
    "gallery": lazy_gettext("Chosen from the gallery, not taken with the app's camera."),
    "not_the_role": lazy_gettext("Whoever sent it does not hold the role it was signed in."),
    "blurred": lazy_gettext("The picture is unsharp; it may have to be taken again."),
    "dark": lazy_gettext("The picture is dark; it may have to be taken again."),
    "too_bright": lazy_gettext("The picture is too bright; it may have to be taken again."),
    "parent_withdrawn": lazy_gettext("The record above it was taken back."),
}
STANDINGS = {
    "running": lazy_gettext("running"),
    "warned": lazy_gettext("running out"),
    "missed": lazy_gettext("missed"),
    "paused": lazy_gettext("paused"),
    "done": lazy_gettext("done in time"),
    "done_late": lazy_gettext("done late"),
}
SEALS = {
    "sealed": lazy_gettext("Sealed: the device's signature was verified"),
    "chained": lazy_gettext("Chained: unbroken, signature of the run verified"),
    "gap": lazy_gettext("Gap: an earlier item of the device has not arrived yet"),
    "broken": lazy_gettext("Broken: the seal does not fit what was received"),
    "unsealed": lazy_gettext("Unsealed: written without a device key"),
}
WRITERS = {
    "office": lazy_gettext("Office"),
    "server": lazy_gettext("Server"),
    "guest": lazy_gettext("By a link"),
}


def say(words: dict[str, LazyString], code: str) -> str:
    """The words for ``code``; a code from elsewhere reads as it is written."""
    return str(words.get(code, code.replace("_", " ")))


def flags(lens: Lens, kind: RecordKind, codes: Iterable[str]) -> tuple[tuple[str, str], ...]:
    """Each flag in the kind's own words, else the engine's; and why it stands there."""
    return tuple(
        (flag_words(lens, kind, code) or say(FLAGS, code), str(REASONS.get(code, "")))
        for code in codes
    )


def writer(lens: Lens, user: str) -> str:
    """Who wrote something: a person, or the server itself."""
    return say(WRITERS, user) if user in WRITERS else lens.name(user)


def in_language(text: str, language: str) -> str:
    """Text of the policy, "zh / en", in one language; the whole where it has but one."""
    zh, _, en = text.partition(" / ")
    return zh if language.startswith("zh") or not en else en


@dataclass(frozen=True, slots=True)
class TimeLeft:
    """X8: how long until something is due, told in text and sign, never in colour alone."""

    text: str
    band: str
    """``late``, ``last`` (a quarter left), ``half``, or ``fresh``."""
    sign: str


SIGNS = {"late": "▲", "last": "◕", "half": "◑", "fresh": "◔"}


def time_left(work: OpenWork, now: datetime) -> TimeLeft:
    """What is left of the term of ``work``."""
    seconds = (work.due_at - now).total_seconds()
    span = _span(int(abs(seconds)))
    if seconds < 0:
        return TimeLeft(str(gettext("%(span)s late", span=span)), "late", SIGNS["late"])
    share = seconds / max((work.due_at - work.opened_at).total_seconds(), 1)
    band = "last" if share <= 0.25 else "half" if share <= 0.5 else "fresh"
    return TimeLeft(str(gettext("%(span)s left", span=span)), band, SIGNS[band])


def _span(seconds: int) -> str:
    minutes, hours, days = seconds // 60 % 60, seconds // 3600 % 24, seconds // 86400
    if days:
        return str(gettext("%(days)d d %(hours)d h", days=days, hours=hours))
    if hours:
        return str(gettext("%(hours)d h %(minutes)d m", hours=hours, minutes=minutes))
    return str(gettext("%(minutes)d m", minutes=minutes))
