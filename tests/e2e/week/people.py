"""A device and a desk: the doors by which people of the week do what they do."""

import re
from dataclasses import dataclass

from werkzeug.test import TestResponse

from fieldstamp import Client
from fieldstamp.testing import FixedClock as DeviceClock
from server.demo.company import PASSWORD
from tests.office import Reviewer

HIDDEN = re.compile(r'name="(csrf_token|base|evidence|id|rests_on)" value="([^"]*)"')
WAITING = re.compile(
    r'row-link" href="/office/records/([^"]+)"><span[^>]*>[^<]*</span> ([^<]*)</a>'
)


@dataclass
class Handset:
    """A device of somebody, with the client library."""

    client: Client
    clock: DeviceClock
    away: range

    def sync(self, day: int) -> None:
        """Syncs, where there is a network on that day."""
        if day not in self.away:
            self.client.sync().run()


@dataclass
class OfficeDesk:
    """A browser in the office; signs in whenever it has been idle for too long."""

    reviewer: Reviewer

    def page(self, path: str) -> str:
        """The text of a page."""
        answer = self.reviewer.get(path)
        if answer.status_code == 302:
            self._sign_in()
            answer = self.reviewer.get(path)
        assert answer.status_code == 200, (path, answer.status_code)
        return answer.get_data(as_text=True)

    def send(self, seen: str, path: str, **values: str) -> TestResponse:
        """Sends a form with the hidden fields of the page ``seen``."""
        form = {**dict(HIDDEN.findall(self.page(seen))), **values}
        return self.reviewer.send("POST", path, data=form)

    def queue(self) -> dict[str, str]:
        """The records on the first page of what waits for this person, with what names them."""
        return dict(WAITING.findall(self.page("/")))

    def _sign_in(self) -> None:
        form = dict(HIDDEN.findall(self.reviewer.get("/login").get_data(as_text=True)))
        values = {**form, "username": self.reviewer.user, "password": PASSWORD}
        answer = self.reviewer.send("POST", "/login", data=values)
        assert answer.status_code == 302, answer.get_data(as_text=True)
