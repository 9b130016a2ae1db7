"""X4, X8, X9, V5: who works a case, whether its clock stands still, what is wrong with a photo or
with the server's check, and what the departments tell each other."""

from collections.abc import Callable
from functools import partial

from flask import redirect, request, url_for

from server.backoffice.blueprint import Page, blueprint
from server.backoffice.door import signed_in
from server.backoffice.record import Typed, render_record
from server.backoffice.sight import look_at
from server.domain.cases.actions import Override, override_point
from server.domain.review import actions, noting
from server.domain.review.noting import Said
from server.errors import Problem
from server.extensions import db
from server.people.principal import Principal
from server.services import services

SHOWN = frozenset({"wrong_state", "validation"})


@blueprint.post("/records/<record>/handling")
@signed_in
def handle(principal: Principal, record: str) -> Page:
    """Does what the button says, and shows the record as it then is."""
    look_at(principal, record)
    base = request.form.get("base", 0, type=int)
    values = {name: said or None for name, said in request.form.items() if name == "pause"}
    if "assigned_to" in request.form:
        values["assigned_to"] = principal.user
    act = partial(actions.handle, services().sync, db.session(), principal)
    return _shown(principal, record, lambda: act(record, base=base, values=values))


@blueprint.post("/records/<record>/photos/<photo>/guidance")
@signed_in
def guide_photo(principal: Principal, record: str, photo: str) -> Page:
    """Tells the rep what is wrong with one photo."""
    if photo not in {one.record for one in look_at(principal, record).photos}:
        raise Problem("not_found")
    base, said = request.form.get("base", 0, type=int), request.form.get("guidance", "").strip()
    act = partial(actions.guide_photo, services().sync, db.session(), principal)
    return _shown(principal, record, lambda: act(photo, base=base, guidance=said))


@blueprint.post("/records/<record>/points/<point>")
@signed_in
def override(principal: Principal, record: str, point: str) -> Page:
    """X4: says otherwise than the server's check of one point."""
    look_at(principal, record)
    base, reason = request.form.get("base", 0, type=int), request.form.get("reason", "").strip()
    result = request.form.get("result", "")
    said = Override(case=record, base=base, point=point, result=result, reason=reason)
    typed = Typed(base=base, evidence="", point=point, result=result, reason=reason)
    act = partial(override_point, db.session(), services().sync, principal)
    return _shown(principal, record, lambda: act(said), typed=typed)


@blueprint.post("/records/<record>/notes")
@signed_in
def write_note(principal: Principal, record: str) -> Page:
    """X9: notes something about a case for the other departments."""
    look_at(principal, record)
    text, for_rep = request.form.get("text", "").strip(), "for_rep" in request.form
    said = Said(about=record, form=request.form.get("form", ""), text=text, for_rep=for_rep)
    typed = Typed(base=0, evidence="", text=text, for_rep=for_rep)
    act = partial(noting.write_note, db.session(), services().sync, principal)
    return _shown(principal, record, lambda: act(said), typed=typed)


def _shown(
    principal: Principal, record: str, act: Callable[[], object], typed: Typed | None = None
) -> Page:
    """Acts, and shows the record as it then is, or what was in the way and what was typed."""
    try:
        act()
    except Problem as problem:
        if problem.code not in SHOWN:
            raise
        page = render_record(principal, look_at(principal, record), typed=typed, problem=problem)
        return page, problem.type.status
    return redirect(url_for("office.show_record", record=record))
