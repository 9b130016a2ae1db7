"""``python -m tests.e2e.handset STORE``: syncs a device's store until all of it is synced."""

import sys
import threading

from fieldstamp import Client

PAUSE_SECONDS = 0.05


def main(store: str) -> None:
    pause = threading.Event()
    while True:
        with Client(store) as client:
            if client.sync().run().synced:
                return
        pause.wait(PAUSE_SECONDS)


if __name__ == "__main__":
    main(*sys.argv[1:])
