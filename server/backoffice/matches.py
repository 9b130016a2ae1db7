"""B3, K2: the pages of two records that may be the same: side by side, and what a person says."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast, get_args

from flask import redirect, render_template, request, url_for

from server.backoffice import words
from server.backoffice.blueprint import Page, blueprint
from server.backoffice.door import signed_in
from server.backoffice.facts import Fact, Lens
from server.backoffice.languages import language
from server.backoffice.lenses import lens_for
from server.backoffice.openings import note_opening
from server.backoffice.pairs import Seen, claim_side, filled_in, photo_side
from server.backoffice.past import version_views
from server.backoffice.sight import Sight, look_at
from server.domain import queries
from server.domain.customers.claims import JUDGES
from server.domain.review import answering
from server.domain.review.answering import Answer, Verdict
from server.errors import Problem, describe
from server.extensions import db
from server.people.principal import Principal, Role
from server.services import services

VERDICTS: tuple[str, ...] = get_args(Verdict)
ABOUT_ANSWER = ("answer", "answer_note", "answered_by", "answered_at")
SHOWN_AGAIN = frozenset({"wrong_state"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """What the page of one kind of match shows; its template is called after the kind."""

    later: str
    """The field that names the record that came later."""
    side: Callable[[Principal, Lens, Seen], object]
    about: tuple[str, ...] = ()
    """Fields of the match itself."""
    judges: frozenset[Role] = frozenset(Role)
    """Who of those who may open it may answer."""
    first_told: int = 1
    """P5: the first version of the history that says nothing about a side."""


PAIRS = {
    "photo_match": Pair(
        later="photo", side=photo_side, about=("tier", "distance", "why", "days", "weight")
    ),
    "claim_match": Pair(later="record", side=claim_side, judges=JUDGES, first_told=2),
}
"""Kinds with pages of their own, which show what a list of facts cannot."""


@blueprint.get("/matches/<match>")
@signed_in
def show_match(principal: Principal, match: str) -> Page:
    """Both records, what sets them apart, and the form of the answer."""
    return _render(principal, _look_at_match(principal, match))


@blueprint.post("/matches/<match>")
@signed_in
def answer_match(principal: Principal, match: str) -> Page:
    """Takes the answer, or shows what somebody else said meanwhile."""
    _look_at_match(principal, match)
    answer = _read_answer(match)
    try:
        answering.answer_match(services().sync, db.session(), principal, answer)
    except Problem as problem:
        if problem.code not in SHOWN_AGAIN:
            raise
        page = _render(principal, _look_at_match(principal, match), answer, problem)
        return page, problem.type.status
    return redirect(url_for("office.show_match", match=match))


def _look_at_match(principal: Principal, match: str) -> Sight:
    sight = look_at(principal, match)
    if sight.kind.name not in PAIRS:
        raise Problem("not_found")
    return sight


def _read_answer(match: str) -> Answer:
    said = request.form.get("answer", "")
    if said not in VERDICTS:
        raise Problem("validation", fields={"answer": "required"})
    return Answer(
        match=match,
        base=request.form.get("base", 0, type=int),
        answer=cast("Verdict", said),
        note=request.form.get("note", "").strip(),
    )


def _render(
    principal: Principal, sight: Sight, typed: Answer | None = None, problem: Problem | None = None
) -> str:
    pair, match = PAIRS[sight.kind.name], sight.record
    both = _open_both(principal, sight, pair)
    opened = [one.record for one in both if one.record]
    for record in opened:
        note_opening(principal, record)
    lens = lens_for(db.session(), principal, [match, *opened], sight.keys())
    versions = version_views(lens, sight.kind, sight.versions[pair.first_told - 1 :])
    return render_template(
        f"office/{match.kind}.html",
        match=match,
        kind=sight.kind,
        sides=[pair.side(principal, lens, one) for one in both],
        concerned=services().sync.registry.get(match.data.get("record_kind", "")),
        facts=_facts(lens, sight, pair.about),
        answered=_facts(lens, sight, ABOUT_ANSWER),
        chosen=typed.answer if typed else match.data.get("answer"),
        note=typed.note if typed else match.data.get("answer_note", ""),
        answers=_choices(lens, sight) if principal.has_any(pair.judges) else [],
        versions=versions,
        left=words.time_left(sight.work, services().clock.now()) if sight.work else None,
        due=lens.local(sight.work.due_at) if sight.work else "",
        told=describe(problem.code, language(), problem.fields) if problem else None,
        news=[one for one in versions if typed and one.version > typed.base],
    )


def _open_both(principal: Principal, sight: Sight, pair: Pair) -> tuple[Seen, Seen]:
    """P5: the later and the earlier record, each as far as the reader may open it."""
    data = sight.record.data
    return (
        _open(principal, data[pair.later], data.get("captured")),
        _open(principal, data["earlier"], data.get("earlier_captured")),
    )


def _open(principal: Principal, record: str, captured: str | None) -> Seen:
    found = queries.open_record(db.session(), services().sync.registry, principal, record)
    return Seen(id=record, record=found, captured=captured or "")


def _facts(lens: Lens, sight: Sight, names: tuple[str, ...]) -> tuple[Fact, ...]:
    return lens.facts(sight.kind.json_schema, filled_in(sight.record.data, names))


def _choices(lens: Lens, sight: Sight) -> list[tuple[str, str | None]]:
    schema: Any = sight.kind.json_schema["properties"]["answer"]
    return [(code, lens.choice(schema, code)) for code in VERDICTS]
