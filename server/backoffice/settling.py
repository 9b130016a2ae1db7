"""P6: what was kept beside a record is brought back or dismissed from its page."""

from collections.abc import Callable
from functools import partial

from flask import redirect, request, url_for

from server.backoffice.blueprint import Page, blueprint
from server.backoffice.door import signed_in
from server.backoffice.record import render_record
from server.backoffice.sight import look_at
from server.domain.review import restoring
from server.errors import Problem
from server.extensions import db
from server.people.principal import Principal
from server.services import services

ACTS = {"restore": restoring.restore, "dismiss": restoring.dismiss}
SHOWN = frozenset({"wrong_state", "validation"})


@blueprint.post("/records/<record>/kept/<kept>")
@signed_in
def settle(principal: Principal, record: str, kept: str) -> Page:
    """Does what the button says, and shows the record as it then is."""
    look_at(principal, record)
    act = ACTS.get(request.form.get("act", ""))
    if act is None:
        raise Problem("bad_request")
    return _shown(principal, record, lambda: act(services().sync, db.session(), principal, kept))


@blueprint.post("/records/<record>/versions/<int:version>")
@signed_in
def put_back(principal: Principal, record: str, version: int) -> Page:
    """B4: puts the record back as devices had written it by ``version``, as a new version."""
    look_at(principal, record)
    base = request.form.get("base", 0, type=int)
    back = partial(restoring.restore_version, services().sync, db.session(), principal, record)
    return _shown(principal, record, lambda: back(version=version, base=base))


def _shown(principal: Principal, record: str, act: Callable[[], int]) -> Page:
    """Acts, and shows the record as it then is, or what was in the way."""
    try:
        act()
    except Problem as problem:
        if problem.code not in SHOWN:
            raise
        page = render_record(principal, look_at(principal, record), problem=problem)
        return page, problem.type.status
    return redirect(url_for("office.show_record", record=record))
