"""X8: who works a case, and whether its clock stands still, set from its page."""

from flask import redirect, request, url_for

from server.backoffice.blueprint import Page, blueprint
from server.backoffice.door import signed_in
from server.backoffice.record import render_record
from server.backoffice.sight import look_at
from server.domain.review import actions
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
    try:
        actions.handle(services().sync, db.session(), principal, record, base=base, values=values)
    except Problem as problem:
        if problem.code not in SHOWN:
            raise
        page = render_record(principal, look_at(principal, record), problem=problem)
        return page, problem.type.status
    return redirect(url_for("office.show_record", record=record))
