"""The documents name what exists, say it as it is, and lead nowhere that is not there."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest
from flask.testing import FlaskClient

from server.sync.wire import MEMBERS, OutcomeName
from tests.meta import tables
from tests.meta.source import DOCS, ROOT, own_files, shown

OUTSIDE = re.compile(
    r"\.\./shared|/work/|/home/[a-z]|/Users/|[A-Z]:\\\\|/tmp/[a-z]|/root/"
    r"|\b(?:PROTOCOL|DOMAIN|STYLE)\.md|\bresearch/"
)
SECOND_PLACES = {".ci/run", "uv.lock"}
"""Files that name places outside on purpose: photos that a machine may have, package addresses."""

LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
PAGES = [path for path in own_files() if path.suffix == ".md"]


def _text(name: str) -> str:
    return (ROOT / name).read_text("utf-8")


def _own_texts() -> Iterator[tuple[str, str]]:
    for path in own_files():
        if shown(path) in SECOND_PLACES or path == Path(__file__):
            continue
        try:
            yield shown(path), path.read_text("utf-8")
        except UnicodeDecodeError:
            continue


def test_the_protocol_lists_every_problem_code_as_the_server_words_it() -> None:
    assert tables.problems() in _text("docs/protocol.md"), tables.problems()


def test_the_protocol_lists_every_kind() -> None:
    assert tables.kinds() in _text("docs/protocol.md"), tables.kinds()


@pytest.mark.parametrize("member", sorted(MEMBERS))
def test_every_member_of_a_mutation_is_documented(member: str) -> None:
    rows = re.findall(r"^\| ([^|]+) \|", _text("docs/protocol.md"), re.MULTILINE)
    assert f"`{member}`" in " ".join(rows)


@pytest.mark.parametrize("outcome", get_args(OutcomeName))
def test_every_outcome_is_documented(outcome: str) -> None:
    assert f"\n| `{outcome}` |" in _text("docs/protocol.md")


def test_the_protocol_names_every_route(client: FlaskClient) -> None:
    document = client.get("/v1/openapi.json").get_json()
    starts = {path.partition("{")[0] for path in document["paths"]}
    assert sorted(start for start in starts if start not in _text("docs/protocol.md")) == []


@pytest.mark.parametrize(("name", "default"), list(tables.settings()))
def test_every_setting_is_documented_with_its_default(name: str, default: str) -> None:
    assert f"| `{name}` | {default} |" in _text("docs/operating.md")


def test_no_setting_is_documented_that_does_not_exist() -> None:
    section = _text("docs/operating.md").partition("\n## Settings")[2].partition("\n## ")[0]
    documented = re.findall(r"^\| `([a-z_]+)` \|", section, re.MULTILINE)
    assert sorted(documented) == sorted(name for name, _default in tables.settings())


@pytest.mark.parametrize(("key", "default"), list(tables.policy()))
def test_every_key_of_the_policy_is_documented_with_its_default(key: str, default: str) -> None:
    assert f"| `{key}` | {default} |" in _text("docs/operating.md")


def test_no_key_of_the_policy_is_documented_that_does_not_exist() -> None:
    section = _text("docs/operating.md").partition("\n## Policy")[2].partition("\n## ")[0]
    documented = re.findall(r"^\| `([a-z0-9_.]+)` \|", section, re.MULTILINE)
    assert sorted(documented) == sorted(key for key, _default in tables.policy())


def test_the_commands_documented_are_the_commands_there_are() -> None:
    documented = re.findall(
        r"^\| `(fieldstamp-server [a-z -]+)` \|", _text("docs/operating.md"), re.MULTILINE
    )
    assert sorted(documented) == sorted(tables.commands())


@pytest.mark.parametrize("name", ["demo", "test"])
def test_the_readme_shows_the_two_commands(name: str) -> None:
    assert f"python3 dev.py {name}" in _text("README.md")
    assert f'"{name}"' in _text("dev.py")


@pytest.mark.parametrize("folder", [ROOT, ROOT / "client_sdk"], ids=shown)
def test_each_changelog_begins_with_the_present_version_or_what_is_unreleased(
    folder: Path,
) -> None:
    project = tomllib.loads((folder / "pyproject.toml").read_text("utf-8"))["project"]
    changelog = (folder / "CHANGELOG.md").read_text("utf-8")
    newest = re.findall(r"^## (.+)$", changelog, re.MULTILINE)[0]
    assert newest in {"Unreleased", project["version"]}


def test_no_file_speaks_of_places_outside_the_project() -> None:
    found = [
        f"{name}: {match.group()}" for name, text in _own_texts() if (match := OUTSIDE.search(text))
    ]
    assert found == []


def _anchor(heading: str) -> str:
    kept = re.sub(r"[^\w\- ]", "", heading.strip().lower())
    return kept.replace(" ", "-")


def _anchors(page: Path) -> set[str]:
    return {_anchor(heading) for heading in HEADING.findall(page.read_text("utf-8"))}


def _leads_nowhere(page: Path, link: str) -> bool:
    target, _, anchor = link.partition("#")
    path = (page.parent / target).resolve() if target else page
    if not path.exists() or not path.is_relative_to(ROOT):
        return True
    return bool(anchor) and anchor not in _anchors(path)


@pytest.mark.parametrize("page", PAGES, ids=shown)
def test_every_link_between_pages_leads_somewhere(page: Path) -> None:
    links = [link for link in LINK.findall(page.read_text("utf-8")) if "://" not in link]
    assert [link for link in links if _leads_nowhere(page, link)] == []


def test_every_page_of_the_documents_can_be_reached_from_the_readme() -> None:
    reached, open_ = set[Path](), [ROOT / "README.md"]
    while open_:
        page = open_.pop()
        if page in reached or page.suffix != ".md":
            continue
        reached.add(page)
        links = LINK.findall(page.read_text("utf-8"))
        open_ += [(page.parent / link.partition("#")[0]).resolve() for link in links]
    assert sorted(shown(page) for page in set(DOCS.glob("*.md")) - reached) == []
