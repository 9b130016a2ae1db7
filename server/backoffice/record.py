"""The page of one record. Reads only; what is decided on it goes to ``decisions``."""

from dataclasses import dataclass

from flask import redirect, render_template, url_for

from server.backoffice.blueprint import Page, blueprint
from server.backoffice.door import signed_in
from server.backoffice.languages import language
from server.backoffice.links import may_link
from server.backoffice.matches import PAIRS
from server.backoffice.openings import note_opening
from server.backoffice.penalties import lists_penalties
from server.backoffice.portrait import portray
from server.backoffice.sight import Sight, look_at
from server.domain.cases.actions import may_override
from server.domain.cases.checks import RESULTS
from server.domain.review.noting import reaches_rep, takes_notes
from server.domain.review.steps import PAUSES
from server.domain.shapes import Names
from server.errors import Problem, Words, describe
from server.people.principal import Principal
from server.services import services


@dataclass(frozen=True, slots=True, kw_only=True)
class Typed:
    """What a reviewer typed into a form of the page, on which version and evidence."""

    base: int
    evidence: str
    verdict: str = ""
    reason: str = ""
    note: str = ""
    guidance: str = ""
    stay: bool = False
    point: str = ""
    result: str = ""
    text: str = ""
    for_rep: bool = False


@blueprint.get("/records/<record>")
@signed_in
def show_record(principal: Principal, record: str) -> Page:
    """B4: everything about a record that the person may open."""
    sight = look_at(principal, record)
    if sight.kind.name in PAIRS:
        return redirect(url_for("office.show_match", match=record))
    note_opening(principal, sight.record)
    return render_record(principal, sight)


def render_record(
    principal: Principal,
    sight: Sight,
    *,
    typed: Typed | None = None,
    problem: Problem | None = None,
) -> str:
    """The page; after a decision that was not taken, with why and with what was typed."""
    record = portray(principal, sight)
    base = typed.base if typed else record.version
    return render_template(
        "office/record.html",
        record=record,
        offers=sight.offers,
        handled=sight.handled,
        pauses=in_words(PAUSES, language()),
        overridable=may_override(principal, sight.record),
        results=in_words(RESULTS, language()),
        restorable=sight.restorable,
        typed=typed or Typed(base=base, evidence=sight.evidence),
        evidence=sight.evidence,
        told=describe(problem.code, language(), problem.fields) if problem else None,
        news=[version for version in record.versions if version.version > base],
        guided="guidance" in sight.kind.fields,
        linkable=may_link(principal, sight) is not None,
        penalties=lists_penalties(principal, sight),
        notable=takes_notes(services().sync, sight.kind.name),
        note_form=services().ids.new(),
        told_to_rep=reaches_rep(sight.record),
    )


def in_words(choices: Names, told: str) -> list[tuple[str, str]]:
    """Each code of ``choices`` with its words in the language ``told``."""
    return [(code, Words(*words).say(told)) for code, words in choices.items()]
