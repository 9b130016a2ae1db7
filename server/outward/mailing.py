"""Notices by e-mail: their words, and a run of them over one connection.

K4: a notice holds a number, a kind, a time and a link, and nothing that a record says.
"""

import smtplib
import ssl
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from email.message import EmailMessage
from email.utils import format_datetime
from urllib.parse import unquote, urlsplit

import orjson

from server.clock import Clock, from_wire
from server.errors import Words
from server.outward.posting import RUN_SECONDS
from server.outward.reports import Letter, Report
from server.sync.kinds import Registry

PATIENCE_SECONDS = 10
PORTS = {"smtp": 25, "smtps": 465}
HEADLINES: Mapping[str, Words] = {
    "case.created": Words("新案件", "New case"),
    "case.changed_state": Words("状态已变更", "Its state has changed"),
    "case.decided": Words("已作出决定", "It was decided"),
    "deadline.warned": Words("即将到期", "It is due soon"),
    "deadline.missed": Words("已逾期", "It is overdue"),
}
OPEN = Words("请在后台查看", "Open it in the back office")


def send_all(
    smtp_url: str, sender: str, clock: Clock, registry: Registry, letters: Sequence[Letter]
) -> list[Report]:
    """Sends ``letters`` over one connection; a report of each that was tried."""
    end = clock.monotonic() + RUN_SECONDS
    reports: list[Report] = []
    try:
        with _connected(smtp_url) as server:
            for letter in letters:
                notice = write_notice(letter, registry, clock, sender)
                reports.append(_send(server, letter, notice))
                if clock.monotonic() > end:
                    break
    except (OSError, smtplib.SMTPException) as error:
        untried = letters[len(reports) :]
        reports += [_failed(letter, type(error).__name__) for letter in untried]
    return reports


@contextmanager
def _connected(smtp_url: str) -> Iterator[smtplib.SMTP]:
    """A session with the mail server; a password is never sent without TLS."""
    parts = urlsplit(smtp_url)
    host, port = parts.hostname or "", parts.port or PORTS[parts.scheme]
    trust = ssl.create_default_context()
    server: smtplib.SMTP
    if parts.scheme == "smtps":
        server = smtplib.SMTP_SSL(host, port, timeout=PATIENCE_SECONDS, context=trust)
    else:
        server = smtplib.SMTP(host, port, timeout=PATIENCE_SECONDS)
    with server:
        server.ehlo()
        if parts.scheme == "smtp" and (parts.username or server.has_extn("starttls")):
            server.starttls(context=trust)
        if parts.username:
            server.login(unquote(parts.username), unquote(parts.password or ""))
        yield server


def _send(server: smtplib.SMTP, letter: Letter, notice: EmailMessage) -> Report:
    """One that the server refuses stands in no other's way (P8)."""
    try:
        server.send_message(notice)
    except smtplib.SMTPRecipientsRefused as refusal:
        ((code, _words),) = refusal.recipients.values()
        return _refused(letter, code)
    except smtplib.SMTPDataError as refusal:
        return _refused(letter, refusal.smtp_code)
    except smtplib.SMTPNotSupportedError as refusal:  # an address in letters it does not know
        return _failed(letter, type(refusal).__name__)
    return Report(delivery=letter.delivery, arrived=True, answer="SMTP 250")


def _refused(letter: Letter, code: int) -> Report:
    """A code from 500 on is for good (RFC 5321, 4.2.1)."""
    return Report(delivery=letter.delivery, arrived=False, answer=f"SMTP {code}", gone=code >= 500)


def _failed(letter: Letter, why: str) -> Report:
    return Report(delivery=letter.delivery, arrived=False, answer=why)


def write_notice(letter: Letter, registry: Registry, clock: Clock, sender: str) -> EmailMessage:
    """The notice in the language of its reader."""
    body = orjson.loads(letter.body)
    data, language = body["data"], letter.language
    kind = registry.get(data["kind"])
    spoken = "zh-CN" if language.startswith("zh") else "en"
    name = kind.title[spoken] if kind else data["kind"]
    number = " ".join(data["number"].split())  # P8: a header of several lines would be refused
    headline = f"{name} {number}: {HEADLINES[body['type']].say(language)}"
    notice = EmailMessage()
    notice["Subject"] = headline
    notice["From"] = sender
    notice["To"] = letter.email
    notice["Date"] = format_datetime(clock.now())
    notice["Auto-Submitted"] = "auto-generated"
    # The same when it is sent again after a crash, so that a mailbox can tell.
    notice["Message-ID"] = f"<{letter.event}.{letter.user}@{sender.rpartition('@')[2]}>"
    at = f"{from_wire(body['timestamp']):%Y-%m-%d %H:%M} UTC"
    notice.set_content(f"{headline}\n{at}\n\n{OPEN.say(language)}:\n{data['link']}\n")
    return notice
