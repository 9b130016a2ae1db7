"""A process that saves until it is killed; says each id only after the save returned."""

import sys
from pathlib import Path

from fieldstamp import Client
from fieldstamp.testing import FixedClock, SeededEntropy
from tests.sdk.office import Office


def main(path: str, seed: str) -> None:
    client = Client(
        Path(path),
        server="http://office.test",
        transport=Office(),
        clock=FixedClock(),
        entropy=SeededEntropy(int(seed)),
    )
    if not client.status().enrolled:
        client.enrol("CODE")
    sys.stdout.write("open\n")
    sys.stdout.flush()
    for number in range(100_000):
        visit = client.create("visit", {"purpose": "routine", "note": f"note {number}"})
        photo = client.attach(visit, f"photo {seed} {number}".encode() * 500)
        sys.stdout.write(f"{visit.id} {photo.id}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
