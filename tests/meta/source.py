"""The project's own files as the checks of this folder read them. No checks here."""

import ast
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SERVER = ROOT / "server"
SDK = ROOT / "client_sdk" / "src" / "fieldstamp"
DOCS = ROOT / "docs"

Function = ast.FunctionDef | ast.AsyncFunctionDef


def shown(path: Path) -> str:
    """``path`` as it is written inside the project."""
    return path.relative_to(ROOT).as_posix()


@cache
def own_files() -> tuple[Path, ...]:
    """Every file of the project: what git follows and what it would, nothing that it ignores."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    ).stdout.decode()
    paths = (ROOT / name for name in listing.split("\0") if name)
    return tuple(sorted(path for path in paths if path.is_file()))


def python_files(*folders: Path) -> list[Path]:
    """The Python files below ``folders``."""
    return [
        path
        for path in own_files()
        if path.suffix == ".py" and any(path.is_relative_to(folder) for folder in folders)
    ]


def code_files() -> list[Path]:
    """The Python files that are shipped: the server and the client, without their tests."""
    return python_files(SERVER, SDK)


@cache
def tree_of(path: Path) -> ast.Module:
    """The syntax tree of ``path``."""
    return ast.parse(path.read_text("utf-8"))


def functions_of(path: Path) -> Iterator[Function]:
    """Every function of ``path``, inner ones included."""
    for node in ast.walk(tree_of(path)):
        if isinstance(node, Function):
            yield node


def told(path: Path, function: Function) -> str:
    """``function`` said so that a person finds it: ``server/app.py:24 create_app``."""
    return f"{shown(path)}:{function.lineno} {function.name}"


def length_of(function: Function) -> int:
    """Lines of ``function`` from its ``def`` on, without its docstring."""
    last = function.end_lineno or function.lineno
    body = function.body[0]
    said = ast.get_docstring(function, clean=False)
    docstring = 0 if said is None else (body.end_lineno or body.lineno) - body.lineno + 1
    return last - function.lineno + 1 - docstring


def imports_of(path: Path) -> Iterator[tuple[int, str]]:
    """(line, dotted name) of everything that ``path`` imports, ``from a import b`` as ``a.b``."""
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)


def importers(package: str, *folders: Path) -> set[str]:
    """The files below ``folders`` that import ``package`` or something of it."""
    return {
        shown(path)
        for path in python_files(*folders)
        for _line, name in imports_of(path)
        if name == package or name.startswith(f"{package}.")
    }


def attributes_of(path: Path) -> Iterator[tuple[int, str]]:
    """(line, ``a.b.c``) of every attribute that ``path`` reaches for by plain names."""
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Attribute):
            yield node.lineno, ast.unparse(node)


def names_of_tests() -> list[str]:
    """The names of all tests of what the project does, those of this folder left out."""
    return [
        function.name
        for path in python_files(ROOT / "tests")
        if not path.is_relative_to(Path(__file__).parent)
        for function in functions_of(path)
        if function.name.startswith("test_")
    ]
