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
