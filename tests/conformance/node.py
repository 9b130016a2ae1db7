"""Packages of the npm registry for tests, in the user's cache folder; never dependencies."""

import os
import shutil
import subprocess
from pathlib import Path

INSTALL_SECONDS = 300


class Missing(Exception):
    """Why there is no such package here, for a person."""


def install(*packages: str) -> Path:
    """A folder whose ``node_modules`` holds ``packages``. Raises :class:`Missing`."""
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        raise Missing("node and npm are not installed")
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = base / "fieldstamp-tests" / "-".join(packages).replace("/", "-")
    if not (folder / "complete").exists():
        folder.mkdir(parents=True, exist_ok=True)
        command = [npm, "install", "--no-audit", "--no-fund", "--prefix", str(folder), *packages]
        try:
            subprocess.run(command, check=True, capture_output=True, timeout=INSTALL_SECONDS)
        except (subprocess.SubprocessError, OSError) as error:
            raise Missing(f"npm could not install {' '.join(packages)}") from error
        (folder / "complete").touch()
    return folder
