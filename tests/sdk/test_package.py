"""What the package brings, shows and may import."""

import ast
import importlib.metadata
import re
import subprocess
import sys
from pathlib import Path

import fieldstamp

SOURCE = Path(fieldstamp.__file__).parent
ALLOWED = {"cryptography", "fastjsonschema", "urllib3"}


def imports_of(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add((node.module or "").split(".")[0])
    return names


def test_it_requires_three_libraries_and_no_server() -> None:
    requires = importlib.metadata.requires("fieldstamp") or []
    always = {re.split("[<>=]", line)[0] for line in requires if "extra ==" not in line}
    assert always == ALLOWED


def test_importing_it_loads_nothing_of_a_server() -> None:
    asked = "import sys, fieldstamp, fieldstamp.cli, fieldstamp.testing; print(*sys.modules)"
    ran = subprocess.run(
        [sys.executable, "-c", asked], capture_output=True, text=True, check=True, cwd="/"
    )
    loaded = {name.split(".")[0] for name in ran.stdout.split()}
    assert not loaded & {"server", "flask", "sqlalchemy", "marshmallow", "werkzeug"}


def test_each_library_has_one_door() -> None:
    doors = {"sqlite3": {"_store.py"}, "urllib3": {"_transport.py"}, "PIL": {"_images.py"}}
    doors |= {"rich": {"_bars.py"}, "fastjsonschema": {"_kinds.py"}, "cryptography": {"_seal.py"}}
    found: dict[str, set[str]] = {name: set() for name in doors}
    for path in SOURCE.glob("*.py"):
        for name in imports_of(path) & doors.keys():
            found[name].add(path.name)
    assert found == doors


def test_time_and_chance_have_one_door() -> None:
    for path in SOURCE.glob("*.py"):
        if path.name not in {"_system.py", "testing.py"}:
            assert not imports_of(path) & {"time", "secrets", "random"}, path.name
            assert ".now()" not in path.read_text().replace("clock.now()", ""), path.name


def test_the_public_names_are_sorted_and_there() -> None:
    assert fieldstamp.__all__ == sorted(fieldstamp.__all__)
    for name in fieldstamp.__all__:
        assert getattr(fieldstamp, name).__module__.startswith("fieldstamp.")
    assert (SOURCE / "py.typed").exists()


def test_every_error_has_a_code_of_its_own_and_says_what_to_do() -> None:
    errors = [
        value
        for value in vars(fieldstamp).values()
        if isinstance(value, type) and issubclass(value, fieldstamp.FieldstampError)
    ]
    codes = [error.code for error in errors]
    assert len(codes) == len(set(codes))
    assert all(error.action for error in errors)
    drawn = sys.modules["fieldstamp._errors"].__doc__ or ""
    assert all(error.__name__ in drawn for error in errors)
