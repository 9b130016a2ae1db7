"""The seal of a mutation: content, digest, chain and signature (PROTOCOL *Seal*). Pure."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Literal

from server.people.keys import PublicKey, is_signed
from server.values import Value

DOMAIN = b"fieldstamp-seal-1\n"
FIRST = "0" * 64
"""``prev`` of a device's first mutation: 32 zero bytes."""

Verdict = Literal["chained", "gap", "broken", "unsealed"]


class Link(Value, frozen=True):
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


def judge(
    key: PublicKey, links: Sequence[Link], known: Mapping[int, frozenset[str]]
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
    key: PublicKey, run: Sequence[Link], known: Mapping[int, frozenset[str]]
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
