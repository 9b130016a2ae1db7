"""Originals move to a bucket while photos come in: ``python -m tests.load.bucket``.

Eight photos of 3 MB at once, and one that is larger than a part, while those before them are moved
to a real object store on this machine. Prints one row.
"""

import contextlib
import hashlib
import os
import random
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import boto3
from botocore.config import Config

from bench.carriers import Load, send_all
from server.media.s3 import PART_BYTES
from server.settings import Settings
from tests.conformance import swift
from tests.lines import begin, declare, patch
from tests.live import LiveServer, live_server
from tests.load.drips import Memory
from tests.load.memory import PHOTO_BYTES, loads, say
from tests.until import until

BUCKET, REGION = "photos", "us-east-1"
COUNT = 24
KEYS = {
    "AWS_ACCESS_KEY_ID": swift.ACCESS,
    "AWS_SECRET_ACCESS_KEY": swift.SECRET,
    "AWS_EC2_METADATA_DISABLED": "true",
}
MOVE = [sys.executable, "-m", "server.cli", "media", "move", "--days", "0"]


class Store:
    """The bucket, looked at beside the server."""

    def __init__(self, endpoint: str) -> None:
        self._client = boto3.client(
            "s3",
            endpoint_url=endpoint,
            region_name=REGION,
            config=Config(s3={"addressing_style": "path"}),
        )
        self._client.create_bucket(Bucket=BUCKET)

    def hashes(self) -> set[str]:
        """What the objects have in them."""
        found = set()
        for page in self._client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET):
            for entry in page.get("Contents", ()):
                body = self._client.get_object(Bucket=BUCKET, Key=entry["Key"])["Body"]
                found.add(hashlib.sha256(body.read()).hexdigest())
        return found

    def holds_any(self) -> bool:
        """Whether something has come."""
        return bool(self._client.list_objects_v2(Bucket=BUCKET, MaxKeys=1).get("Contents"))

    def unfinished(self) -> int:
        """Uploads in parts that nobody ended."""
        return len(self._client.list_multipart_uploads(Bucket=BUCKET).get("Uploads", ()))


def send_large(server: LiveServer) -> str:
    """Sends what the bucket takes in parts only; its hash."""
    content = random.Random(0).randbytes(PART_BYTES + 4_000_000)
    answer = patch(server, begin(server, declare(server, content), len(content)), 0, content)
    assert answer.headers["Upload-State"] == "verified"
    return hashlib.sha256(content).hexdigest()


@contextlib.contextmanager
def moving(server: LiveServer) -> Iterator[None]:
    """Has what has come moved, again and again; once more at the end. Raises where it failed."""
    over, faults = threading.Event(), list[str]()

    def move() -> None:
        is_last = False
        while not is_last:
            is_last = over.is_set()
            done = subprocess.run(
                MOVE, env=server.environment, check=False, capture_output=True, text=True
            )
            if done.returncode:
                faults.append(done.stderr[-500:])

    thread = threading.Thread(target=move)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
    if faults:
        raise RuntimeError(f"{len(faults)} moves failed: {faults[0]}")


def left(folder: Path) -> list[str]:
    """Files of uploads and originals that lie on the disk."""
    found = [*(folder / "uploads").rglob("*"), *(folder / "blobs").rglob("*")]
    return [path.name for path in found if path.is_file()]


def rate(sent: Sequence[Load]) -> float:
    """Megabytes a second. Raises where anything was refused."""
    trips = send_all(sent)
    seconds = max(trip.ended for trip in trips) - min(trip.began for trip in trips)
    return sum(len(load.photos) for load in sent) * PHOTO_BYTES / 1024 / 1024 / seconds


def play(server: LiveServer, store: Store, folder: Path) -> bool:
    """Prints the row; whether all of it holds."""
    first, second = loads(server, COUNT), loads(server, COUNT, seed=1 + COUNT)
    wanted = {photo.sha256() for load in (*first, *second) for photo in load.photos}
    with Memory([process.pid for process in server.processes]) as memory:
        alone = rate(first)
        with moving(server):
            until(store.holds_any)
            beside = rate(second)
            wanted.add(send_large(server))
    until(lambda: not left(folder), say=lambda: left(folder))
    whole, unfinished = len(wanted & store.hashes()), store.unfinished()
    say(
        f"| {alone:.0f} MB/s, {beside:.0f} beside the moves | {whole} of {len(wanted)} with their"
        f" hash in the bucket | {unfinished} unfinished there | {memory.peak_mb:.0f} MB |"
    )
    return whole == len(wanted) and not unfinished


def main() -> int:
    """Status 1 where a photo did not come to rest whole."""
    os.environ |= KEYS
    with contextlib.ExitStack() as open_:
        folder = Path(open_.enter_context(tempfile.TemporaryDirectory(prefix="fieldstamp-load-")))
        data, objects = folder / "data", folder / "objects"
        data.mkdir()
        objects.mkdir()
        try:
            endpoint = open_.enter_context(swift.serving(objects))
        except swift.Missing as missing:
            say(f"not measured: {missing}")
            return 2
        store = Store(endpoint)
        bucket = {"BUCKET": BUCKET, "BUCKET_ENDPOINT": endpoint, "BUCKET_REGION": REGION}
        given = {f"FIELDSTAMP_{name}": value for name, value in bucket.items()}
        url = f"sqlite:///{data}/store.sqlite"
        settings = Settings(data=data, database=url, access_minutes=600)
        begun = live_server(settings, FIELDSTAMP_WORKERS="2", FIELDSTAMP_THREADS="400", **given)
        return int(not play(open_.enter_context(begun), store, data))


if __name__ == "__main__":
    raise SystemExit(main())
