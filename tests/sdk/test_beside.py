"""Two programs on one store: what one of them does between a request and its answer."""

from collections.abc import Callable
from pathlib import Path

import pytest

from fieldstamp import Client, LoginNeededError, Request, Response
from fieldstamp.cli import main
from tests.sdk.conftest import Opener
from tests.sdk.office import Office, answer


def meanwhile(office: Office, end: str, act: Callable[[], None]) -> None:
    """Does something once, after the answer to a request was made and before it arrives."""

    def before(request: Request) -> Response | None:
        if not request.url.endswith(end):
            return None
        office.before.remove(before)
        said = office.send_quietly(request)
        act()
        return said

    office.before.append(before)


def put_back(office: Office, other: Client) -> Callable[[], None]:
    """The server is put back to before anything came, and the other program hears of it first."""

    def restore() -> None:
        office.epoch = "e-2"
        office.mutations.clear()
        office.uploads.clear()
        other.enrol("7K3M9QXD22")

    return restore


def test_p6_an_answer_of_a_server_that_was_put_back_meanwhile_settles_nothing(
    client: Client, office: Office, open_client: Opener
) -> None:
    client.create("visit", {"purpose": "routine"})
    meanwhile(office, "/push", put_back(office, open_client()))
    client.sync().run()
    assert client.sync().run().synced
    assert len(office.mutations) == 1


def test_m4_an_acknowledgement_of_a_server_that_was_put_back_meanwhile_verifies_nothing(
    client: Client, office: Office, open_client: Opener
) -> None:
    client.attach(client.create("visit", {"purpose": "routine"}), b"photo")
    meanwhile(office, "/have", put_back(office, open_client()))
    client.sync().run()
    assert client.sync().run().synced
    assert [upload.content for upload in office.uploads.values()] == [b"photo"]


def test_p6_logging_out_beside_a_sync_ends_it_in_words(
    client: Client, office: Office, open_client: Opener
) -> None:
    client.create("visit", {"purpose": "routine"})
    other = open_client()

    def log_out() -> None:
        office.before.append(
            lambda request: answer({}) if request.url.endswith("/logout") else None
        )
        other.logout()

    office.access = "another"
    meanwhile(office, "/hello", log_out)
    assert client.sync().run().reason == "login_needed"
    assert client.status().pending_mutations == 1


def test_a_renewal_beside_a_logout_logs_nobody_in_again(
    client: Client, office: Office, open_client: Opener
) -> None:
    other = open_client()

    def log_out() -> None:
        office.before.append(
            lambda request: answer({}) if request.url.endswith("/logout") else None
        )
        other.logout()

    office.access = "another"
    meanwhile(office, "/refresh", log_out)
    assert client.sync().run().reason == "login_needed"
    with pytest.raises(LoginNeededError):
        client._session.call("GET", "/v1/sync/hello")


def test_p8_a_visit_from_the_command_line_is_saved_with_all_its_photos_or_not_at_all(
    client: Client, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    client.close()
    photo = tmp_path / "a.jpg"
    photo.write_bytes(b"a photo")
    store = ["--store", str(tmp_path / "field.db"), "--lang", "en"]
    given = ["new", "visit", "--purpose", "routine", "--photo", str(photo)]
    assert main([*given, "--photo", str(tmp_path / "missing.jpg"), *store]) == 1
    assert main(["outbox", *store]) == 0
    assert "nothing to send" in capsys.readouterr().out
    assert main([*given, *store]) == 0
