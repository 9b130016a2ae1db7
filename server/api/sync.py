"""hello, kinds, push, pull and the fate of one mutation (PROTOCOL *Sync*)."""

from dataclasses import dataclass
from typing import Any

import orjson
from flask import Response, current_app, request
from marshmallow import fields, validate

from server.api.access import needs, public
from server.api.apps import need_current_app
from server.api.envelope import FIELD_ERRORS, Envelope, text
from server.api.kinds import SCHEMA, describe_kinds
from server.api.openapi import Blueprint
from server.api.problem import language
from server.clock import to_wire
from server.errors import Problem, describe
from server.extensions import db
from server.people.principal import Principal
from server.proof.encoding import sha256_hex
from server.services import Services, services
from server.settings import Settings
from server.sync import epochs
from server.sync.digest import break_down, repair
from server.sync.fate import fate_of
from server.sync.pull import DEFAULT_PAGE, MAX_PAGE, answer_idle
from server.sync.pull import pull as pull_page
from server.sync.push import Envelope as PushedBy
from server.sync.push import push_batch
from server.sync.snapshot import take_snapshot
from server.sync.wire import MAX_BATCH, PROTOCOL

blueprint = Blueprint("sync", __name__, url_prefix="/v1/sync", description="Records")
Body = dict[str, Any]
TOLD = "fieldstamp-kinds"


def _limit() -> fields.Integer:
    return fields.Integer(
        strict=True,
        load_default=DEFAULT_PAGE,
        error_messages=FIELD_ERRORS,
        validate=validate.Range(min=1, max=MAX_PAGE, error="too_big:{max}"),
    )


def _protocol() -> fields.Integer:
    return fields.Integer(
        required=True,
        strict=True,
        error_messages=FIELD_ERRORS,
        validate=validate.Equal(PROTOCOL, error="choice"),
    )


class Mutations(fields.List[Any]):
    """A list whose members are read later, and cost nothing here."""

    def __init__(self, **given: Any) -> None:
        super().__init__(fields.Raw(), **given)

    def _deserialize(self, value: Any, *_rest: Any, **_more: Any) -> list[Any]:
        if not isinstance(value, list):
            raise self.make_error("invalid")
        return value


class PushEnvelope(Envelope):
    """A batch of mutations; each is read by the engine, so that one bad one stays alone (P8)."""

    protocol = _protocol()
    acked_through = fields.Integer(strict=True, error_messages=FIELD_ERRORS)
    sent_at = fields.String(error_messages=FIELD_ERRORS)
    mutations = Mutations(required=True, error_messages=FIELD_ERRORS)


class PullEnvelope(Envelope):
    """Where the device stands; a null cursor begins."""

    protocol = _protocol()
    schema = fields.Integer(strict=True, error_messages=FIELD_ERRORS)
    cursor = fields.String(required=True, allow_none=True, error_messages=FIELD_ERRORS)
    limit = _limit()


class SnapshotEnvelope(Envelope):
    """Which page of the replacement; null begins."""

    protocol = _protocol()
    page = fields.String(required=True, allow_none=True, error_messages=FIELD_ERRORS)
    limit = _limit()


class DigestEnvelope(Envelope):
    """A scope, and the buckets (last byte of the id, hex) whose content is wanted."""

    protocol = _protocol()
    scope = text(80)
    repair = fields.List(
        fields.String(
            validate=validate.Regexp("^[0-9a-f]{2}\\Z", error="format"), error_messages=FIELD_ERRORS
        ),
        validate=validate.Length(max=256, error="too_many:{max}"),
        error_messages=FIELD_ERRORS,
    )


def _answer(body: Body) -> Response:
    return Response(orjson.dumps(body), mimetype="application/json")


def _limits(settings: Settings) -> Body:
    return {
        "mutations": MAX_BATCH,
        "push_bytes": settings.push_bytes,
        "push_wire_bytes": settings.push_wire_bytes,
        "mutation_bytes": settings.mutation_bytes,
        "upload_bytes": settings.upload_bytes,
        "page": MAX_PAGE,
    }


def _greet(settings: Settings) -> Body:
    return {
        "protocol": {"min": PROTOCOL, "max": PROTOCOL},
        "epoch": epochs.current_epoch(db.session()),
        "checkpoint": None,
        "server_time": to_wire(services().clock.now()),
        "limits": _limits(settings),
        "schema": SCHEMA,
        "min_app": {"soft": settings.min_app_soft, "hard": settings.min_app_hard},
        "backoff": 0,
        "features": ["gzip", "tus"],
    }


