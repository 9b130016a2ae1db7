"""People of a running server: a rep's code and password, a reviewer in a real browser's place."""

import re
from dataclasses import dataclass, field

import requests

from server.db import transaction
from server.extensions import db
from server.people import devices, passwords, users
from server.people.principal import Role
from server.people.tables import User
from tests.company import Company
from tests.live import LiveServer
from tests.until import LIMIT_SECONDS

PASSWORD = "killed-and-started-again"
HIDDEN = re.compile(r'name="(csrf_token|base|evidence)" value="([^"]*)"')


def issue_code(server: LiveServer) -> str:
    """A one-time code for the rep of ``server``, who gets a password too."""
    hashed = passwords.hash_password(PASSWORD)
    with server.app.app_context():
        company = Company(server.app)
        store, services = company.store, company.services
        now = services.clock.now()
        with transaction(store):
            person = store.get_one(User, server.device.user)
            users.set_password(store, person, hashed, now=now)
            code = devices.issue_code(store, services.ids, person, now=now)
        db.session.remove()
        return code


def rep_name(server: LiveServer) -> str:
    """The username of the rep of ``server``."""
    with server.app.app_context():
        name = db.session().get_one(User, server.device.user).username
        db.session.remove()
        return str(name)


def add_manager(server: LiveServer) -> str:
    """The username of a region manager of the whole company."""
    hashed = passwords.hash_password(PASSWORD)
    with server.app.app_context():
        company = Company(server.app)
        company.user(Role.REGION_MANAGER, None, username="manager", password=hashed)
        db.session.remove()
    return "manager"


@dataclass
class Browser:
    """Pages and forms over HTTP, with cookies."""

    url: str
    session: requests.Session = field(default_factory=requests.Session)

    def page(self, path: str) -> str:
        """The text of a page."""
        answer = self.session.get(f"{self.url}/office{path}", timeout=LIMIT_SECONDS)
        assert answer.ok, answer.text
        return answer.text

    def send(self, seen: str, path: str, **values: str) -> None:
        """Sends a form with the hidden fields of the page ``seen``."""
        form = {**dict(HIDDEN.findall(self.page(seen))), **values}
        answer = self.session.post(f"{self.url}/office{path}", data=form, timeout=LIMIT_SECONDS)
        assert answer.ok, answer.text

    def login(self, username: str) -> None:
        """Signs in."""
        self.send("/login", "/login", username=username, password=PASSWORD)
