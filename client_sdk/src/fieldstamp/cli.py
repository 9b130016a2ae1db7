"""The command ``fieldstamp``: log in, save, look, sync. A thin layer over :class:`Client`.

Exit codes: 0 done, and for ``sync`` synced; 1 failed; 2 wrong usage; 3 kept here, not synced yet;
4 something needs a person; 5 log in first.
"""

import argparse
import getpass
import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any

from fieldstamp import _bars, _words
from fieldstamp._client import VERSION, Client
from fieldstamp._errors import FieldstampError, LoginNeededError, NotEnrolledError
from fieldstamp._transport import HttpTransport
from fieldstamp._values import SyncReport

DONE, FAILED, USAGE, NOT_YET, NEEDS_YOU, LOGIN = range(6)
KINDS = {"visit": "visit", "case": "cross_region_case"}
_EPILOG = (
    "exit codes: 0 done (sync: synced), 1 failed, 2 wrong usage, 3 kept here and not synced yet, "
    "4 something needs a person, 5 log in first"
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; returns its exit code."""
    given = _parser().parse_args(arguments)
    # The server is asked in one of the two, so that both speak the same.
    chinese = _words.is_chinese(given.lang or os.environ.get("LANG", "en"))
    given.lang = "zh-CN" if chinese else "en"
    if wrong := _mistyped(given):
        code, text = wrong
        return _refuse(code, text, given)
    try:
        with _open(given) as client:
            return int(given.run(client, given))
    except (FieldstampError, OSError) as error:
        return _fail(error, given)


def login(client: Client, given: argparse.Namespace) -> int:
    """Binds the store to a user, by one-time code or by name and password."""
    if given.user:
        password = os.environ.get("FIELDSTAMP_PASSWORD") or getpass.getpass()
        client.login(given.user, password, name=given.device_name)
    else:
        client.enrol(given.code, name=given.device_name)
    status = client.status()
    _say(given, status, _pick(given, f"已登录：{status.user}", f"logged in as {status.user}"))
    return DONE


def new(client: Client, given: argparse.Namespace) -> int:
    """Saves a visit or a case with its photos; uses no network."""
    kind = KINDS[given.what]
    # P6: read before anything is saved, so that whoever mistyped a name does not save it all twice.
    files = [_photo(text) for text in given.photo]
    record = client.create(kind, _fields(client, kind, given))
    photos = [client.attach(record, content, tag=tag or None) for tag, content in files]
    text = _pick(
        given,
        f"已保存在本机：{record.id}，照片 {len(photos)} 张。下一步：fieldstamp sync",
        f"saved on this device: {record.id}, photos: {len(photos)}. next: fieldstamp sync",
    )
    _say(given, {"record": record, "photos": photos}, text)
    return DONE


def status(client: Client, given: argparse.Namespace) -> int:
    """Says where the store stands; uses no network."""
    now = client.status()
    lines = [
        _pick(
            given,
            f"待发送：{now.pending_mutations} 项更改，{now.pending_uploads} 个文件",
            f"to send: {now.pending_mutations} changes, {now.pending_uploads} files",
        ),
        _pick(given, "已同步", "synced") if now.synced else _pick(given, "未同步", "not synced"),
        *(f"! {need.title}  {need.action}" for need in now.needs_you),
    ]
    _say(given, now, "\n".join(lines))
    return NEEDS_YOU if now.needs_you else DONE


def outbox(client: Client, given: argparse.Namespace) -> int:
    """Lists what has not reached its end, with reasons; uses no network."""
    items = client.outbox()
    lines = [f"{item.id}  {item.kind}  {item.reason}  → {item.action}" for item in items]
    _say(given, items, "\n".join(lines) or _pick(given, "没有待发送的内容", "nothing to send"))
    return DONE


def sync(client: Client, given: argparse.Namespace) -> int:
    """Syncs once."""
    run = client.sync()
    _bars.show(run, shown=sys.stderr.isatty() and not given.json)
    report = run.report
    _say(given, report, _told(report, given))
    if report.synced:
        return NEEDS_YOU if report.needs_you else DONE
    return LOGIN if report.reason == "not_enrolled" or client.status().paused else NOT_YET


def _told(report: SyncReport, given: argparse.Namespace) -> str:
    counts = _pick(
        given,
        f"已发送 {report.sent}，已接收 {report.received}，文件 {report.photos_sent}",
        f"sent {report.sent}, received {report.received}, files {report.photos_sent}",
    )
    needs = [f"! {need.title}  {need.action}" for need in report.needs_you]
    if report.synced:
        return "\n".join([f"{_pick(given, '已同步', 'synced')}  {counts}", *needs])
    code = report.reason or "pending"
    reason = _words.reason(code, given.lang) or report.message
    action = _words.action(code, given.lang) or report.action
    not_yet = _pick(given, "未同步", "not synced yet")
    return "\n".join([f"{not_yet}: {reason}  {counts}", action, *needs])


def _fields(client: Client, kind: str, given: argparse.Namespace) -> dict[str, Any]:
    described = [known for known in client.kinds().get("kinds", ()) if known["name"] == kind]
    properties = described[0]["schema"].get("properties", {}) if described else {}
    named = {name: getattr(given, name, None) for name in ("customer", "purpose")}
    fields = {name: value for name, value in named.items() if value is not None}
    for pair in given.set:
        name, _, text = pair.partition("=")
        fields[name] = _value(text, properties.get(name, {}))
    return fields


def _value(text: str, described: Mapping[str, Any]) -> Any:
    """A text stays text where the kind says so; numbers, lists and objects are written as JSON."""
    if described.get("type", "string") == "string" and not text.startswith(("{", "[")):
        return text
    try:
        return json.loads(text)
    except ValueError:
        return text


def _photo(text: str) -> tuple[str, bytes]:
    """Tag and bytes of ``[TAG=]FILE``."""
    tag, separator, file = text.partition("=")
    if not separator or Path(text).exists():
        tag, file = "", text
    return tag, Path(file).read_bytes()


def _open(given: argparse.Namespace) -> Client:
    transport = HttpTransport(allow_plain_http=given.allow_plain_http)
    return Client(given.store, server=given.server, transport=transport, language=given.lang)


def _mistyped(given: argparse.Namespace) -> tuple[int, str] | None:
    """Exit code and words where a store or an address is named that cannot be meant.

    "Nothing to send" must not be said of a store that is another one than the rep's.
    """
    missing = not Path(given.store).exists()
    if missing and given.run in {status, sync, outbox}:
        zh = f"没有 {given.store} 这个数据文件：用 --store 指定，或先运行 fieldstamp login"
        en = f"there is no store {given.store}: --store names it, fieldstamp login makes it"
        return LOGIN, _pick(given, zh, en)
    if missing and given.run is login and not given.server:
        zh, en = "首次登录需要 --server 地址", "--server URL is needed at the first login"
        return USAGE, _pick(given, zh, en)
    if given.server and not given.server.startswith(("https://", "http://")):
        zh, en = "地址须以 https:// 开头", "an address begins with https://"
        return USAGE, f"{given.server}: {_pick(given, zh, en)}"
    return None


def _refuse(code: int, text: str, given: argparse.Namespace) -> int:
    if given.json:
        _write({"error": "usage", "message": text, "action": "", "fields": {}})
    else:
        sys.stderr.write(f"{text}\n")
    return code


def _fail(error: FieldstampError | OSError, given: argparse.Namespace) -> int:
    code = error.code if isinstance(error, FieldstampError) else "file"
    action = error.action if isinstance(error, FieldstampError) else ""
    fields = error.fields if isinstance(error, FieldstampError) else {}
    told = _words.action(code, given.lang) or action
    if given.json:
        _write({"error": code, "message": str(error), "action": told, "fields": fields})
    else:
        sys.stderr.write(f"{_words.reason(code, given.lang) or error}\n{told}\n")
    return LOGIN if isinstance(error, LoginNeededError | NotEnrolledError) else FAILED


def _say(given: argparse.Namespace, value: object, text: str) -> None:
    if given.json:
        _write(_plain(value))
    else:
        sys.stdout.write(f"{text}\n")


def _write(value: object) -> None:
    sys.stdout.write(json.dumps(value, ensure_ascii=False, default=str) + "\n")


def _plain(value: object) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    if isinstance(value, Mapping):
        return {str(name): _plain(member) for name, member in value.items()}
    return [_plain(member) for member in value] if isinstance(value, list) else value


def _pick(given: argparse.Namespace, zh: str, en: str) -> str:
    return zh if _words.is_chinese(given.lang) else en


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="fieldstamp", description="Field records, offline first.")
    parser.add_argument("--version", action="version", version=VERSION)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for entered in _login_command(commands), _new_command(commands), *_plain_commands(commands):
        _add_common(entered)
    return parser


def _login_command(commands: Any) -> argparse.ArgumentParser:
    command: argparse.ArgumentParser = commands.add_parser("login", help=login.__doc__)
    who = command.add_mutually_exclusive_group(required=True)
    who.add_argument("code", nargs="?", help="one-time code from the office")
    who.add_argument("--user", help="log in by name; password from FIELDSTAMP_PASSWORD or asked")
    command.add_argument("--device-name", default="command line")
    command.set_defaults(run=login)
    return command


def _new_command(commands: Any) -> argparse.ArgumentParser:
    command: argparse.ArgumentParser = commands.add_parser("new", help=new.__doc__)
    command.add_argument("what", choices=sorted(KINDS))
    command.add_argument("--customer", help="id of the customer")
    command.add_argument("--purpose", help="purpose of a visit")
    command.add_argument("--set", action="append", default=[], metavar="NAME=VALUE")
    command.add_argument("--photo", action="append", default=[], metavar="[TAG=]FILE")
    command.set_defaults(run=new)
    return command


def _plain_commands(commands: Any) -> Iterator[argparse.ArgumentParser]:
    for run in (status, sync, outbox):
        command: argparse.ArgumentParser = commands.add_parser(run.__name__, help=run.__doc__)
        command.set_defaults(run=run)
        yield command


def _add_common(command: argparse.ArgumentParser) -> None:
    command.epilog = _EPILOG
    store = os.environ.get("FIELDSTAMP_STORE", "fieldstamp.db")
    command.add_argument("--store", default=store, metavar="PATH", help=f"default: {store}")
    command.add_argument("--server", metavar="URL", help="needed once, at the first login")
    command.add_argument("--lang", metavar="LANGUAGE", help="zh-CN or en; default: LANG")
    command.add_argument("--json", action="store_true", help="answer with one JSON value")
    command.add_argument(
        "--allow-plain-http", action="store_true", help="permit http beyond this machine"
    )


if __name__ == "__main__":
    raise SystemExit(main())
