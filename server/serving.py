"""Runs the processes of one machine: the HTTP server, and the worker beside it. No rules."""

import gc
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from typing import Any

from flask import Flask
from gunicorn.app.base import BaseApplication

from server.app import create_app
from server.extensions import db
from server.services import keep_following
from server.settings import Settings

LOOK_SECONDS = 1.0
FOLLOW_SECONDS = 2.0
STOP_SECONDS = 40.0


class HttpServer(BaseApplication):  # type: ignore[misc]
    """gunicorn with the settings of this installation; each worker makes its own application."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        super().__init__()

    def load_config(self) -> None:
        """Hands the settings over to gunicorn."""
        for name, value in options(self.settings).items():
            self.cfg.set(name, value)

    def load(self) -> Flask:
        """Called in each worker, so that no connection crosses a fork."""
        app = create_app(self.settings)
        _look_for_policy(app)
        threading.Thread(target=_follow_policy, args=(app,), name="policy", daemon=True).start()
        return app


def _follow_policy(app: Flask) -> None:
    """Takes a new policy into use within seconds, beside the requests, which wait for nothing."""
    pause = threading.Event()
    while not pause.wait(FOLLOW_SECONDS):
        _look_for_policy(app)


def _look_for_policy(app: Flask) -> None:
    with app.app_context():
        keep_following(app, db.session())


def options(settings: Settings) -> dict[str, Any]:
    """gunicorn's options."""
    return {
        "bind": settings.listen,
        "workers": settings.workers,
        "threads": settings.threads,
        "worker_class": "gthread" if settings.threads > 1 else "sync",
        "control_socket_disable": True,
        "post_worker_init": _spare_collections,
        "graceful_timeout": 30,
        "keepalive": 15,
        "proc_name": "fieldstamp",
        "loglevel": settings.log_level.lower(),
    }


YOUNG = 50_000
"""Objects that come to be before the collector looks; a push of 500 makes fewer."""


def _spare_collections(_worker: object) -> None:
    """Keeps the collector off what lives as long as the process, and from stopping at each push.

    By itself it looked through all of the program several times a batch (measured: a tenth of the
    processor time of a push).
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, 20, 50)


def _start(command: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-m", "server.cli", command])


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def run_both() -> int:
    """The HTTP server and a worker until a signal or the end of the HTTP server; its status.

    A worker that ends is started again: what it left undone stands in the tables.
    """
    http, worker = _start("http"), _start("work")

    def pass_on(number: int, _frame: object) -> None:
        with suppress(ProcessLookupError):
            http.send_signal(number)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, pass_on)
    try:
        while True:
            with suppress(subprocess.TimeoutExpired):
                return http.wait(LOOK_SECONDS)
            if worker.poll() is not None:
                worker = _start("work")
    finally:
        _stop(worker)
        _stop(http)
