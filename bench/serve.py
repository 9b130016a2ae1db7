"""``python -m bench.serve``: Fieldstamp's own HTTP server, with the benchmark's kind added."""

from flask import Flask

from bench.kind import CALL
from server.app import create_app
from server.serving import HttpServer
from server.settings import load


class BenchServer(HttpServer):
    """The server of this installation that also knows calls."""

    def load(self) -> Flask:
        """Called in each worker."""
        return create_app(self.settings, kinds=(CALL,))


if __name__ == "__main__":
    BenchServer(load()).run()
