"""Who this device is: enrolling, renewing, logging out, and never losing anything over it."""

import json
from typing import Any

import pytest

from fieldstamp import Client, OfflineError, RefusedError, Request, Response
from tests.sdk.conftest import Opener
from tests.sdk.office import USER, Office, answer, problem


def body_of(request: Request) -> Any:
    return json.loads(request.body)


def losing(office: Office, path: str, times: int) -> list[Any]:
    """The next answers of ``path`` are lost after taking effect; gives what was sent."""
    sent: list[Any] = []

    def lose(request: Request) -> None:
        if request.url.endswith(path):
            sent.append(body_of(request))
            if len(sent) <= times:
                office.send_quietly(request)
                raise OfflineError("lost")

    office.before.append(lose)
    return sent


def test_a_lost_answer_to_enrolling_costs_nothing(open_client: Opener, office: Office) -> None:
    sent = losing(office, "/enrol", 3)
    client = open_client()
    with pytest.raises(OfflineError):
        client.enrol("7K3M-9QXD 22")
    later = open_client()
    later.enrol("7K3M9QXD22")
    assert later.status().enrolled
    assert {(e["device"]["id"], e["public_key"]["key"]) for e in sent} == {
        (later.status().device, sent[0]["public_key"]["key"])
    }
    assert {entry["code"] for entry in sent} == {"7K3M9QXD22"}


def test_a_spent_token_is_renewed_and_the_call_goes_on(client: Client, office: Office) -> None:
    office.access = "another"
    client.create("visit", {"purpose": "routine"})
    assert client.sync().run().synced
    assert len(office.rotations) == 1


def test_a_lost_answer_to_a_renewal_is_asked_for_with_the_same_rotation(
    client: Client, office: Office, open_client: Opener
) -> None:
    office.access = "another"
    sent = losing(office, "/refresh", 3)
    assert client.sync().run().reason == "offline"
    assert open_client().sync().run().synced
    assert len({entry["rotation"] for entry in sent}) == 1
    assert len(set(office.rotations)) == 1


def test_the_rotation_is_on_the_disk_before_it_is_sent(
    client: Client, office: Office, open_client: Opener
) -> None:
    office.access = "another"
    kept: list[str] = []

    def look(request: Request) -> None:
        if request.url.endswith("/refresh"):
            with open_client()._store.read() as transaction:
                kept.append(transaction.value("tokens")["rotation"])
            assert kept[-1] == body_of(request)["rotation"]

    office.before.append(look)
    client.sync().run()
    assert kept


@pytest.mark.parametrize("code", ["token_spent", "unauthenticated", "bad_proof"])
def test_p6_when_no_token_is_left_everything_is_kept_and_the_reason_said(
    client: Client, office: Office, code: str
) -> None:
    client.create("visit", {"purpose": "routine"})
    office.access = "another"

    def refuse(request: Request) -> Response | None:
        return problem(401, code) if request.url.endswith("/refresh") else None

    office.before.append(refuse)
    report = client.sync().run()
    assert (report.reason, report.synced, report.pending) == (code, False, 1)
    assert client.status().paused == code
    assert "og in again" in client.status().needs_you[0].action
    office.before.clear()
    client.enrol("NEWCODE")
    assert client.status().paused is None
    assert client.sync().run().synced


def test_p6_logging_out_keeps_the_queue(client: Client, office: Office) -> None:
    client.create("visit", {"purpose": "routine"})
    office.before.append(lambda _request: _raise(OfflineError("no network")))
    with pytest.raises(OfflineError):
        client.logout()
    office.before.clear()
    assert client.sync().run().reason == "login_needed"
    assert client.create("visit", {"purpose": "sale"}).pending
    client.enrol("NEWCODE")
    assert client.sync().run().synced
    assert office.order == [1, 2]


def test_a_store_belongs_to_one_person_for_ever(client: Client, office: Office) -> None:
    client.create("visit", {"purpose": "routine"})

    def another_user(request: Request) -> Response | None:
        if not request.url.endswith("/enrol"):
            return None
        said = json.loads(office.send_quietly(request).body)
        return answer({**said, "user": {"id": USER[:-1] + "2"}})

    office.before.append(another_user)
    with pytest.raises(RefusedError) as refused:
        client.enrol("OTHER")
    assert refused.value.code == "device_taken"
    assert client.status().user == USER
    assert client.status().pending_mutations == 1


def test_a_wrong_code_says_so(open_client: Opener, office: Office) -> None:
    office.before.append(lambda _request: problem(403, "code_unusable"))
    client = open_client()
    with pytest.raises(RefusedError) as refused:
        client.enrol("WRONG")
    assert refused.value.code == "code_unusable"
    assert not client.status().enrolled


def _raise(error: Exception) -> None:
    raise error
