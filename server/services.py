"""What every part of a running server shares, as one frozen value. No rules, no Flask set-up."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import lru_cache
from typing import cast

import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from flask import Flask, current_app
from sqlalchemy.orm import Session

from server.clock import Clock
from server.domain import all_kinds
from server.ids import IdMaker
from server.media.engine import Limits, Media, open_media
from server.media.s3 import Bucket
from server.outward.engine import Outward, Wishes
from server.outward.signing import keyring
from server.policies import versions
from server.policies.reading import parse, parse_kept, read_file
from server.policies.versions import hash_of
from server.policy import Policy
from server.settings import Settings, secret_keys, server_key
from server.sync.engine import Sync
from server.sync.kinds import RecordKind, Registry

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """Made by ``app.create_app``, and anew by ``follow_policy`` where the policy is another.

    Reachable as ``app.extensions["fieldstamp"]``; who keeps one works by its policy to the end.
    """

    settings: Settings
    policy: Policy
    policy_sha256: str
    """Of the text that ``policy`` was read from."""
    kinds: tuple[RecordKind, ...]
    """What the installation has beside the kinds of the domain."""
    clock: Clock
    ids: IdMaker
    secrets: tuple[str, ...]
    """Behind tokens, cursors and links; the first makes, the others still prove."""
    key: Ed25519PrivateKey
    """The server key: signs acknowledgements."""
    sync: Sync
    media: Media
    outward: Outward

    @property
    def secret(self) -> str:
        """The secret that makes what is new."""
        return self.secrets[0]


def build(
    settings: Settings,
    *,
    clock: Clock,
    ids: IdMaker | None,
    kinds: tuple[RecordKind, ...],
    wake: Callable[[Settings], None],
) -> Services:
    """The services of an installation.

    ``kinds`` adds to those of the domain; ``wake`` tells a worker that bytes have come.
    """
    content = first_policy(settings)
    rules = parse(content, version=1)
    ids = ids or IdMaker(clock)
    secrets, key = secret_keys(settings), server_key(settings)
    registry = Registry.of(all_kinds(rules, *kinds)) if kinds else _kinds_under(content)
    return Services(
        settings=settings,
        policy=rules,
        policy_sha256=hash_of(content),
        kinds=kinds,
        clock=clock,
        ids=ids,
        secrets=secrets,
        key=key,
        sync=Sync(
            registry=registry,
            clock=clock,
            ids=ids,
            key=key,
            secret=secrets[0],
            poll_seconds=settings.poll_seconds,
        ),
        media=_media(settings, clock, ids, wake),
        outward=Outward(
            clock=clock,
            ids=ids,
            registry=registry,
            keys=keyring(secrets),
            undo=timedelta(seconds=rules.review.undo_seconds),
            wishes=Wishes.of(settings),
        ),
    )


@lru_cache(maxsize=8)
def _kinds_under(content: str) -> Registry:
    """The kinds of the domain under the policy that ``content`` says, put together once."""
    return Registry.of(all_kinds(parse(content, version=1)))


def _media(
    settings: Settings, clock: Clock, ids: IdMaker, wake: Callable[[Settings], None]
) -> Media:
    return open_media(
        settings.data,
        clock=clock,
        ids=ids,
        limits=Limits(
            upload_bytes=settings.upload_bytes,
            open_uploads=settings.open_uploads,
            open_bytes=settings.open_bytes,
        ),
        wake=lambda _sha256: wake(settings),
        bucket=_bucket(settings),
    )


def _bucket(settings: Settings) -> Bucket | None:
    if not settings.bucket:
        return None
    return Bucket(
        name=settings.bucket,
        endpoint=settings.bucket_endpoint,
        region=settings.bucket_region,
        prefix=settings.bucket_prefix,
    )


def services() -> Services:
    """The services of the application that handles this request."""
    return cast("Services", current_app.extensions["fieldstamp"])


def first_policy(settings: Settings) -> str:
    """The text of the policy of a store that has none yet."""
    return read_file(settings.policy)


def follow_policy(app: Flask, store: Session) -> bool:
    """Works by the newest policy of the store from the next request on; whether it is another.

    Raises ``PolicyFault`` where this program cannot read it; it goes on by the old one then.
    """
    own: Services = app.extensions["fieldstamp"]
    newest = versions.newest(store)
    if newest is None or (newest.number, newest.sha256) == (own.policy.version, own.policy_sha256):
        return False
    policy = parse_kept(newest.content, version=newest.number)
    app.extensions["fieldstamp"] = _under(own, policy, newest.sha256)
    return True


def keep_following(app: Flask, store: Session) -> None:
    """The same for a process that must go on: what keeps it from following is logged."""
    try:
        follow_policy(app, store)
    except Exception:
        store.rollback()
        log.exception("policy_not_followed")


def _under(own: Services, policy: Policy, sha256: str) -> Services:
    registry = Registry.of(all_kinds(policy, *own.kinds))
    undo = timedelta(seconds=policy.review.undo_seconds)
    return replace(
        own,
        policy=policy,
        policy_sha256=sha256,
        sync=replace(own.sync, registry=registry),
        outward=replace(own.outward, registry=registry, undo=undo),
    )
