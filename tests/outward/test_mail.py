"""Notices by e-mail, to a real mail server on loopback."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage

import msgspec
import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session
from sqlalchemy import select, update

from server.casework.absences import note_absence
from server.casework.tables import Item
from server.db import transaction
from server.errors import Problem
from server.outward.posting import RUN_SECONDS
from server.outward.tables import Delivery
from server.people import addressees, users
from server.people.principal import Role
from server.people.tables import User
from server.settings import Settings
from server.work.rounds import run_pending
from tests.domain.records import receipt
from tests.live import free_port
from tests.outward.receivers import Receiver
from tests.outward.site import Site
from tests.until import LIMIT_SECONDS, until

pytestmark = pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)


@dataclass
class Postbox:
    """What the mail server took, and whom it refuses."""

    port: int
    notices: list[EmailMessage] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)
    logins: list[str] = field(default_factory=list)
    taken: Callable[[], object] = lambda: None
    """Called with each notice that it takes."""

    async def handle_RCPT(  # noqa: N802 -- the library's name
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _more: list[str]
    ) -> str:
        """Takes every address that is not refused."""
        if address in self.refused:
            return self.refused[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    def authenticate(
        self, _server: SMTP, _session: Session, _envelope: Envelope, how: str, _said: object
    ) -> AuthResult:
        """Notes that a password came."""
        self.logins.append(how)
        return AuthResult(success=True)

    async def handle_DATA(  # noqa: N802 -- the library's name
        self, _server: SMTP, _session: Session, envelope: Envelope
    ) -> str:
        """Keeps a notice."""
        assert isinstance(envelope.content, bytes)
        read = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(read, EmailMessage)
        self.notices.append(read)
        self.taken()
        return "250 OK"

    @property
    def told(self) -> list[str]:
        """Who was written to, in order."""
        return [str(notice["To"]) for notice in self.notices]


@pytest.fixture
def postbox() -> Iterator[Postbox]:
    """A mail server that listens."""
    box = Postbox(free_port())
    controller = Controller(
        box,
        hostname="127.0.0.1",
        port=box.port,
        auth_require_tls=False,
        authenticator=box.authenticate,
        ready_timeout=LIMIT_SECONDS,
        enable_SMTPUTF8=False,
    )
    controller.start()
    yield box
    controller.stop()


@pytest.fixture
def settings(settings: Settings, postbox: Postbox) -> Settings:
    """Settings that name the mail server."""
    return msgspec.structs.replace(
        settings,
        smtp_url=f"smtp://127.0.0.1:{postbox.port}",
        mail_from="fieldstamp@example.com",
        mail_kinds=("receipt",),
    )


@pytest.fixture
def managers(site: Site) -> None:
    """One manager in the region of the receipts, one elsewhere, one without an address."""
    people = (("east", "wang@example.com", "zh-CN"), ("south", "li@example.com", "zh-CN"))
    for region, email, language in people:
        role = Role.REGION_MANAGER
        site.company.user(role, region, email=email, language=language)
    site.company.user(Role.REGION_MANAGER, "shanghai", email="smith@example.com", language="en")
    site.company.user(Role.REGION_MANAGER, "shanghai")
    site.company.user(Role.FINANCE_OFFICER, "shanghai", email="money@example.com")


@pytest.mark.usefixtures("managers")
def test_b1_a_notice_goes_to_those_whose_role_is_to_act_where_the_record_lies(
    site: Site, postbox: Postbox
) -> None:
    site.receipt()
    site.work()
    assert sorted(postbox.told) == ["smith@example.com", "wang@example.com"]


@pytest.mark.usefixtures("managers")
def test_k4_a_notice_says_number_and_link_in_the_language_of_its_reader_and_no_more(
    site: Site, postbox: Postbox
) -> None:
    record = site.receipt()
    site.work()
    texts = {str(one["To"]): one for one in postbox.notices}
    english, chinese = texts["smith@example.com"], texts["wang@example.com"]
    assert english["Subject"] == f"Receipt {record[-8:]}: New case"
    assert chinese["Subject"] == f"票据 {record[-8:]}: 新案件"
    assert english.get_content_type() == "text/plain"
    assert f"/office/records/{record}" in english.get_content()
    assert "请在后台查看" in chinese.get_content()
    for notice in (english, chinese):
        whole = f"{notice} {notice.get_content()}"
        assert [said for said in ("老盛昌", "86.50", "CNY", "2026-03-01") if said in whole] == []


@pytest.mark.usefixtures("managers")
def test_x8_a_missed_deadline_is_told_to_those_who_were_to_act(
    site: Site, postbox: Postbox
) -> None:
    site.receipt()
    site.work()
    postbox.notices.clear()
    site.after(days=30)
    overdue = {str(one["To"]) for one in postbox.notices if "overdue" in str(one["Subject"])}
    assert overdue == {"smith@example.com"}
    assert [one["To"] for one in postbox.notices if "已逾期" in str(one["Subject"])]


def test_a_decision_is_told_to_who_recorded_it(site: Site, postbox: Postbox) -> None:
    with transaction(site.store):
        rep = site.store.get_one(User, site.rep.user)
        addressees.set_email(site.store, rep, "rep@example.com", now=site.clock.now())
    site.decide(site.receipt())
    site.after(minutes=1)
    assert postbox.told == ["rep@example.com"]


@pytest.mark.usefixtures("managers")
def test_b1_an_item_that_has_a_name_on_it_is_told_to_that_person_and_their_deputy(
    site: Site, postbox: Postbox
) -> None:
    people = {person.email: person.id for person in users.list_users(site.store)}
    absent, now = people["wang@example.com"], site.clock.now()
    site.receipt()
    with transaction(site.store):
        note_absence(
            site.store,
            person=absent,
            deputy=people["li@example.com"],
            begins=now,
            ends=now + timedelta(days=1),
            now=now,
        )
        site.store.execute(update(Item).values(person=absent))
    site.work()
    assert sorted(postbox.told) == ["li@example.com", "wang@example.com"]


@pytest.mark.usefixtures("managers")
def test_p8_an_address_that_is_refused_holds_up_no_other(site: Site, postbox: Postbox) -> None:
    postbox.refused = {"smith@example.com": "550 no such person"}
    site.receipt()
    site.work()
    assert postbox.told == ["wang@example.com"]
    postbox.refused = {}
    site.after(hours=1)
    assert postbox.told == ["wang@example.com"]
    answers = {one.answer for one in site.store.scalars(select(Delivery))}
    assert answers == {"SMTP 250", "SMTP 550"}


@pytest.mark.usefixtures("managers")
def test_p8_an_address_that_the_mail_server_cannot_write_holds_up_no_other(
    site: Site, postbox: Postbox
) -> None:
    site.company.user(Role.REGION_MANAGER, "shanghai", email="张@example.com")
    for _ in range(3):
        site.receipt()
    site.work()
    assert sorted(postbox.told) == ["smith@example.com"] * 3 + ["wang@example.com"] * 3


@pytest.mark.usefixtures("managers")
def test_p8_a_number_of_several_lines_holds_up_no_notice(site: Site, postbox: Postbox) -> None:
    site.desk.create(site.rep, "receipt", **receipt(number="1\u20282\n3"))
    site.work()
    subjects = {str(notice["Subject"]) for notice in postbox.notices}
    assert subjects == {"Receipt 1 2 3: New case", "票据 1 2 3: 新案件"}


@pytest.mark.usefixtures("managers")
def test_p8_a_slow_mail_server_is_left_before_its_letters_are_due_to_another_worker(
    site: Site, postbox: Postbox
) -> None:
    postbox.taken = lambda: site.clock.advance(seconds=RUN_SECONDS + 1)
    site.receipt()
    run_pending(site.app)
    until(lambda: all(flight.run.done() for flight in site.outward.flying.values()))
    assert len(postbox.told) == 1
    site.work()
    site.after(seconds=10)
    assert sorted(postbox.told) == ["smith@example.com", "wang@example.com"]


@pytest.mark.usefixtures("managers")
def test_an_address_that_is_refused_for_now_is_tried_again(site: Site, postbox: Postbox) -> None:
    postbox.refused = {"smith@example.com": "450 come again"}
    site.receipt()
    site.work()
    postbox.refused = {}
    site.after(minutes=1)
    assert sorted(postbox.told) == ["smith@example.com", "wang@example.com"]


@pytest.mark.usefixtures("managers")
def test_who_has_lost_the_address_or_was_shut_out_gets_nothing(
    site: Site, postbox: Postbox
) -> None:
    postbox.refused = dict.fromkeys(["smith@example.com", "wang@example.com"], "450 wait")
    site.receipt()
    site.work()
    with transaction(site.store):
        for person in users.list_users(site.store):
            if person.email == "smith@example.com":
                addressees.set_email(site.store, person, None, now=site.clock.now())
            if person.email == "wang@example.com":
                users.disable_user(site.store, person, now=site.clock.now())
    postbox.refused = {}
    site.after(minutes=1)
    assert postbox.told == []
    assert all(one.settled_at for one in site.store.scalars(select(Delivery)))


class TestWithoutAServer:
    """Nobody listens where the mail server should be."""

    @pytest.fixture
    def settings(self, settings: Settings) -> Settings:
        """Settings that name a port on which nobody listens."""
        return msgspec.structs.replace(settings, smtp_url=f"smtp://127.0.0.1:{free_port()}")

    @pytest.mark.usefixtures("managers")
    def test_p8_a_dead_mail_server_holds_up_no_hook_and_is_tried_again(
        self, site: Site, receiver: Receiver
    ) -> None:
        site.hook(receiver)
        site.receipt()
        site.work()
        assert receiver.types == ["case.created"]
        mails = select(Delivery).where(Delivery.user.is_not(None))
        assert {one.settled_at for one in site.store.scalars(mails)} == {None}
        assert all(one.tries == 1 for one in site.store.scalars(mails))


class TestWithAPassword:
    """A mail server that offers no TLS, and settings with a password."""

    @pytest.fixture
    def settings(self, settings: Settings, postbox: Postbox) -> Settings:
        """Settings with a password."""
        url = f"smtp://wang:secret@127.0.0.1:{postbox.port}"
        return msgspec.structs.replace(settings, smtp_url=url)

    @pytest.mark.usefixtures("managers")
    def test_a_password_is_never_sent_without_tls(self, site: Site, postbox: Postbox) -> None:
        site.receipt()
        site.work()
        assert (postbox.logins, postbox.told) == ([], [])
        answers = {one.answer for one in site.store.scalars(select(Delivery))}
        assert answers == {"SMTPNotSupportedError"}


def test_what_is_no_single_address_is_refused(site: Site) -> None:
    user = site.store.get_one(User, site.rep.user)
    for wrong in ("wang", "a@b@c", "<a@b.example>", "a@b.example, c@d.example", "a b@c", "a@b\nc"):
        with pytest.raises(Problem), transaction(site.store):
            addressees.set_email(site.store, user, wrong, now=site.clock.now())
