"""From a bearer token to a principal. Tokens name a session; rights come from the tables."""

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache, wraps
from typing import Any, TypeVar, cast

from flask import Flask, request
from flask_jwt_extended import create_access_token, decode_token
from flask_jwt_extended.exceptions import JWTExtendedException
from jwt.exceptions import InvalidTokenError, PyJWTError

from server.errors import Problem
from server.extensions import db, jwt
from server.ids import is_uuid7
from server.people import sessions
from server.people.principal import Principal
from server.services import Services, services

ISSUER = "fieldstamp"
AUDIENCE = "fieldstamp-device"
LONGEST_TOKEN = 4096
TOKENS_REMEMBERED = 4096
PRINCIPAL = "fieldstamp.principal"

View = TypeVar("View", bound=Callable[..., Any])


def signing_keys(secrets: Iterable[str]) -> dict[str, str]:
    """Key id → key of every live secret: the first one signs, the others still verify."""
    return {
        hashlib.sha256(f"kid\n{secret}".encode()).hexdigest()[:16]: secret for secret in secrets
    }


def configure(app: Flask) -> None:
    """Settles what the JWT library may accept."""
    app.config.update(
        JWT_SECRET_KEY=app.extensions["fieldstamp"].secret,
        JWT_ALGORITHM="HS256",
        JWT_DECODE_ALGORITHMS=["HS256"],
        JWT_ENCODE_ISSUER=ISSUER,
        JWT_DECODE_ISSUER=ISSUER,
        JWT_ENCODE_AUDIENCE=AUDIENCE,
        JWT_DECODE_AUDIENCE=AUDIENCE,
        JWT_ENCODE_NBF=False,
        # Expiry is judged below by the clock port, so the library's own clock must not interfere.
        JWT_DECODE_LEEWAY=timedelta(days=36500),
    )


@jwt.encode_key_loader
def _signing_key(_identity: object) -> str:
    return next(iter(signing_keys(services().secrets).values()))


@jwt.decode_key_loader
def _verifying_key(header: dict[str, Any], _payload: dict[str, Any]) -> str:
    key = signing_keys(services().secrets).get(str(header.get("kid")))
    if key is None:
        raise InvalidTokenError("unknown key")
    return key


def issue_token(session: str) -> str:
    """A short-lived access token (JWT, HS256) that names ``session`` and nothing else."""
    now = services().clock.now()
    term = timedelta(minutes=services().settings.access_minutes)
    token: str = create_access_token(
        identity=session,
        expires_delta=False,
        additional_headers={"kid": next(iter(signing_keys(services().secrets)))},
        additional_claims={"iat": int(now.timestamp()), "exp": int((now + term).timestamp())},
    )
    return token


@dataclass(frozen=True, slots=True)
class Proven:
    """What a token says whose signature was found good; ``expires`` in seconds since 1970."""

    session: str
    expires: int


@lru_cache(maxsize=TOKENS_REMEMBERED)
def _prove(token: str, _secrets: tuple[str, ...]) -> Proven:
    """Reads a token once: what is signed does not change, and its session is read every time.

    Remembered for the very secrets that proved it.
    """
    try:
        claims = cast("dict[str, Any]", decode_token(token, allow_expired=True))
    except (JWTExtendedException, PyJWTError) as error:
        raise Problem("unauthenticated") from error
    expires = claims.get("exp")
    if claims.get("type") != "access" or type(expires) is not int or not is_uuid7(claims["sub"]):
        raise Problem("unauthenticated")
    return Proven(claims["sub"], expires)


def _recognise(shared: Services) -> Principal:
    """Whom the bearer token names, if it and its session live."""
    proven, now = _prove(bearer(), shared.secrets), shared.clock.now()
    if now.timestamp() >= proven.expires:
        raise Problem("unauthenticated")
    terms = sessions.terms(shared.settings, shared.policy)
    return sessions.recognise(db.engine, proven.session, now=now, terms=terms)


def bearer() -> str:
    """The token of this request. *Raises* ``unauthenticated`` where it brings none."""
    scheme, _, token = str(request.environ.get("HTTP_AUTHORIZATION", "")).partition(" ")
    if scheme.lower() != "bearer" or not 0 < len(token) <= LONGEST_TOKEN:
        raise Problem("unauthenticated")
    return token


def current_principal(*, upload_only: bool = False) -> Principal:
    """Who sends this request, read from the live tables.

    ``upload_only``: the route also serves a revoked device that hands in its work. *Raises*
    ``unauthenticated``; ``device_revoked`` with ``erase`` for a revoked device elsewhere.
    """
    environ = request.environ
    if PRINCIPAL not in environ:
        environ[PRINCIPAL] = _recognise(services())
    principal = cast("Principal", environ[PRINCIPAL])
    if principal.upload_only and not upload_only:
        raise Problem("device_revoked", extra={"erase": principal.erase})
    return principal


def needs(*, upload_only: bool = False) -> Callable[[View], View]:
    """Declares a route for people who are signed in; the view gets the principal first.

    What the request then may touch is decided record by record. Every route is declared by this
    or by :func:`public`.
    """

    def declare(view: View) -> View:
        @wraps(view)
        def guarded(*args: Any, **kwargs: Any) -> Any:
            principal = current_principal(upload_only=upload_only)
            return view(principal, *args, **kwargs)

        guarded.access = "needs"  # type: ignore[attr-defined]
        return cast("View", guarded)

    return declare


def public(view: View) -> View:
    """Declares a route that anybody may call."""
    view.access = "public"  # type: ignore[attr-defined]
    return view
