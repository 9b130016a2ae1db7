"""Events for the systems that hooks belong to: what they missed, read by cursor."""

from typing import Any

from flask import Blueprint, Response, jsonify, request

from server.api.access import bearer
from server.errors import Problem
from server.extensions import db
from server.outward.hooks import recognise
from server.outward.queries import events_after

blueprint = Blueprint("events", __name__)


def for_hooks(view: Any) -> Any:
    """Declares a route for whoever holds the token of a hook."""
    view.access = "hook"
    return view


@blueprint.get("/v1/events")
@for_hooks
def events() -> Response:
    """The next events behind ``after`` that the hook of this token asked for."""
    hook = recognise(db.session(), bearer())
    if hook is None:
        raise Problem("unauthenticated")
    page = events_after(db.session(), hook, request.args.get("after"))
    return jsonify(events=page.events, cursor=page.cursor, more=page.more)
