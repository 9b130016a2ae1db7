"""What the pages of links say."""

import re
from pathlib import Path

from server.linked import words

ROOM = Path(words.__file__).parent


def text_of(suffix: str) -> str:
    """All files of the room with that suffix."""
    return "".join(path.read_text("utf-8") for path in ROOM.rglob(f"*.{suffix}"))


def test_x6_every_sentence_of_the_pages_is_there_in_both_languages() -> None:
    for name, said in words.WORDS.items():
        assert re.search(r"[\u4e00-\u9fff]", said.zh), name
        assert not re.search(r"[\u4e00-\u9fff]", said.en), name
        assert said.zh.count("{") == said.en.count("{"), name
    assert set(words.FOR_SCRIPTS) <= set(words.WORDS)


def test_x6_no_sentence_of_the_pages_is_there_for_nobody() -> None:
    said, scripts = text_of("html") + text_of("py"), text_of("js")
    for name in words.WORDS:
        assert len(re.findall(rf"""["']{name}["']""", said)) > 1, name
    for name in words.FOR_SCRIPTS:
        assert f'"{name}"' in scripts, name
