"""The Chinese words of the pages are complete, and what is shipped is made from them."""

from io import BytesIO
from pathlib import Path

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import read_mo
from babel.messages.pofile import read_po

ROOM = Path(__file__).parents[2] / "server" / "backoffice"
FOLDER = ROOM / "translations" / "zh" / "LC_MESSAGES"
METHODS = [("**.py", "python"), ("**/templates/**.html", "jinja2")]
WORDS = {"gettext": None, "lazy_gettext": None, "ngettext": (1, 2), "_": None}


def used() -> set[object]:
    """Every text that modules and templates ask for."""
    found = extract_from_dir(ROOM, METHODS, keywords=WORDS)
    return {message for _file, _line, message, _comments, _context in found}


def written() -> Catalog:
    """The catalogue that people edit."""
    return read_po(BytesIO((FOLDER / "messages.po").read_bytes()), locale="zh")


def told(message: Message) -> tuple[str, ...]:
    """The translations of a message."""
    said = message.string
    return (said,) if isinstance(said, str) else tuple(said)


def test_every_text_of_the_pages_has_its_chinese_words_and_no_other_has() -> None:
    assert {message.id for message in written() if message.id} == used()


def test_no_text_is_left_untranslated_or_in_doubt() -> None:
    left = [one.id for one in written() if one.id and (one.fuzzy or not all(told(one)))]
    assert left == []


def test_the_placeholders_of_a_text_stand_in_its_translation() -> None:
    wrong = [one.id for one in written() if one.id and list(one.check())]
    assert wrong == []


def test_the_compiled_words_are_those_that_are_written() -> None:
    """After a change: ``pybabel compile -d server/backoffice/translations``."""
    compiled = read_mo(BytesIO((FOLDER / "messages.mo").read_bytes()))
    assert listed(compiled) == listed(written())


def listed(catalog: Catalog) -> list[tuple[str, tuple[str, ...]]]:
    """Every text with its words, in order; of a plural its singular."""
    named = ((one.id, one) for one in catalog if one.id)
    return sorted((id_ if isinstance(id_, str) else id_[0], told(one)) for id_, one in named)
