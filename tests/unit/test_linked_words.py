"""What the pages of links say."""

import re
from pathlib import Path

from server.domain.links.purposes import PURPOSES
from server.linked import words

ROOM = Path(words.__file__).parent


def text_of(suffix: str) -> str:
    """All files of the room with that suffix."""
    return "".join(path.read_text("utf-8") for path in ROOM.rglob(f"*.{suffix}"))


def test_x6_f6_every_sentence_of_the_pages_is_there_in_both_languages() -> None:
    for_purposes = [one for said in words.FOR_PURPOSES.values() for one in said.items()]
    for name, said in (*words.WORDS.items(), *for_purposes):
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


def test_f6_every_purpose_of_links_has_the_sentences_that_its_page_says() -> None:
    said = set(re.findall(r'own\("(\w+)"\)', text_of("html")))
    assert words.FOR_PURPOSES.keys() == PURPOSES.keys()
    for purpose, own in words.FOR_PURPOSES.items():
        assert own.keys() == said, purpose
