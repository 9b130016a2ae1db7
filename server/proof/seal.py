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
    verdicts, firsts = judge_runs(key, links)
    return {**verdicts, **{first.digest: judge_first(first, known) for first in firsts}}


def judge_runs(
    key: PublicKey, links: Sequence[Link]
) -> tuple[Mapping[str, Verdict], Sequence[Link]]:
    """The part of :func:`judge` that needs no store: signatures, and links within a run.

    Gives the first link of each run whose signature is good beside the verdicts: what it hangs
    on is judged by :func:`judge_first`.
    """
    verdicts: dict[str, Verdict] = {}
    firsts: list[Link] = []
    for run in _runs(links):
        good = is_signed(key, bytes.fromhex(run[-1].digest), run[-1].sig)
        verdicts |= dict.fromkeys((link.digest for link in run), "chained" if good else "broken")
        firsts += run[:1] if good else []
    return verdicts, firsts


def _runs(links: Sequence[Link]) -> list[list[Link]]:
    runs: list[list[Link]] = []
    for link in sorted(links, key=lambda link: link.n):
        last = runs[-1][-1] if runs else None
        if last is None or link.n != last.n + 1 or link.prev != last.digest:
            runs.append([])
        runs[-1].append(link)
    return runs


def judge_first(first: Link, known: Mapping[int, frozenset[str]]) -> Verdict:
    """The verdict on the first link of a run; ``known`` has the digests stored at a number."""
    if first.n == 1:
        return "chained" if first.prev == FIRST else "broken"
    before = known.get(first.n - 1)
    if before is None:
        return "gap"
    return "chained" if first.prev in before else "broken"
