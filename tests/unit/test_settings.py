"""Settings: read from the environment and a file; what is unknown is refused."""

from pathlib import Path

import msgspec
import pytest

from server.settings import Settings, load, secret_keys, server_key


def test_settings_come_from_the_environment() -> None:
    found = load(
        {
            "FIELDSTAMP_DATA": "/srv/fieldstamp",
            "FIELDSTAMP_WORKERS": "3",
            "FIELDSTAMP_SECURE_COOKIES": "false",
            "FIELDSTAMP_ORIGINS": "https://a.example,https://b.example",
            "PATH": "/bin",
        }
    )
    assert found.data == Path("/srv/fieldstamp")
    assert (found.workers, found.secure_cookies) == (3, False)
    assert found.origins == ("https://a.example", "https://b.example")


def test_the_environment_outranks_the_file(tmp_path: Path) -> None:
    config = tmp_path / "fieldstamp.toml"
    config.write_text('data = "/srv/data"\nworkers = 5\nthreads = 7\n')
    found = load({"FIELDSTAMP_CONFIG": str(config), "FIELDSTAMP_WORKERS": "3"})
    assert (found.data, found.workers, found.threads) == (Path("/srv/data"), 3, 7)


def test_devices_enrol_at_the_address_listened_on_unless_others_are_named() -> None:
    assert load({"FIELDSTAMP_LISTEN": "127.0.0.1:9000"}).origins == ("http://127.0.0.1:9000",)


@pytest.mark.parametrize("name", ["FIELDSTAMP_WORKRES", "FIELDSTAMP_"])
def test_unknown_settings_are_refused(name: str) -> None:
    with pytest.raises(msgspec.ValidationError, match="unknown field"):
        load({name: "3"})


def test_wrong_types_are_refused_by_name() -> None:
    with pytest.raises(msgspec.ValidationError, match="workers"):
        load({"FIELDSTAMP_WORKERS": "many"})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("LISTEN", "127.0.0.1"),
        ("LISTEN", "127.0.0.1:99999"),
        ("LISTEN", "localhost:80a"),
        ("WORKERS", "0"),
        ("THREADS", "0"),
        ("ORIGINS", "fieldstamp.example.com"),
        ("LANGUAGE", "de"),
        ("LOG_LEVEL", "verbose"),
        ("DATABASE", "mysql://db.example.com/fieldstamp"),
        ("DATABASE", "fieldstamp.sqlite"),
        ("BUCKET_ENDPOINT", "127.0.0.1:9000"),
        ("HOOK_ALLOW", "erp.example.com"),
    ],
)
def test_a_value_that_cannot_be_meant_is_refused_by_name(name: str, value: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=f"`{name.lower()}`"):
        load({f"FIELDSTAMP_{name}": value})


@pytest.mark.parametrize("listen", ["127.0.0.1:8080", "0.0.0.0:80", "[::1]:65535", "localhost:1"])
def test_an_address_to_listen_on_is_a_host_and_a_port(listen: str) -> None:
    assert load({"FIELDSTAMP_LISTEN": listen}).listen == listen


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"workers = ", "is no TOML"), ("data = '仓'".encode("gbk"), "not UTF-8"), (None, "No such")],
)
def test_a_file_of_settings_that_cannot_be_read_is_named(
    tmp_path: Path, content: bytes | None, said: str
) -> None:
    config = tmp_path / "fieldstamp.toml"
    if content is not None:
        config.write_bytes(content)
    with pytest.raises(msgspec.ValidationError, match=f"fieldstamp.toml .*{said}"):
        load({"FIELDSTAMP_CONFIG": str(config)})


def test_a_file_of_settings_may_begin_with_a_byte_order_mark(tmp_path: Path) -> None:
    config = tmp_path / "fieldstamp.toml"
    config.write_text("workers = 5\n", "utf-8-sig")
    assert load({"FIELDSTAMP_CONFIG": str(config)}).workers == 5


def test_keys_are_made_once_and_readable_by_their_owner_only(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path)
    assert secret_keys(settings) == secret_keys(settings)
    assert server_key(settings).private_bytes_raw() == server_key(settings).private_bytes_raw()
    for name in ("secret.key", "server.key"):
        assert (tmp_path / name).stat().st_mode & 0o077 == 0


def test_lists_in_the_environment_are_written_with_commas() -> None:
    found = load({"FIELDSTAMP_HOOK_ALLOW": "a.example:8080,b.example:80"})
    assert found.hook_allow == ("a.example:8080", "b.example:80")


@pytest.mark.parametrize("url", ["mail.example.com", "http://mail.example.com", "smtp:mail"])
def test_a_mail_server_is_named_by_an_address_for_mail(url: str) -> None:
    with pytest.raises(msgspec.ValidationError, match="smtp_url"):
        load({"FIELDSTAMP_SMTP_URL": url})
