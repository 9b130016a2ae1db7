"""The SDK against the contract vectors that every client and the server must pass."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest

from fieldstamp import _moves, _seal, _wire

VECTORS = Path(__file__).with_name("vectors")
CANONICAL = json.loads((VECTORS / "canonical.json").read_text())
SEAL = json.loads((VECTORS / "seal.json").read_text())
MOVES = json.loads((VECTORS / "moves.json").read_text())
SERVER_KEY = _seal.PublicKey(alg="ed25519", key=SEAL["keys"]["server"]["public"])


def named(cases: Iterable[Mapping[str, Any]]) -> Any:
    return pytest.mark.parametrize("case", [pytest.param(case, id=case["name"]) for case in cases])


def key(alg: str) -> _seal.PublicKey:
    return _seal.PublicKey(alg=alg, key=SEAL["keys"][alg]["public"])


def raw_of(case: Mapping[str, Any]) -> bytes:
    if "hex" in case:
        return bytes.fromhex(case["hex"])
    parts = case.get("repeat") or [[case["text"], 1]]
    return "".join(text * times for text, times in parts).encode()


@named(CANONICAL["accepted"])
def test_canonical_form_is_the_one_of_the_contract(case: Mapping[str, Any]) -> None:
    canonical = _wire.encode(_wire.decode(raw_of(case)))
    assert canonical == case["canonical"].encode()
    assert _wire.sha256_hex(canonical) == case["sha256"]


@named(CANONICAL["refused"])
def test_what_has_no_canonical_form_is_refused(case: Mapping[str, Any]) -> None:
    with pytest.raises(_wire.WireError):
        _wire.decode(raw_of(case))


@pytest.mark.parametrize("case", CANONICAL["record_hash"])
def test_p7_a_record_hash_is_the_one_of_the_contract(case: Mapping[str, Any]) -> None:
    assert _wire.record_hash(case["data"]) == case["hash"]


@pytest.mark.parametrize("case", CANONICAL["scope_digest"])
def test_p7_a_scope_digest_is_the_one_of_the_contract(case: Mapping[str, Any]) -> None:
    members = [(m["record"], m["version"], m["hash"]) for m in case["members"]]
    assert _wire.scope_sum(members) == (case["count"], case["sum"])


@pytest.mark.parametrize("chain", SEAL["chains"], ids=lambda chain: chain["alg"])
def test_p6_each_link_of_a_chain_has_the_digest_of_the_contract(chain: Mapping[str, Any]) -> None:
    prev = _seal.FIRST
    for link in chain["links"]:
        content = _wire.encode(link["mutation"])
        assert content == link["canonical"].encode()
        assert _wire.sha256_hex(content) == link["content"]
        assert link["prev"] == prev
        prev = _seal.digest(content, prev)
        assert prev == link["digest"]
        assert key(chain["alg"]).verifies(link["sig"], bytes.fromhex(prev))


def test_a_device_key_signs_as_the_contract_says() -> None:
    own = _seal.Ed25519Key(_wire.from_base64(SEAL["keys"]["ed25519"]["private"]))
    assert _wire.to_base64(own.public) == SEAL["keys"]["ed25519"]["public"]
    for link in SEAL["chains"][0]["links"]:
        assert _wire.to_base64(own.sign(bytes.fromhex(link["digest"]))) == link["sig"]


@named(SEAL["refused"])
def test_a_wrong_signature_does_not_verify(case: Mapping[str, Any]) -> None:
    assert not key(case["alg"]).verifies(case["sig"], bytes.fromhex(case["digest"]))


@pytest.mark.parametrize("ack", SEAL["acknowledgements"])
def test_p3_an_acknowledgement_holds_only_as_it_was_signed(ack: dict[str, Any]) -> None:
    assert _seal.is_acknowledgement(ack, SERVER_KEY)
    assert not _seal.is_acknowledgement({**ack, "outcome": "merged"}, SERVER_KEY)
    assert not _seal.is_acknowledgement({**ack, "note": "more"}, SERVER_KEY)
    assert not _seal.is_photo_acknowledgement(ack, SERVER_KEY)


@pytest.mark.parametrize("ack", SEAL["photo_acknowledgements"])
def test_m4_a_photo_acknowledgement_holds_only_as_it_was_signed(ack: dict[str, Any]) -> None:
    assert _seal.is_photo_acknowledgement(ack, SERVER_KEY)
    assert not _seal.is_photo_acknowledgement({**ack, "bytes": 6}, SERVER_KEY)
    assert not _seal.is_acknowledgement(ack, SERVER_KEY)


@pytest.mark.parametrize("case", SEAL["refresh"], ids=lambda case: case["alg"])
def test_a_refresh_proof_covers_origin_token_and_rotation(case: Mapping[str, Any]) -> None:
    message = _seal.refresh_message(
        origin=case["origin"], refresh_token=case["refresh_token"], rotation=case["rotation"]
    )
    assert message == case["message"].encode()
    assert key(case["alg"]).verifies(case["proof"], message)


@named(MOVES["cases"])
def test_what_leads_nowhere_from_a_known_state_is_refused(case: Mapping[str, Any]) -> None:
    states = _moves.read(MOVES["states"])
    if case["data"] is None:
        assert _moves.refused_at_birth(states, case["set"]) == case["refused"]
        return
    stands = _moves.state_after(states, case["data"]["state"], case["under_way"])
    mover = _moves.Mover(roles=frozenset(case["roles"]), is_own=case["is_own"])
    data = {**case["data"], "state": stands}
    assert _moves.refused(states, data, case["set"], mover) == case["refused"]


@pytest.mark.parametrize("told", [None, {}, [], "x", {"a": {}}, {"a": {"moves": {"b": {}}}}])
def test_states_that_are_not_told_or_cannot_be_read_refuse_nothing(told: object) -> None:
    mover = _moves.Mover(roles=frozenset({"rep"}), is_own=False)
    states = _moves.read(told)
    assert _moves.refused_at_birth(states, {"reason": "x"}) == {}
    assert _moves.refused(states, {"state": "a"}, {"reason": "x"}, mover) == {}


def test_what_may_have_gone_on_by_itself_refuses_only_what_leads_nowhere_from_there() -> None:
    states = _moves.read(MOVES["states"])
    mover, held = _moves.Mover(roles=frozenset({"rep"}), is_own=True), {"state": "sent_back"}
    assert _moves.refused(states, held, {"withdrawal_reason": "x"}, mover) == {}
    assert _moves.refused(states, held, {"revisit": "v1"}, mover) == {"revisit": "not_in_state"}


def test_who_may_is_not_asked_where_it_is_not_told() -> None:
    told = {"a": {"moves": {"go": {"to": "b", "field": "reason", "needs": []}}}}
    mover = _moves.Mover(roles=frozenset({"cashier"}), is_own=False)
    assert _moves.refused(_moves.read(told), {"state": "a"}, {"reason": "x"}, mover) == {}
    nobody = _moves.Mover(roles=frozenset(), is_own=False)
    states = _moves.read(MOVES["states"])
    assert _moves.refused(states, {"state": "reported"}, {"withdrawal_reason": "x"}, nobody) == {}
