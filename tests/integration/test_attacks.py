"""Attacks on the engine over HTTP. Both databases."""

import gzip
import json

import pytest
from flask.testing import FlaskClient

from tests.company import Company
from tests.phone import Phone, customer, new_id


@pytest.fixture
def phone(client: FlaskClient, company: Company) -> Phone:
    """A rep's phone in Shanghai."""
    return Phone(client, company.rep())


@pytest.fixture
def stranger(client: FlaskClient, company: Company) -> Phone:
    """A rep's phone in Guangzhou."""
    return Phone(client, company.rep("guangzhou"))


def evidence(parent: str, **given: object) -> dict[str, object]:
    """Values of a photo."""
    values = {"parent_kind": "customer", "parent": parent, "sha256": "ab" * 32, "bytes": 10}
    return values | {"type": "image/jpeg", "source": "gallery"} | given


def told(result: dict[str, object]) -> dict[str, object]:
    """A result without what names its own request."""
    return {name: value for name, value in result.items() if name not in {"id", "for"}}


def test_attack_2_naming_anothers_record_anywhere_answers_like_an_unknown_id(
    phone: Phone, stranger: Phone
) -> None:
    theirs = stranger.create("customer", customer())
    photo = stranger.create("photo", evidence(theirs["record"]))
    stranger.push(theirs, photo)
    sound = phone.create("customer", customer())
    for real, unknown in (
        (phone.create("visit", {"customer": theirs["record"], "purpose": "sale"}),
         phone.create("visit", {"customer": new_id(), "purpose": "sale"})),
        (phone.create("photo", evidence(theirs["record"])),
         phone.create("photo", evidence(new_id()))),
        (phone.patch(photo, 1, {"tag": "goods"}),
         phone.patch({**photo, "record": new_id()}, 1, {"tag": "goods"})),
        (phone.withdraw(theirs, 1), phone.withdraw({**theirs, "record": new_id()}, 1)),
        (phone.patch(sound, 1, {"phone": "1"}, resolves=[theirs["record"]]),
         phone.patch(sound, 1, {"phone": "1"}, resolves=[new_id()])),
    ):  # fmt: skip
        first, second = phone.push(real, unknown)
        assert told(first) == told(second), real
        assert first["outcome"] == "waiting"
    [taken] = phone.push(sound)
    assert taken["outcome"] == "applied"
    assert [item["version"] for item in stranger.pull_all()] == [1, 1]


def test_attack_2_knowing_a_hash_gives_nothing(
    phone: Phone, stranger: Phone, client: FlaskClient
) -> None:
    theirs = stranger.create("customer", customer())
    stranger.push(theirs, stranger.create("photo", evidence(theirs["record"])))
    body = {"sha256": ["ab" * 32, "cd" * 32]}
    answer = client.post("/v1/media/have", json=body, headers=phone.device.headers)
    assert (answer.status_code, answer.get_json()["acknowledgements"]) == (200, [])


@pytest.mark.parametrize(
    "body",
    [
        b'{"protocol":1,"mutations":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"protocol":1,"mutations":[],"x":1e999}',
        b'{"protocol":1,"mutations":[],"x":NaN}',
        b'{"protocol":1,"mutations":[],"x":' + b"9" * 5000 + b"}",
        b'{"protocol":1,"protocol":1,"mutations":[]}',
        b'{"protocol":1,"mutations":[1.0]}',
        b'{"protocol":1,"mutations":[-0]}',
    ],
    ids=["deep", "infinite", "nan", "digits", "twice", "fraction", "minus zero"],
)
def test_attack_19_a_body_made_to_hurt_is_refused_at_once(
    body: bytes, phone: Phone, client: FlaskClient
) -> None:
    answer = client.post(
        "/v1/sync/push",
        data=body,
        content_type="application/json",
        headers=phone.device.headers,
    )
    assert (answer.status_code, answer.get_json()["code"]) == (400, "bad_json")


@pytest.mark.parametrize(
    "body",
    [
        b'\xef\xbb\xbf{"protocol":1,"mutations":[]}',
        b'{"protocol":1,"mutations":["\\ud800"]}',
        b'{"protocol":1,"mutations":["\\u0000"]}',
        b'{"protocol":1,"mutations":["\xff"]}',
    ],
    ids=["bom", "surrogate", "nul", "not utf-8"],
)
def test_attack_20_text_that_a_database_cannot_hold_is_refused(
    body: bytes, phone: Phone, client: FlaskClient
) -> None:
    answer = client.post(
        "/v1/sync/push",
        data=body,
        content_type="application/json",
        headers=phone.device.headers,
    )
    assert (answer.status_code, answer.get_json()["code"]) == (400, "bad_json")


def test_attack_20_ids_that_only_look_alike_are_different_ids(phone: Phone) -> None:
    made = phone.create("customer", customer())
    phone.push(made)
    upper = phone.patch({**made, "record": made["record"].upper()}, 1, {"phone": "1"})
    [result] = phone.push(upper)
    assert (result["outcome"], result["problem"]["code"]) == ("rejected", "validation")


def test_attack_21_a_compressed_push_is_bounded_by_what_it_becomes(
    phone: Phone, client: FlaskClient
) -> None:
    made = phone.create("customer", customer())
    headers = phone.device.headers | {"Content-Encoding": "gzip"}
    sound = gzip.compress(json.dumps({"protocol": 1, "mutations": [made]}).encode())
    bomb = gzip.compress(b'{"protocol":1,"mutations":[' + b" " * 50_000_000 + b"]}")
    options = {"content_type": "application/json", "headers": headers}
    assert client.post("/v1/sync/push", data=sound, **options).status_code == 200
    answer = client.post("/v1/sync/push", data=bomb, **options)
    assert (answer.status_code, answer.get_json()["limit"]) == (413, "push_bytes")


def test_attack_26_a_cursor_that_was_touched_is_of_no_use(phone: Phone) -> None:
    phone.push(phone.create("customer", customer()))
    cursor = phone.pull()["cursor"]
    for place in range(0, len(cursor), 7):
        other = "A" if cursor[place] != "A" else "B"
        touched = cursor[:place] + other + cursor[place + 1 :]
        page = phone.pull(touched)
        assert (page.get("resync_required"), page["items"]) == ("cursor_unknown", [])


@pytest.mark.parametrize("text", ["'; DROP TABLE record; --", "%' OR 1=1 --", '"] OR true --'])
def test_attack_26_text_is_never_part_of_a_statement(phone: Phone, text: str) -> None:
    made = phone.create("customer", customer(name=text))
    [result] = phone.push(made)
    assert result["outcome"] == "applied"
    for scope in (text, f"user:{text}"):
        answer = phone.client.post(
            "/v1/sync/digest",
            json={"protocol": 1, "scope": scope},
            headers=phone.device.headers,
        )
        assert answer.status_code == 404
    [item] = phone.pull_all()
    assert item["data"]["name"] == text
