"""The way to a bucket, where it breaks: no real object store does that when it is told to."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from server.media.disk import hash_pieces, read_pieces
from server.media.s3 import Bucket, S3Blobs, open_bucket

NAME = "a" * 64


class Broken(BaseHTTPRequestHandler):
    """Announces more than it sends."""

    def do_GET(self) -> None:
        """Hangs up in the middle."""
        self.send_response(200)
        self.send_header("Content-Length", "100000")
        self.end_headers()
        self.wfile.write(b"x" * 1000)
        self.close_connection = True

    def log_message(self, *_said: object) -> None:
        """Says nothing."""


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Iterator[S3Blobs]:
    for name, value in (("ACCESS_KEY_ID", "a"), ("SECRET_ACCESS_KEY", "b")):
        monkeypatch.setenv(f"AWS_{name}", value)
    with ThreadingHTTPServer(("127.0.0.1", 0), Broken) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        endpoint = f"http://127.0.0.1:{server.server_port}"
        yield open_bucket(Bucket(name="photos", endpoint=endpoint, region="us-east-1"))
        server.shutdown()


def test_p8_an_object_that_breaks_off_is_told_like_a_bucket_that_does_not_answer(
    store: S3Blobs,
) -> None:
    with store.open_range(NAME) as file, pytest.raises(OSError, match="bucket") as broken:
        hash_pieces(read_pieces(file))
    assert broken.value.errno is None, "it says nothing about the bytes"
