"""The lines of the README run as they stand, against the real server."""

import contextlib
import io
import re
from pathlib import Path

import pytest
from flask import Flask

import fieldstamp
from fieldstamp import Client
from fieldstamp.testing import WsgiTransport
from server.db import transaction
from server.people import devices
from server.people.tables import User
from tests.company import ORIGIN, Company
from tests.sdk.test_against_server import jpeg

README = Path(__file__).parents[2] / "client_sdk" / "README.md"


def test_the_first_lines_of_the_readme_end_synced(
    app: Flask, company: Company, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with transaction(company.store):
        person = company.store.get_one(User, company.user())
        now = company.services.clock.now()
        code = devices.issue_code(company.store, company.services.ids, person, now=now)
    (tmp_path / "shelf.jpg").write_bytes(jpeg())
    monkeypatch.chdir(tmp_path)

    class Nearby(Client):
        """The client of the README, on a transport straight into the application."""

        def __init__(self, path: str, *, server: str) -> None:
            super().__init__(path, server=ORIGIN, transport=WsgiTransport(app))

    monkeypatch.setattr(fieldstamp, "Client", Nearby)
    found = re.search(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    assert found
    said = io.StringIO()
    names: dict[str, object] = {}
    with contextlib.redirect_stdout(said):
        exec(found[1].replace("7K3M-9QXD-22", code), names)
    assert said.getvalue().splitlines()[-1] == "True []"
    client = names["client"]
    assert isinstance(client, Client)
    client.close()
