"""The commands of an administrator about hooks and addresses, on a store of their own."""

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from server.cli import cli, main
from tests.outward.receivers import Receiver


@pytest.fixture
def installation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, receiver: Receiver) -> None:
    """The environment of a fresh installation that may call the receiver."""
    monkeypatch.setenv("FIELDSTAMP_DATA", str(tmp_path / "installation"))
    monkeypatch.setenv("FIELDSTAMP_HOOK_ALLOW", f"127.0.0.1:{receiver.port}")
    monkeypatch.delenv("FIELDSTAMP_DATABASE", raising=False)


def _run(*words: str) -> Result:
    return CliRunner().invoke(cli, words)


def _say(*words: str) -> str:
    result = _run(*words)
    assert result.exit_code == 0, result.output
    return result.output.strip()


@pytest.mark.usefixtures("installation")
def test_an_administrator_adds_lists_replays_and_removes_a_hook(receiver: Receiver) -> None:
    _say("db", "upgrade")
    shown = _say("hooks", "add", receiver.url, "--type", "case.decided", "--kind", "visit")
    hook, secret, token = (line.split()[1] for line in shown.splitlines()[:3])
    listed = _say("hooks", "list")
    assert f"{hook}  active  {receiver.url}" in listed
    assert "case.decided visit; 0 on their way, 0 given up" in listed
    assert secret not in listed
    assert token not in listed
    assert _say("hooks", "replay", hook) == "0 events are sent again."
    _say("hooks", "remove", hook)
    assert _say("hooks", "list") == ""


@pytest.mark.usefixtures("installation")
def test_what_cannot_be_done_is_said_in_plain_words(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _say("db", "upgrade")
    _say("user", "add", "wang")
    _say("user", "email", "wang", "wang@example.com")
    _say("user", "email", "wang")
    wrong = {
        "hooks add https://10.0.0.1/": (
            "url is not an address that may be called: The address lies in a private or reserved"
        ),
        "hooks replay none": "There is no hook none.",
        "user email wang nowhere": "email has the wrong form",
    }
    for words, said in wrong.items():
        monkeypatch.setattr("sys.argv", ["fieldstamp-server", *words.split()])
        with pytest.raises(SystemExit) as stopped:
            main()
        assert stopped.value.code == 1
        assert said in capsys.readouterr().err
