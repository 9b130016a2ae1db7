"""Sets up the project's own environment and hands on to the real command.

``python3 dev.py demo`` and ``python3 dev.py test`` need nothing but Python 3.11 or newer and a
package index. Where ``uv`` is missing it is put into a private environment under ``.dev/`` first.
"""

import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent
PRIVATE = ROOT / ".dev" / "uv"
CHECKS = (
    ("ruff", "check", "."),
    ("ruff", "format", "--check", "."),
    ("mypy",),
    ("lint-imports", "--no-cache"),
)
USAGE = """usage: python3 dev.py COMMAND [ARGUMENTS ...]

  demo    start a demonstration company and its devices (--exit: print a summary and stop)
  test    run the tests (arguments go to pytest)
  check   lint, types and layers
  bench   measure the server beside others (--uploads: photos; --quick: one short run; --json FILE)
"""


def find_uv() -> str:
    """The path of a usable uv; installs one into ``.dev/`` when the machine has none."""
    if found := shutil.which("uv"):
        return found
    uv = PRIVATE / "bin" / "uv"
    if not uv.exists():
        venv.create(PRIVATE, with_pip=True, clear=True)
        install = [str(PRIVATE / "bin" / "python"), "-m", "pip", "install", "--quiet"]
        subprocess.run([*install, "uv>=0.9"], check=True)
    return str(uv)


def run(uv: str, *command: str, groups: tuple[str, ...] = ()) -> int:
    """Runs ``command`` in the locked environment and returns its exit status."""
    wanted = [word for group in groups for word in ("--group", group)]
    prefix = [uv, "run", "--frozen", "--no-default-groups", "--python", sys.executable]
    # A company's network may have a certificate of its own, which the system knows and pip trusts.
    trust = {"UV_SYSTEM_CERTS": "true", "UV_NATIVE_TLS": "true"}
    environment = {**trust, **os.environ, "UV_PYTHON_DOWNLOADS": "never"}
    environment.pop("VIRTUAL_ENV", None)
    return subprocess.run(
        [*prefix, *wanted, *command], cwd=ROOT, env=environment, check=False
    ).returncode


def main(arguments: list[str]) -> int:
    """Dispatches one command; returns the exit status of what it ran."""
    command, rest = (arguments[0], arguments[1:]) if arguments else ("", [])
    if command not in {"demo", "test", "check", "bench"}:
        print(USAGE, end="")
        return 0 if command in {"", "-h", "--help"} else 2
    uv = find_uv()
    if command == "demo":
        return run(uv, "fieldstamp-server", "demo", *rest, groups=("dev",))
    if command == "test":
        return run(uv, "pytest", *rest, groups=("dev",))
    if command == "bench":
        return run(uv, "python", "-m", "bench", *rest, groups=("dev",))
    return max(run(uv, *check, groups=("dev", "lint")) for check in CHECKS)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
