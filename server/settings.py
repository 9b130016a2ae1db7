"""Settings of one installation, from a TOML file and the environment; unknown keys are refused.

Company rules are not here: they are the policy's (``policy.py``).
"""

import os
import re
import secrets
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from server.durable import sync_path
from server.errors import LANGUAGES

PREFIX = "FIELDSTAMP_"
LISTS = frozenset({"ORIGINS", "HOOK_ALLOW", "MAIL_KINDS"})
NOT_SETTINGS = frozenset({"CONFIG", "TEST_PHOTOS"})
LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
PORT = r"(?:[1-9]\d{0,3}|[1-5]\d{4}|6[0-4]\d{3}|65[0-4]\d\d|655[0-2]\d|6553[0-5])"
LISTEN = re.compile(rf"(?:[^\s:/]+|\[[0-9A-Fa-f:]+\]):{PORT}")
STORES = r"(?:sqlite|postgres(?:ql)?)(?:\+\w+)?://"


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What an administrator may set; each field is ``FIELDSTAMP_<NAME>`` in the environment."""

    data: Path = Path("var")
    """Folder of the store, the photos, the work queue and the keys."""
    database: str = ""
    """SQLAlchemy URL; empty: SQLite in ``data``."""
    origins: tuple[str, ...] = ("http://127.0.0.1:8080",)
    """Addresses at which devices enrol; the first is the one shown to people."""
    listen: str = "127.0.0.1:8080"
    proxies: int = 0
    """How many proxies stand in front; only their ``X-Forwarded-*`` headers are believed."""
    workers: int = 2
    threads: int = 400
    upload_slots: int = 360
    """Uploads that one process takes at once; the rest is told to come later. Connections are not
    handed out evenly, so that one process must have room for most of them."""
    silence_seconds: int = 20
    """How long the next 8 KiB of a body may take before its thread is freed; what came is kept."""
    language: str = "zh-CN"
    policy: Path | None = None
    """Policy file of the company; empty: the defaults."""
    secure_cookies: bool = True
    access_minutes: int = 10
    session_idle_days: int = 45
    session_days: int = 90
    min_app_soft: str = "0.0.0"
    min_app_hard: str = "0.0.0"
    poll_seconds: int = 60
    """How often a device asks when it has nothing to send (``backoff``)."""
    push_bytes: int = 4 * 1024 * 1024
    push_wire_bytes: int = 1024 * 1024
    mutation_bytes: int = 256 * 1024
    upload_bytes: int = 200 * 1024 * 1024
    open_uploads: int = 500
    """How many uploads one person may have under way."""
    open_bytes: int = 4 * 1024 * 1024 * 1024
    """How many bytes they may come to."""
    bucket: str = ""
    """S3-compatible bucket in which originals come to rest; empty: they stay in ``data``."""
    bucket_endpoint: str = ""
    bucket_region: str = ""
    bucket_prefix: str = ""
    bucket_after_days: int = 7
    """How long an original lies at hand before it is moved."""
    hook_allow: tuple[str, ...] = ()
    """``host:port`` that hooks may call although it is private, on another port or without TLS."""
    smtp_url: str = ""
    """Mail server, ``smtp://`` or ``smtps://``, with ``user:password@`` where it asks for them;
    empty: no e-mail."""
    mail_from: str = "fieldstamp@localhost"
    mail_kinds: tuple[str, ...] = ("cross_region_case",)
    """Kinds about which e-mail is sent, beside those that go through states of their own."""
    rehash_days: int = 90
    """How often each original is read and hashed again; 0: never."""
    log_level: str = "INFO"

    def __post_init__(self) -> None:
        """Raises ``ValueError`` with what is wrong with the form of a value."""
        for wrong, said in _misformed(self):
            if wrong:
                raise ValueError(said)

    def database_url(self) -> str:
        """The URL of the store."""
        return self.database or f"sqlite:///{self.data.resolve() / 'fieldstamp.sqlite'}"


def _misformed(given: Settings) -> Iterator[tuple[bool, str]]:
    """(whether it is so, what is to be said) of values that no type tells apart."""
    web, mail = ("http://", "https://"), ("smtp://", "smtps://")
    yield not LISTEN.fullmatch(given.listen), "`listen` is host:port, such as 127.0.0.1:8080"
    yield given.workers < 1, "`workers` is 1 or more"
    yield given.threads < 1, "`threads` is 1 or more"
    origins = all(origin.startswith(web) for origin in given.origins)
    yield not (given.origins and origins), "`origins` begin with https:// or http://"
    yield given.language not in LANGUAGES, f"`language` is one of {', '.join(LANGUAGES)}"
    yield given.log_level not in LEVELS, f"`log_level` is one of {', '.join(LEVELS)}"
    known = re.match(STORES, given.database or "sqlite://")
    yield not known, "`database` begins with postgresql:// or sqlite:///"
    endpoint = given.bucket_endpoint
    yield bool(endpoint) and not endpoint.startswith(web), "`bucket_endpoint` begins with https://"
    pairs = all(LISTEN.fullmatch(pair) for pair in given.hook_allow)
    yield not pairs, "`hook_allow` lists host:port, such as erp.example.com:443"
    smtp = given.smtp_url
    yield bool(smtp) and not smtp.startswith(mail), "`smtp_url` begins with smtp:// or smtps://"


def load(environment: Mapping[str, str] | None = None, **given: object) -> Settings:
    """Settings from the file that ``FIELDSTAMP_CONFIG`` names, the environment, then ``given``.

    Raises ``msgspec.ValidationError`` naming the key that is unknown or of the wrong type, or the
    file that cannot be read.
    """
    source = os.environ if environment is None else environment
    values: dict[str, object] = {}
    if config := source.get(f"{PREFIX}CONFIG"):
        values |= _read_file(config)
    for name, text in source.items():
        key = name.removeprefix(PREFIX)
        if name.startswith(PREFIX) and key not in NOT_SETTINGS:
            values[key.lower()] = text.split(",") if key in LISTS else text
    values |= given
    if "listen" in values and "origins" not in values:
        values["origins"] = [f"http://{values['listen']}"]
    return msgspec.convert(values, Settings, strict=False, dec_hook=_read_path)


def _read_file(config: str) -> dict[str, object]:
    try:
        return tomllib.loads(Path(config).read_text("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise msgspec.ValidationError(f"{config} cannot be read: it is not UTF-8") from error
    except tomllib.TOMLDecodeError as error:
        raise msgspec.ValidationError(f"{config} is no TOML: {error}") from error
    except OSError as error:
        raise msgspec.ValidationError(f"{config} cannot be read: {error.strerror}") from error


def _read_path(kind: type, value: object) -> object:
    if kind is Path and isinstance(value, str | Path):
        return Path(value)
    raise NotImplementedError


def _write_once(path: Path, content: bytes) -> bytes:
    """The content of ``path``; creates it, readable by its owner only, where it is missing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    if not path.exists():
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):  # of two processes that start at once, one key wins
            os.link(fresh, path)
        fresh.unlink()
    for folder in (path.parent, path.parent.parent):
        sync_path(folder)  # P3: devices are told of this key, whoever wrote it
    return path.read_bytes()


def secret_keys(settings: Settings) -> tuple[str, ...]:
    """The secrets behind sessions, tokens and cursors; one is made on first use.

    One per line of ``secret.key``. The first makes what is new; the others still prove what was
    made with them, so that a new first line logs nobody out.
    """
    fresh = secrets.token_hex(64).encode()
    return tuple(_write_once(settings.data / "secret.key", fresh).decode().split())


def server_key(settings: Settings) -> Ed25519PrivateKey:
    """The key that signs acknowledgements; made on first use."""
    fresh = Ed25519PrivateKey.generate().private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )
    key = load_pem_private_key(_write_once(settings.data / "server.key", fresh), password=None)
    if not isinstance(key, Ed25519PrivateKey):
        raise TypeError("server.key is not an Ed25519 key")
    return key
