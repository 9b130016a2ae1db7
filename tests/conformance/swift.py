"""OpenStack Swift with its S3 interface: a real object store, from the package index, on loopback.

It refuses wrong checksums, overwriting and forged or expired addresses. It lives in an environment
of its own in the user's cache folder and is never a dependency of this project.
"""

import getpass
import os
import socket
import subprocess
import sys
import time
import venv
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.live import free_port

PACKAGE = "swift==2.38.3"
ACCESS, SECRET = "test:tester", "testing"
RINGS = ("account", "container", "object")
START_SECONDS, INSTALL_SECONDS = 300, 600
PROXY = """
[pipeline:main]
pipeline = catch_errors listing_formats s3api tempauth slo proxy-server
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
[filter:tempauth]
use = egg:swift#tempauth
user_test_tester = testing .admin
[filter:s3api]
use = egg:swift#s3api
[filter:slo]
use = egg:swift#slo
[filter:listing_formats]
use = egg:swift#listing_formats
[filter:catch_errors]
use = egg:swift#catch_errors
"""


class Missing(Exception):
    """Why there is no such server here, for a person."""


def _cache() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "fieldstamp-tests"


def install() -> Path:
    """The folder of programs of an environment with Swift. Raises :class:`Missing`."""
    final = _cache() / PACKAGE.replace("==", "-")
    programs = final / "bin"
    if not (final / "complete").exists():
        venv.create(final, with_pip=True, clear=True)
        command = [str(programs / "python"), "-m", "pip", "install", "--quiet", PACKAGE]
        try:
            subprocess.run(command, check=True, capture_output=True, timeout=INSTALL_SECONDS)
        except (subprocess.SubprocessError, OSError) as error:
            raise Missing(f"{PACKAGE} could not be installed") from error
        (final / "complete").touch()
    return programs


def need_attributes(folder: Path) -> None:
    """Raises :class:`Missing` where files below ``folder`` take no attributes."""
    probe = folder / "probe"
    probe.touch()
    try:
        os.setxattr(probe, "user.swift.probe", b"1")
    except (AttributeError, OSError) as error:
        raise Missing("Swift needs Linux and a disk whose files take attributes") from error


def _configure(programs: Path, folder: Path) -> dict[str, int]:
    """Writes rings and settings; the port of each server."""
    ports = {name: free_port() for name in (*RINGS, "proxy")}
    (folder / "srv" / "disk").mkdir(parents=True)
    (folder / "swift.conf").write_text(
        "[swift-hash]\nswift_hash_path_suffix = tests\nswift_hash_path_prefix = tests\n"
        "[storage-policy:0]\nname = one\ndefault = yes\n"
    )
    for name, port in ports.items():
        common = (
            f"[DEFAULT]\nbind_ip = 127.0.0.1\nbind_port = {port}\nworkers = 0\n"
            f"user = {getpass.getuser()}\nswift_dir = {folder}\nlog_level = ERROR\n"
            f"devices = {folder / 'srv'}\nmount_check = false\nlog_address = {folder / 'none'}\n"
        )
        served = f"[pipeline:main]\npipeline = {name}-server\n[app:{name}-server]\n"
        served = PROXY if name == "proxy" else f"{served}use = egg:swift#{name}\n"
        (folder / f"{name}.conf").write_text(common + served)
        if name != "proxy":
            _build_ring(programs, folder / f"{name}.builder", port)
    return ports


def _build_ring(programs: Path, builder: Path, port: int) -> None:
    disk = f"r1z1-127.0.0.1:{port}/disk"
    for step in (("create", "6", "1", "1"), ("add", disk, "1"), ("rebalance",)):
        command = [programs / "python", programs / "swift-ring-builder", builder, *step]
        subprocess.run(command, check=True, capture_output=True)


@contextmanager
def _process(command: list[object], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("wb") as out:
        process = subprocess.Popen([str(word) for word in command], stdout=out, stderr=out)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_until_open(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError(f"a server did not start: {log.read_text()[-2000:]}")


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """The address of a running server whose files lie below ``folder``. Raises `Missing`."""
    if sys.platform != "linux":
        raise Missing("Swift runs on Linux only")
    need_attributes(folder)
    programs = install()
    ports = _configure(programs, folder)
    with ExitStack() as stack:
        for name, port in ports.items():
            log = folder / f"{name}.log"
            server = programs / f"swift-{name}-server"
            command = [programs / "python", server, folder / f"{name}.conf"]
            _wait_until_open(port, stack.enter_context(_process(command, log)), log)
        yield f"http://127.0.0.1:{ports['proxy']}"
