"""The seal of a mutation: content, digest, chain and signature (PROTOCOL *Seal*). Pure."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    EllipticCurvePublicKey,
)
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from server.proof.encoding import from_base64url

DOMAIN = b"fieldstamp-seal-1\n"
FIRST = "0" * 64
"""``prev`` of a device's first mutation: 32 zero bytes."""

Algorithm = Literal["ed25519", "es256"]
Verdict = Literal["chained", "gap", "broken", "unsealed"]


@dataclass(frozen=True, slots=True)
class DeviceKey:
    """A device's public key: 32 raw bytes (ed25519) or an uncompressed SEC1 point (es256)."""

    alg: str
    key: bytes


@dataclass(frozen=True, slots=True)
class Link:
    """One sealed mutation of a device, as it came: ``digest`` is computed, never believed."""

    n: int
    prev: str
    content: str
    digest: str
    sig: str


def digest_of(prev: str, content: str) -> str:
    """SHA-256 over the domain, the previous digest and the content; all in hex."""
    joined = DOMAIN + bytes.fromhex(prev) + bytes.fromhex(content)
    return hashlib.sha256(joined).hexdigest()


def _verify(key: DeviceKey, message: bytes, signature: bytes) -> None:
    if key.alg == "ed25519":
        Ed25519PublicKey.from_public_bytes(key.key).verify(signature, message)
        return
    if len(signature) != 64:
        raise InvalidSignature
    r, s = int.from_bytes(signature[:32]), int.from_bytes(signature[32:])
    point = EllipticCurvePublicKey.from_encoded_point(SECP256R1(), key.key)
    hashed = hashlib.sha256(message).digest()
    point.verify(encode_dss_signature(r, s), hashed, ECDSA(Prehashed(SHA256())))


def is_signed(key: DeviceKey, message: bytes, signature: str) -> bool:
    """Whether ``signature`` (base64url; r‖s for es256) is ``key``'s over ``message``."""
    try:
        _verify(key, message, from_base64url(signature))
    except (InvalidSignature, ValueError):
        return False
    return True


def judge(
    key: DeviceKey, links: Sequence[Link], known: Mapping[int, frozenset[str]]
) -> Mapping[str, Verdict]:
    """The verdict on each link, by digest; refuses nothing.

    ``known`` has the digests already stored at a number. A run is links whose ``prev`` is the
    digest before them; the last signature of a run proves the whole run, as each digest covers
    all that precede it. A first link whose predecessor was not received is a ``gap``.
    """
    verdicts: dict[str, Verdict] = {}
    run: list[Link] = []
    for link in sorted(links, key=lambda link: link.n):
        if run and (link.n != run[-1].n + 1 or link.prev != run[-1].digest):
            verdicts |= _judge_run(key, run, known)
            run = []
        run.append(link)
    return verdicts | _judge_run(key, run, known) if run else verdicts


def _judge_run(
    key: DeviceKey, run: Sequence[Link], known: Mapping[int, frozenset[str]]
) -> dict[str, Verdict]:
    first, last = run[0], run[-1]
    if not is_signed(key, bytes.fromhex(last.digest), last.sig):
        return {link.digest: "broken" for link in run}
    verdicts: dict[str, Verdict] = {link.digest: "chained" for link in run}
    verdicts[first.digest] = _judge_first(first, known)
    return verdicts


def _judge_first(first: Link, known: Mapping[int, frozenset[str]]) -> Verdict:
    if first.n == 1:
        return "chained" if first.prev == FIRST else "broken"
    before = known.get(first.n - 1)
    if before is None:
        return "gap"
    return "chained" if first.prev in before else "broken"
