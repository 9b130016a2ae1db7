"""Run as a process of its own: receives bytes for an upload and dies when they reach the disk.

Arguments: the upload's id, its user. The process kills itself after the data is durable and
before the offset says so.
"""

import os
import signal
import sys

from server.app import create_app
from server.extensions import db
from server.media import parts, receiving, uploads
from server.settings import load


class DyingPart(parts.Part):
    """A part file whose sync is the last thing that the process does."""

    def sync(self) -> None:
        """Brings the data to the disk, and kills the process."""
        super().sync()
        os.kill(os.getpid(), signal.SIGKILL)


def main(upload: str, user: str) -> None:
    """Receives 200,000 other bytes at the offset of ``upload``."""
    app = create_app(load())
    parts.Part = DyingPart  # type: ignore[misc]
    with app.app_context():
        session, media = db.session(), app.extensions["fieldstamp"].media
        leased = uploads.take_over(session, media, uploads.find_upload(session, user, upload))
        receiving.receive(session, media, leased, [b"\xee" * 200_000])


if __name__ == "__main__":
    main(*sys.argv[1:])
