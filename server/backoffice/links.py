"""X6: the page of the links about a record: made, ended, who opened them and what came by them."""

from datetime import datetime

from flask import redirect, render_template, url_for
from flask_babel import lazy_gettext

from server.backoffice.blueprint import Page, blueprint
from server.backoffice.door import signed_in
from server.backoffice.lenses import lens_for
from server.backoffice.sight import Sight, look_at
from server.db import transaction
from server.domain.links import actions, queries
from server.domain.links.actions import Wish
from server.domain.links.purposes import Purpose, purpose_for
from server.domain.queries import label_of
from server.errors import Problem
from server.extensions import db
from server.people.principal import Principal
from server.services import services

PATH = "/l/"
"""Where the pages behind links begin."""
SHOWN = {
    "rebuttal": lazy_gettext(
        "Whoever has it sees batches, products, quantities and copies of some photos, "
        "and may hand in evidence."
    ),
    "fault_photos": lazy_gettext(
        "Whoever has it sees product, batch and quantity, and may add photos."
    ),
}
"""What a link for a purpose opens."""


def may_link(reader: Principal, sight: Sight) -> Purpose | None:
    """The purpose for which ``reader`` may make links about the record, if there is one."""
    purpose = purpose_for(sight.kind.name)
    if purpose is None or not reader.has(purpose.makers, sight.record.region):
        return None
    return purpose


@blueprint.get("/records/<record>/links")
@signed_in
def show_links(principal: Principal, record: str) -> Page:
    """Every link about a record with its openings."""
    return _page(principal, *_need(principal, record))


@blueprint.post("/records/<record>/links")
@signed_in
def make_link(principal: Principal, record: str) -> Page:
    """Makes one whose term begins now, and shows its address, which is kept nowhere."""
    own, (sight, purpose) = services(), _need(principal, record)
    expires_at = actions.expiry_of(own.policy, purpose, own.clock.now())
    wish = Wish(purpose=purpose.name, record=record, expires_at=expires_at, by=principal)
    with transaction(db.session()):
        made = actions.make_link(db.session(), own.sync, wish)
    return _page(principal, sight, purpose, address=own.settings.origins[0] + PATH + made.token)


@blueprint.post("/records/<record>/links/<link>/end")
@signed_in
def end_link(principal: Principal, record: str, link: str) -> Page:
    """Ends a link before its term."""
    _need(principal, record)
    with transaction(db.session()):
        actions.revoke_link(db.session(), services().sync, link, principal)
    return redirect(url_for("office.show_links", record=record))


def _need(reader: Principal, record: str) -> tuple[Sight, Purpose]:
    """*Raises* ``not_found`` for a record without links, ``forbidden`` without the role."""
    sight = look_at(reader, record)
    if purpose_for(sight.kind.name) is None:
        raise Problem("not_found")
    purpose = may_link(reader, sight)
    if purpose is None:
        raise Problem("forbidden")
    return sight, purpose


def _page(reader: Principal, sight: Sight, purpose: Purpose, address: str = "") -> str:
    now, session = services().clock.now(), db.session()
    known = queries.links_about(session, sight.record.id)
    makers = [one.link.made_by for one in known]
    lens = lens_for(session, reader, [sight.record], makers)
    return render_template(
        "office/links.html",
        record=sight.record,
        kind=sight.kind,
        label=label_of(sight.kind, sight.record),
        shown=SHOWN[purpose.name],
        until=lens.local(_until(sight, purpose, now)),
        address=address,
        links=[(one, _state(one, now), lens.name(one.link.made_by)) for one in known],
        lens=lens,
    )


def _until(sight: Sight, purpose: Purpose, now: datetime) -> datetime:
    """When a link is over that is made now."""
    told = actions.expiry_of(services().policy, purpose, now)
    return queries.expiry(db.session(), purpose, sight.record.id, made_at=now, expires_at=told)


def _state(known: queries.Known, now: datetime) -> str:
    if known.link.revoked_at is not None:
        return "ended"
    return "open" if known.link.is_open(now) else "over"
