"""B2: deciding and taking back. Both go through the domain's actions, as any other write."""

from datetime import timedelta

from flask import redirect, request, session, url_for

from server.backoffice.blueprint import Page, blueprint
from server.backoffice.door import signed_in
from server.backoffice.offers import Offer, read_inputs
from server.backoffice.queue import read_rows
from server.backoffice.record import Typed, render_record
from server.backoffice.sight import Sight, look_at
from server.clock import from_wire, to_wire
from server.domain.review import actions
from server.domain.review.actions import Decision
from server.errors import Problem
from server.extensions import db
from server.people.principal import Principal
from server.services import services

LAST = "decided"
"""Where the browser session keeps the decision that may still be taken back."""
SHOWN_AGAIN = frozenset({"wrong_state", "validation"})


@blueprint.post("/records/<record>/decision")
@signed_in
def decide(principal: Principal, record: str) -> Page:
    """Decides, and goes on to the next; or shows what changed and keeps what was typed."""
    typed, before = _read_form(), look_at(principal, record)
    try:
        offer = _check(before, typed)
        decision = _decision(record, typed, offer)
        actions.decide(services().sync, db.session(), principal, decision)
    except Problem as problem:
        if problem.code not in SHOWN_AGAIN:
            raise
        again = render_record(principal, look_at(principal, record), typed=typed, problem=problem)
        return again, problem.type.status
    _remember(record, offer.done)
    return redirect(_onward(principal, before, typed))


def _read_form() -> Typed:
    form = request.form
    verdict = form.get("verdict", "")
    return Typed(
        base=form.get("base", 0, type=int),
        evidence=form.get("evidence", ""),
        verdict=verdict,
        reason=form.get(f"reason_{verdict}", ""),
        note=form.get("note", "").strip(),
        guidance=form.get("guidance", "").strip(),
        stay=form.get("step") == "stay",
    )


def _check(seen: Sight, typed: Typed) -> Offer:
    """The offer that was taken; refuses, before anything is written, what nobody means to send."""
    if not seen.offers:
        raise Problem("forbidden")
    offer = next((one for one in seen.offers if one.verdict == typed.verdict), None)
    is_stale = typed.base != seen.record.version  # it may have been offered on that page
    if offer is None and not (typed.verdict and is_stale):
        raise Problem("validation", fields={"verdict": "required"})
    if not typed.reason and not typed.note:
        raise Problem("validation", fields={"verdict_reason": "required"})
    if offer is None or typed.evidence != seen.evidence:
        raise Problem("wrong_state")
    return offer


def _decision(record: str, typed: Typed, offer: Offer) -> Decision:
    return Decision(
        record=record,
        base=typed.base,
        verdict=typed.verdict,
        reason=typed.reason,
        note=typed.note,
        guidance=typed.guidance,
        values=read_inputs(offer, request.form),
    )


def _remember(record: str, words: str) -> None:
    at = to_wire(services().clock.now())
    session[LAST] = {"record": record, "words": words, "at": at}


def _onward(principal: Principal, decided: Sight, typed: Typed) -> str:
    """The record that waits behind the one just decided; the queue where nothing does."""
    if typed.stay or decided.work is None:
        return url_for("office.show_record", record=decided.record.id)
    behind = read_rows(principal, kind=None, after=decided.work.key, limit=1)
    rows = behind or read_rows(principal, kind=None, after=None, limit=1)
    if not rows:
        return url_for("office.queue")
    return url_for("office.show_record", record=rows[0].record.id)


@blueprint.post("/records/<record>/undo")
@signed_in
def undo(principal: Principal, record: str) -> Page:
    """B2: takes one's own decision back within the policy's seconds."""
    rules = services().policy.review
    session.pop(LAST, None)
    try:
        actions.undo(services().sync, db.session(), principal, record, rules=rules)
    except Problem as problem:
        if problem.code != "wrong_state":
            raise
        page = render_record(principal, look_at(principal, record), problem=problem)
        return page, problem.type.status
    return redirect(url_for("office.show_record", record=record))


def last_decision() -> dict[str, object] | None:
    """The decision that this browser made and may still take back, with the seconds left."""
    told = session.get(LAST)
    if told is None:
        return None
    term = timedelta(seconds=services().policy.review.undo_seconds)
    left = from_wire(told["at"]) + term - services().clock.now()
    return {**told, "seconds": int(left.total_seconds())} if left > timedelta() else None