@dataclass(frozen=True, slots=True)
class ToldKinds:
    """The kinds in words, and the services that told them."""

    by: Services
    body: bytes
    tag: str


def _told_kinds(shared: Services) -> ToldKinds:
    """Put into words once for each policy: each sync of each device asks whether they changed."""
    told: ToldKinds | None = current_app.extensions.get(TOLD)
    if told is None or told.by is not shared:
        body = orjson.dumps(describe_kinds(shared.sync.registry, shared.policy))
        told = ToldKinds(shared, body, sha256_hex(body)[:32])
        current_app.extensions[TOLD] = told
    return told


@blueprint.route("/hello", methods=["GET"])
@public
@blueprint.response(200)
def hello() -> Response:
    """What this server speaks, its time, its limits."""
    return _answer(_greet(services().settings))


@blueprint.route("/kinds", methods=["GET"])
@needs()
@blueprint.response(200)
def kinds(_principal: Principal) -> Response:
    """Every kind and the lists that a device needs offline; cacheable by ETag."""
    told = _told_kinds(services())
    answer = Response(told.body, mimetype="application/json")
    answer.set_etag(told.tag)
    answer.headers["Cache-Control"] = "private, no-cache"
    answer.make_conditional(request)
    return answer


@blueprint.route("/push", methods=["POST"])
@needs(upload_only=True)
@blueprint.arguments(PushEnvelope)
@blueprint.response(200)
def push(principal: Principal, body: Body) -> Response:
    """Hand in mutations; one result each, in order."""
    shared, store, spoken = services(), db.session(), language()
    pushed = push_batch(shared.sync, store, PushedBy(sender=principal), body["mutations"])
    return _answer(
        {
            "protocol": PROTOCOL,
            "epoch": pushed.epoch,
            "server_time": to_wire(shared.clock.now()),
            "backoff": 0,
            "results": [put_into_words(result, spoken) for result in pushed.results],
        }
    )


def put_into_words(result: Body, spoken: str) -> Body:
    """A result whose problem is said in the language of this request."""
    problem = result.get("problem")
    if problem is None:
        return result
    words = describe(problem["code"], spoken, problem["fields"])
    return {**result, "problem": {**problem, "fields": {}, **words}}


@blueprint.route("/pull", methods=["POST"])
@needs()
@blueprint.arguments(PullEnvelope)
@blueprint.response(200)
def pull(principal: Principal, body: Body) -> Response:
    """Changes behind a cursor, in order, in the scopes of the device."""
    need_current_app()
    sync, cursor = services().sync, body["cursor"]
    page = answer_idle(sync, db.engine, principal, cursor=cursor)
    if page is None:
        page = pull_page(sync, db.session(), principal, cursor=cursor, limit=body["limit"])
    return Response(page, mimetype="application/json")


@blueprint.route("/snapshot", methods=["POST"])
@needs()
@blueprint.arguments(SnapshotEnvelope)
@blueprint.response(200)
def snapshot(principal: Principal, body: Body) -> Response:
    """The paged replacement of all that the device holds; the tail cursor comes with it."""
    need_current_app()
    page = take_snapshot(
        services().sync, db.session(), principal, page=body["page"], limit=body["limit"]
    )
    return Response(page, mimetype="application/json")


@blueprint.route("/digest", methods=["POST"])
@needs()
@blueprint.arguments(DigestEnvelope)
@blueprint.response(200)
def digest(principal: Principal, body: Body) -> Response:
    """A scope's digest by the last byte of the record id, or the content of some buckets."""
    scope, buckets = body["scope"], body.get("repair")
    if buckets is None:
        return Response(break_down(db.session(), principal, scope), mimetype="application/json")
    return Response(repair(db.session(), principal, scope, buckets), mimetype="application/json")


@blueprint.route("/mutations/<mutation>", methods=["GET"])
@needs()
@blueprint.response(200)
def mutation(principal: Principal, mutation: str) -> Response:
    """What became of a mutation that this person sent."""
    fate = fate_of(services().sync, db.session(), principal, mutation)
    if fate is None:
        raise Problem("not_found")
    return _answer(put_into_words(fate, language()))
