"""What every part of a running server shares, as one frozen value. No rules, no Flask set-up."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import cast

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from flask import current_app

from server.clock import Clock
from server.domain import all_kinds
from server.ids import IdMaker
from server.media.engine import Limits, Media, open_media
from server.media.s3 import Bucket
from server.outward.engine import Outward, Wishes
from server.outward.signing import keyring
from server.policies.reading import load
from server.policy import Policy
from server.settings import Settings, secret_keys, server_key
from server.sync.engine import Sync
from server.sync.kinds import RecordKind, Registry


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """Made once by ``app.create_app``; reachable as ``app.extensions["fieldstamp"]``."""

    settings: Settings
    policy: Policy
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
    rules = load(settings.policy)
    ids = ids or IdMaker(clock)
    secrets, key = secret_keys(settings), server_key(settings)
    registry = Registry.of(all_kinds(rules, *kinds))
    return Services(
        settings=settings,
        policy=rules,
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
        media=open_media(
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
        ),
        outward=Outward(
            clock=clock,
            ids=ids,
            registry=registry,
            keys=keyring(secrets),
            undo=timedelta(seconds=rules.review.undo_seconds),
            wishes=Wishes.of(settings),
        ),
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
