"""B3: the page of two photos that show the same: side by side, why, and what a person says."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast, get_args

from flask import redirect, render_template, request, url_for

from server.backoffice import words
from server.backoffice.blueprint import Page, blueprint
from server.backoffice.door import signed_in
from server.backoffice.evidence import PREVIEWED
from server.backoffice.facts import Fact, Lens
from server.backoffice.languages import language
from server.backoffice.lenses import lens_for, worded
from server.backoffice.past import version_views
from server.backoffice.sight import Sight, look_at
from server.domain import queries
from server.domain.evidence import comparing
from server.domain.evidence.comparing import Answer
from server.errors import Problem, describe
from server.extensions import db
from server.people.principal import Principal
from server.services import services
from server.sync.queries import StoredRecord

ANSWERS: tuple[str, ...] = get_args(Answer)
SIDES = ("photo", "earlier")
ABOUT_PHOTO = ("parent", "tag", "source", "captured", "position", "content_reason", "flags")
ABOUT_MATCH = ("tier", "distance", "why", "days", "weight")
ABOUT_ANSWER = ("answer", "answer_note", "answered_by", "answered_at")
SHOWN_AGAIN = frozenset({"wrong_state"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One of the two photos; None of it where the reader may not open it any more (P5)."""

    photo: str
    rep: str = ""
    region: str = ""
    received: str = ""
    has_picture: bool = False
    has_bytes: bool = False
    facts: tuple[Fact, ...] = ()


@blueprint.get("/matches/<match>")
@signed_in
def show_match(principal: Principal, match: str) -> Page:
    """Both pictures, what sets them apart, and the form of the answer."""
    return _render(principal, _look_at_match(principal, match))


@blueprint.post("/matches/<match>")
@signed_in
def answer_match(principal: Principal, match: str) -> Page:
    """Takes the answer, or shows what somebody else said meanwhile."""
    _look_at_match(principal, match)
    try:
        _send(principal, match)
    except Problem as problem:
        if problem.code not in SHOWN_AGAIN:
            raise
        return _render(principal, _look_at_match(principal, match), problem), problem.type.status
    return redirect(url_for("office.show_match", match=match))


def _look_at_match(principal: Principal, match: str) -> Sight:
    sight = look_at(principal, match)
    if sight.kind.name != comparing.KIND:
        raise Problem("not_found")
    return sight


def _send(principal: Principal, match: str) -> None:
    said = request.form.get("answer", "")
    if said not in ANSWERS:
        raise Problem("validation", fields={"answer": "required"})
    comparing.answer_match(
        db.session(),
        services().sync,
        principal,
        match,
        base=request.form.get("base", 0, type=int),
        answer=cast("Answer", said),
        note=request.form.get("note", "").strip(),
    )


def _render(principal: Principal, sight: Sight, problem: Problem | None = None) -> str:
    data = sight.record.data
    photos = [_open(principal, data[side]) for side in SIDES]
    lens = lens_for(db.session(), principal, [sight.record, *filter(None, photos)], sight.keys())
    answers = sight.kind.json_schema["properties"]["answer"]
    return render_template(
        "office/match.html",
        match=sight.record,
        kind=sight.kind,
        sides=[
            _side(principal, lens, data[side], photo)
            for side, photo in zip(SIDES, photos, strict=True)
        ],
        facts=_facts(lens, sight, ABOUT_MATCH),
        answered=_facts(lens, sight, ABOUT_ANSWER),
        answers=[(code, lens.choice(answers, code)) for code in ANSWERS],
        versions=version_views(lens, sight.kind, sight.versions),
        left=words.time_left(sight.work, services().clock.now()) if sight.work else None,
        due=lens.local(sight.work.due_at) if sight.work else "",
        told=describe(problem.code, language(), problem.fields) if problem else None,
    )


def _open(principal: Principal, photo: str) -> StoredRecord | None:
    return queries.open_record(db.session(), services().sync.registry, principal, photo)


def _facts(lens: Lens, sight: Sight, names: tuple[str, ...]) -> tuple[Fact, ...]:
    return lens.facts(sight.kind.json_schema, _some(sight.record.data, names))


def _some(data: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    return {name: data[name] for name in names if data.get(name) not in (None, [])}


def _side(principal: Principal, lens: Lens, id_: str, photo: StoredRecord | None) -> Side:
    if photo is None:
        return Side(photo=id_)
    registry = services().sync.registry
    named = queries.references(db.session(), registry, principal, [photo])[photo.id]
    return Side(
        photo=id_,
        rep=lens.name(photo.creator),
        region=lens.name(photo.region) if photo.region else "",
        received=lens.moment(photo.created_at),
        has_picture=photo.data.get("content") == PREVIEWED,
        has_bytes=photo.data.get("state") == "verified",
        facts=lens.facts(
            registry.kinds["photo"].json_schema,
            _some(photo.data, ABOUT_PHOTO),
            references=worded(lens, registry, named),
        ),
    )
