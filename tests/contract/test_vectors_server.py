"""The server against the contract vectors that every client must pass too."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from server.api.kinds import describe_states
from server.api.reader import misnamed, read_json
from server.casework.machine import Machine, Move, State, Wait
from server.domain.review.steps import b2_step_errors, derive_steps
from server.errors import Problem
from server.people.keys import PublicKey, from_base64url, is_signed
from server.people.principal import Grant, Principal, Role
from server.policies.reading import load_defaults
from server.proof.acknowledgement import Acknowledged, acknowledge
from server.proof.encoding import canonical, sha256_hex
from server.proof.seal import Link, digest_of, judge
from server.sync.feed import record_digest, to_wire_sum
from server.sync.kinds import Change, Data, FieldSpec, RecordKind
from server.sync.merge import ABSENT, Edit, merge
from server.sync.wire import links_of, read_mutation

VECTORS = Path(__file__).with_name("vectors")
CANONICAL = json.loads((VECTORS / "canonical.json").read_text())
SEAL = json.loads((VECTORS / "seal.json").read_text())
POLICY = load_defaults()
MOVES = json.loads((VECTORS / "moves.json").read_text())
MERGE = json.loads((VECTORS / "merge.json").read_text())


def named(cases: Iterable[Mapping[str, Any]]) -> Any:
    """One test a case, called by its name."""
    return pytest.mark.parametrize("case", [pytest.param(case, id=case["name"]) for case in cases])


def raw_of(case: Mapping[str, Any]) -> bytes:
    """The bytes of a case."""
    if "hex" in case:
        return bytes.fromhex(case["hex"])
    parts = case.get("repeat") or [[case["text"], 1]]
    return "".join(text * times for text, times in parts).encode()


def key(alg: str) -> PublicKey:
    """The public key of the vectors."""
    return PublicKey(alg, from_base64url(SEAL["keys"][alg]["public"]))


@named(CANONICAL["accepted"])
def test_canonical_form_is_the_one_of_the_contract(case: Mapping[str, Any]) -> None:
    written = canonical(read_json(raw_of(case)))
    assert written == case["canonical"].encode()
    assert sha256_hex(written) == case["sha256"]


@named(CANONICAL["refused"])
def test_what_has_no_canonical_form_is_refused(case: Mapping[str, Any]) -> None:
    assert is_refused(raw_of(case))


def is_refused(raw: bytes) -> bool:
    """Whether the reader refuses the text, or the record data that it holds."""
    try:
        return misnamed(read_json(raw)) is not None
    except Problem as problem:
        return problem.code == "bad_json"


@pytest.mark.parametrize("case", CANONICAL["record_hash"])
def test_p7_a_record_hash_is_the_one_of_the_contract(case: Mapping[str, Any]) -> None:
    assert sha256_hex(canonical(case["data"]))[:16] == case["hash"]


@pytest.mark.parametrize("case", CANONICAL["scope_digest"])
def test_p7_a_scope_digest_is_the_one_of_the_contract(case: Mapping[str, Any]) -> None:
    parts = [record_digest(m["record"], m["version"], m["hash"]) for m in case["members"]]
    assert (len(parts), to_wire_sum(sum(parts))) == (case["count"], case["sum"])


@pytest.mark.parametrize("chain", SEAL["chains"], ids=lambda chain: chain["alg"])
def test_p6_a_chain_of_the_contract_is_chained(chain: Mapping[str, Any]) -> None:
    sent = [
        read_mutation(
            {**link["mutation"], "seal": {"prev": link["prev"], "sig": link["sig"]}},
            user="",
            device=None,
        )
        for link in chain["links"]
    ]
    for mutation, link in zip(sent, chain["links"], strict=True):
        assert (mutation.body, mutation.content) == (link["canonical"], link["content"])
        assert mutation.digest == link["digest"]
    verdicts = judge(key(chain["alg"]), list(links_of(sent).values()), {})
    assert set(verdicts.values()) == {"chained"}


@named(SEAL["refused"])
def test_p6_a_signature_that_the_contract_refuses_does_not_verify(case: Mapping[str, Any]) -> None:
    assert not is_signed(key(case["alg"]), bytes.fromhex(case["digest"]), case["sig"])


def test_p6_a_changed_link_breaks_its_run() -> None:
    links = SEAL["chains"][0]["links"]
    first, second = (
        Link(n, link["prev"], link["content"], link["digest"], link["sig"])
        for n, link in enumerate(links[:2], start=1)
    )
    forged = Link(2, "ab" * 32, second.content, digest_of("ab" * 32, second.content), second.sig)
    verdicts = judge(key("ed25519"), [first, forged], {})
    assert verdicts == {first.digest: "chained", forged.digest: "broken"}


@pytest.mark.parametrize("case", SEAL["acknowledgements"])
def test_p3_an_acknowledgement_is_the_one_of_the_contract(case: Mapping[str, Any]) -> None:
    private = from_base64url(SEAL["keys"]["server"]["private"])
    row = Acknowledged(**{name: value for name, value in case.items() if name != "sig"})
    assert acknowledge(Ed25519PrivateKey.from_private_bytes(private), row) == case


@pytest.mark.parametrize("case", SEAL["refresh"], ids=lambda case: case["alg"])
def test_a_refresh_proof_is_the_one_of_the_contract(case: Mapping[str, Any]) -> None:
    assert is_signed(key(case["alg"]), case["message"].encode(), case["proof"])


def kind_of(rules: Mapping[str, Any]) -> RecordKind:
    """A kind whose fields have the merge rules of a case."""
    fields = {
        name: FieldSpec(name=name, title={}, rule=told["rule"], owner=told.get("owner"))
        for name, told in rules.items()
    }
    return RecordKind(
        name="thing",
        title={},
        fields=fields,
        json_schema={},
        check_create=lambda _data: {},
        check_patch=lambda _data: {},
        required=frozenset(),
    )


@named(MERGE["cases"])
def test_p6_a_merge_is_the_one_of_the_contract(case: Mapping[str, Any]) -> None:
    edit = Edit(
        values={**case["set"], **dict.fromkeys(case.get("unset", []), ABSENT)},
        base=case["base"],
        device=case["device"],
        n=case["n"],
        side="device" if case["device"] else "office",
    )
    versions = {name: tuple(entry) for name, entry in case["field_versions"].items()}
    merged = merge(kind_of(case["rules"]), case["current"], versions, edit)  # type: ignore[arg-type]
    after = {**case["current"], **merged.taken}
    assert {n: v for n, v in after.items() if v is not ABSENT} == case["expect"]["data"]
    assert sorted(merged.lost) == case["expect"]["lost"]
    assert list(merged.foreign) == case["expect"]["foreign"]
    outcome = "conflict" if merged.lost else "merged" if merged.foreign else "applied"
    assert outcome == case["expect"]["outcome"]


def machine_of(states: Mapping[str, Any]) -> Machine:
    """The machine that the vectors describe."""
    waits = (Wait(role=Role.REP, task="mend", term="supplement_wanted"),)
    return Machine(
        start=MOVES["start"],
        states={
            name: State(
                zh=name,
                en=name,
                waits=() if told["end"] else waits,
                moves={move: _move(move, taken) for move, taken in told["moves"].items()},
                passes=tuple(("mended", to) for to in told["passes"]),
            )
            for name, told in states.items()
        },
    )


def _move(name: str, told: Mapping[str, Any]) -> Move:
    roles = frozenset(map(Role, told["roles"]))
    return Move(zh=name, en=name, to=told["to"], roles=roles, field=told["field"])


MACHINE = machine_of(MOVES["states"])


def pushed(case: Mapping[str, Any], before: Data | None, values: Data) -> Change:
    """What the machine's rules are told of a device's change."""
    grants = tuple(Grant(Role(role), None) for role in case["roles"])
    by = Principal(user="zhao", name="", session="", device="phone", grants=grants)
    after = {**(before or {}), **values}
    return Change(kind="k", record="r", before=before, after=after, withdrawn=False, by=by)


def test_states_are_described_as_the_contract_has_them() -> None:
    assert describe_states(MACHINE) == MOVES["states"]


@named(MOVES["cases"])
def test_what_leads_nowhere_from_its_state_is_refused(case: Mapping[str, Any]) -> None:
    before: Data | None = case["data"]
    for values in case["under_way"]:
        assert before is not None
        change = pushed(case, before, values)
        assert b2_step_errors(MACHINE, change) == {}
        before = {**change.after, **derive_steps(MACHINE, change, policy=POLICY, when={})}
    assert b2_step_errors(MACHINE, pushed(case, before, case["set"])) == case["refused"]
