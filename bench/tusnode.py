"""The reference server of tus from the npm registry, where node and npm are at hand."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.processes import ROOT, free_port, running

PACKAGES = ("@tus/server@2.4.5", "@tus/file-store@2.1.1")
SCRIPT = ROOT / "bench" / "baselines" / "tus.cjs"
INSTALL_SECONDS = 300


class Missing(Exception):
    """Why the reference cannot be started here, for a person."""


def install(folder: Path) -> Path:
    """``folder`` with both packages in it. Raises :class:`Missing`."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        raise Missing("node and npm are not installed")
    if not (folder / "node_modules" / "@tus" / "file-store").exists():
        folder.mkdir(parents=True, exist_ok=True)
        command = [npm, "install", "--no-audit", "--no-fund", "--prefix", str(folder), *PACKAGES]
        try:
            subprocess.run(command, check=True, capture_output=True, timeout=INSTALL_SECONDS)
        except (subprocess.SubprocessError, OSError) as error:
            raise Missing(f"npm could not install {' '.join(PACKAGES)}") from error
    return folder


@contextmanager
def serve(folder: Path, modules: Path) -> Iterator[tuple[int, int]]:
    """(port, pid) of a running server whose files lie in ``files`` below ``folder``."""
    port, files = free_port(), folder / "files"
    files.mkdir()
    command = ["node", str(SCRIPT), str(files), str(port), str(modules)]
    with running(command, port=port, folder=folder) as pid:
        yield port, pid
