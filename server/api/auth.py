"""Enrol, log in, refresh, log out, and who I am (PROTOCOL *Devices and sessions*)."""

from typing import Any
from urllib.parse import urlsplit

from flask import request
from marshmallow import Schema, ValidationError, fields, validates_schema

from server.api.access import issue_token, needs, public
from server.api.envelope import Envelope, choice, identifier, nested, optional, text
from server.api.openapi import Blueprint
from server.db import transaction
from server.errors import Problem
from server.extensions import db
from server.people import entry, sessions
from server.people.devices import DeviceClaim
from server.people.entry import Credentials, Entered
from server.people.forks import Fork
from server.people.keys import ALGORITHMS, PublicKey, read_key, to_base64url
from server.people.principal import Principal
from server.people.refresh import Issuer, RefreshRequest, refresh
from server.services import services
from server.sync import epochs
from server.sync.queries import last_fork

blueprint = Blueprint("auth", __name__, url_prefix="/v1/auth", description="Devices and sessions")
Body = dict[str, Any]


class DeviceEnvelope(Envelope):
    """What a device says about itself."""

    id = identifier()
    name = text(120)
    platform = text(40)
    app = text(40)


class KeyEnvelope(Envelope):
    """The public half of the device's key, base64url."""

    alg = choice(*ALGORITHMS)
    key = text(200)


class ForkEnvelope(Envelope):
    """The device of which this store is a copy, and its proof for the new one."""

    device = identifier()
    proof = text(200)


class EnrolEnvelope(Envelope):
    """A one-time code, or what a copied store goes on from, and the device that is enrolled."""

    code = optional(text(40))
    fork_of = optional(nested(ForkEnvelope))
    device = nested(DeviceEnvelope)
    public_key = nested(KeyEnvelope)

    @validates_schema(skip_on_field_errors=True)
    def need_one_of_both(self, body: Body, **_given: Any) -> None:
        """Exactly one of the two says on whose word the device is enrolled."""
        if "code" not in body and "fork_of" not in body:
            raise ValidationError("required", "code")
        if "code" in body and "fork_of" in body:
            raise ValidationError("unknown", "fork_of")


class LoginEnvelope(Envelope):
    """A name, a password and the device that is logged in."""

    username = text(80)
    password = text(1000)
    device = nested(DeviceEnvelope)
    public_key = nested(KeyEnvelope)


class RefreshEnvelope(Envelope):
    """A refresh token, the rotation stored beside it, and the device's proof."""

    device = identifier()
    refresh_token = text(200)
    rotation = text(80)
    proof = text(200)


class TokensSchema(Schema):
    """What a refresh brings."""

    access_token = fields.String(required=True)
    refresh_token = fields.String(required=True)


class PersonSchema(Schema):
    """Who is signed in."""

    id = fields.String(required=True)
    name = fields.String(required=True)
    zone = fields.String(required=True)
    home_region = fields.String(allow_none=True)


class KeySchema(Schema):
    """A public key, base64url."""

    alg = fields.String(required=True)
    key = fields.String(required=True)


class MeSchema(Schema):
    """Who acts, on which device, with what rights."""

    device = fields.String(allow_none=True)
    user = fields.Nested(PersonSchema, required=True)
    roles = fields.List(fields.String(), required=True)
    scopes = fields.List(fields.String(), required=True)


class EnteredSchema(TokensSchema, MeSchema):
    """What enrolling and logging in bring."""

    server_key = fields.Nested(KeySchema, required=True)


def _issuer() -> Issuer:
    shared = services()
    return Issuer(
        ids=shared.ids,
        secrets=shared.secrets,
        terms=sessions.terms(shared.settings, shared.policy),
        origins=shared.settings.origins,
        epoch_changed_at=epochs.changed_at(db.session()),
    )


def _address() -> str:
    return request.remote_addr or ""


def _origin() -> str:
    """The origin of this server under which it was called, as the settings list it."""
    for origin in services().settings.origins:
        if urlsplit(origin).netloc.lower() == request.host.lower():
            return origin
    raise Problem("bad_request", detail="This address is not among the server's origins.")


def _read_key(given: Body) -> PublicKey:
    try:
        return read_key(given["alg"], given["key"])
    except ValueError as error:
        raise Problem("validation", fields={"public_key.key": "format"}) from error


def _claim(body: Body) -> DeviceClaim:
    return DeviceClaim(**body["device"], key=_read_key(body["public_key"]), origin=_origin())


def _fork(given: Body) -> Fork:
    return Fork(**given, seen_at=last_fork(db.session(), given["device"]))


def _describe(principal: Principal) -> Body:
    return {
        "device": principal.device,
        "user": {
            "id": principal.user,
            "name": principal.name,
            "zone": principal.zone,
            "home_region": principal.home_region,
        },
        "roles": sorted(principal.roles),
        "scopes": sorted(principal.scopes),
    }


def _welcome(entered: Entered) -> Body:
    shared, issuer = services(), _issuer()
    principal = sessions.recognise(
        db.engine, entered.session, now=shared.clock.now(), terms=issuer.terms
    )
    public_key = shared.key.public_key().public_bytes_raw()
    return _describe(principal) | {
        "access_token": issue_token(entered.session),
        "refresh_token": entered.token,
        "server_key": {"alg": "ed25519", "key": to_base64url(public_key)},
    }


@blueprint.route("/enrol", methods=["POST"])
@public
@blueprint.arguments(EnrolEnvelope)
@blueprint.response(200, EnteredSchema)
def enrol(body: Body) -> Body:
    """Bind a device to the person of a one-time code, or to that of the device it is a copy of."""
    now, claim = services().clock.now(), _claim(body)
    if "code" in body:
        code = body["code"]
        return _welcome(
            entry.enrol(db.session(), _issuer(), code, claim, address=_address(), now=now)
        )
    fork = _fork(body["fork_of"])
    return _welcome(entry.go_on(db.session(), _issuer(), fork, claim, address=_address(), now=now))


@blueprint.route("/login", methods=["POST"])
@public
@blueprint.arguments(LoginEnvelope)
@blueprint.response(200, EnteredSchema)
def login(body: Body) -> Body:
    """Log a person with a password in on a device."""
    credentials = Credentials(
        username=body["username"], password=body["password"], address=_address()
    )
    now = services().clock.now()
    return _welcome(entry.login(db.session(), _issuer(), credentials, _claim(body), now=now))


@blueprint.route("/refresh", methods=["POST"])
@public
@blueprint.arguments(RefreshEnvelope)
@blueprint.response(200, TokensSchema)
def renew(body: Body) -> Body:
    """Exchange a refresh token for its one successor."""
    wanted = RefreshRequest(
        device=body["device"],
        token=body["refresh_token"],
        rotation=body["rotation"],
        proof=body["proof"],
        address=_address(),
    )
    renewed = refresh(db.session(), _issuer(), wanted, now=services().clock.now())
    return {"access_token": issue_token(renewed.session), "refresh_token": renewed.token}


@blueprint.route("/logout", methods=["POST"])
@needs(upload_only=True)
@blueprint.response(204)
def logout(principal: Principal) -> None:
    """End this session. What the device has not sent yet stays on it."""
    with transaction(db.session()):
        sessions.end(db.session(), principal.session, now=services().clock.now())


@blueprint.route("/me", methods=["GET"])
@needs()
@blueprint.response(200, MeSchema)
def me(principal: Principal) -> Body:
    """Who acts, on which device, with what rights, as of now."""
    return _describe(principal)
