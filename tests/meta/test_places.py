"""What may stand in one place only: the commit, clocks, ids, Pillow, urllib3, SQLite, requests."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from tests.meta.source import (
    ROOT,
    SDK,
    SERVER,
    attributes_of,
    code_files,
    functions_of,
    importers,
    imports_of,
    python_files,
    shown,
    told,
    tree_of,
)

CLOCKS = {"server/clock.py", "client_sdk/src/fieldstamp/_system.py"}
CLOCK_READERS = re.compile(
    r"(?:datetime\.)*(?:datetime|date)\.(?:now|utcnow|today)"
    r"|time\.(?:time|time_ns|monotonic|monotonic_ns|perf_counter|localtime|gmtime|sleep)"
)
FRESH_IDS = re.compile(r"(?:uuid\.)?uuid[1-8]|(?:os\.)?urandom")
REQUEST_NAMES = {"flask.current_app", "flask.g", "flask.request", "flask.session"}
REQUEST_ROOMS = ("server/api/", "server/backoffice/", "server/fieldapp/", "server/linked/")
REQUEST_FILES = {"server/app.py", "server/services.py"}
SQLITE = ("sqlite3", "pysqlite3", "sqlcipher3", "apsw", "aiosqlite")
TASKS_LEFT = re.compile(r"#.*\b(?:TO" + "DO|FIX" + r"ME|X{3})\b")
DEAD_WORDS = {"utils", "helpers", "manager", "base", "misc", "common"}


def _places(pattern: re.Pattern[str]) -> Iterator[tuple[str, str]]:
    for path in code_files():
        for line, name in attributes_of(path):
            if pattern.fullmatch(name):
                yield shown(path), f"{shown(path)}:{line} {name}"


def _import_places(*folders: Path) -> Iterator[tuple[str, str]]:
    for path in python_files(*folders):
        for _line, name in imports_of(path):
            yield shown(path), name


def test_p3_one_place_in_the_server_commits() -> None:
    commits = [
        f"{shown(path)}:{line}"
        for path in python_files(SERVER)
        for line, name in attributes_of(path)
        if name.endswith(".commit")
    ]
    assert len(commits) == 1, commits
    assert commits[0].startswith("server/db.py:")


def test_p9_only_the_clock_module_reads_a_clock() -> None:
    assert [said for file, said in _places(CLOCK_READERS) if file not in CLOCKS] == []
    taken = [
        f"{file} {name}"
        for file, name in _import_places(SERVER, SDK)
        if CLOCK_READERS.fullmatch(name) and file not in CLOCKS
    ]
    assert taken == []


def test_the_clocks_are_where_this_check_thinks_they_are() -> None:
    assert {file for file, _said in _places(CLOCK_READERS)} == CLOCKS


def test_ids_are_made_by_the_ids_modules_only() -> None:
    made = [f"{file} {name}" for file, name in _import_places(SERVER, SDK)]
    made += [said for _file, said in _places(FRESH_IDS)]
    assert [said for said in made if FRESH_IDS.fullmatch(said.split()[-1])] == []


def test_one_module_of_the_server_opens_pictures() -> None:
    """The demonstration draws its own photos and opens none."""
    opening = importers("PIL", SERVER) - {"server/demo/drawing.py"}
    assert opening == {"server/media/images.py"}


def test_one_module_of_the_client_imports_pillow() -> None:
    assert importers("PIL", SDK) == {"client_sdk/src/fieldstamp/_images.py"}


def test_one_module_of_the_client_imports_urllib3() -> None:
    assert importers("urllib3", SDK) == {"client_sdk/src/fieldstamp/_transport.py"}


def test_sqlite_has_one_door_in_the_server_and_one_in_the_client() -> None:
    """Two SQLite libraries in one process cancel each other's file locks.

    The tests of the client look into its file with the library that it uses itself.
    """
    doors = set().union(*(importers(library, ROOT) for library in SQLITE))
    doors -= importers("sqlite3", ROOT / "tests" / "sdk")
    assert doors == {"server/db.py", "client_sdk/src/fieldstamp/_store.py"}


def test_the_request_is_known_only_where_requests_are_answered() -> None:
    strangers = [
        f"{file} {name}"
        for file, name in _import_places(SERVER)
        if name in REQUEST_NAMES
        and not file.startswith(REQUEST_ROOMS)
        and file not in REQUEST_FILES
    ]
    assert strangers == []


def test_nothing_is_left_for_later_in_a_comment() -> None:
    left = [
        f"{shown(path)}:{number}"
        for path in python_files(ROOT)
        for number, line in enumerate(path.read_text("utf-8").splitlines(), start=1)
        if TASKS_LEFT.search(line)
    ]
    assert left == []


def test_modules_are_named_after_what_is_in_them() -> None:
    assert [shown(path) for path in code_files() if path.stem.strip("_") in DEAD_WORDS] == []


def test_public_functions_and_classes_say_what_they_mean() -> None:
    silent = [
        told(path, function)
        for path in code_files()
        for function in functions_of(path)
        if function in tree_of(path).body
        and not function.name.startswith("_")
        and not ast.get_docstring(function)
    ]
    assert silent == []
