"""HTTP over a real socket: half answers, redirects, strangers, plain http."""

import gzip
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from fieldstamp import HttpTransport, OfflineError, RefusedError, Request


class Strange(BaseHTTPRequestHandler):
    """Answers by path."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.do_GET()

    def do_GET(self) -> None:
        name = self.path.strip("/")
        getattr(self, f"say_{name}")()

    def say_whole(self) -> None:
        self._say(200, b'{"a":1}', {"Content-Type": "application/json", "X-Odd": "Kept"})

    def say_zipped(self) -> None:
        self._say(200, gzip.compress(b'{"a":1}'), {"Content-Encoding": "gzip"})

    def say_broken(self) -> None:
        self._say(200, b"no gzip", {"Content-Encoding": "gzip"})

    def say_moved(self) -> None:
        self._say(302, b"", {"Location": "/whole"})

    def say_failed(self) -> None:
        self._say(503, b"", {"Retry-After": "7"})

    def say_cut(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "1000")
        self.end_headers()
        self.wfile.write(b"half")
        self.close_connection = True

    def say_nothing(self) -> None:
        self.close_connection = True

    def _say(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Strange)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def transport() -> Iterator[HttpTransport]:
    transport = HttpTransport()
    yield transport
    transport.close()


def test_a_whole_answer_comes_as_it_is(transport: HttpTransport, address: str) -> None:
    answer = transport.send(Request(method="POST", url=f"{address}/whole", body=b"x" * 10))
    assert (answer.status, answer.body, answer.headers["x-odd"]) == (200, b'{"a":1}', "Kept")
    assert transport.send(Request(method="GET", url=f"{address}/zipped")).body == b'{"a":1}'


def test_redirects_and_refusals_are_answers_and_are_not_followed(
    transport: HttpTransport, address: str
) -> None:
    assert transport.send(Request(method="GET", url=f"{address}/moved")).status == 302
    busy = transport.send(Request(method="GET", url=f"{address}/failed"))
    assert (busy.status, busy.headers["retry-after"]) == (503, "7")


@pytest.mark.parametrize("path", ["cut", "nothing", "broken"])
def test_m1_half_an_answer_is_no_answer(transport: HttpTransport, address: str, path: str) -> None:
    with pytest.raises(OfflineError):
        transport.send(Request(method="GET", url=f"{address}/{path}"))


def test_nobody_there_is_offline(transport: HttpTransport) -> None:
    with pytest.raises(OfflineError):
        transport.send(Request(method="GET", url="http://127.0.0.1:9/"))


def test_tokens_do_not_travel_in_the_clear_unless_a_person_says_so(
    transport: HttpTransport,
) -> None:
    request = Request(method="GET", url="http://fieldstamp.example/", timeout_s=0.01)
    with pytest.raises(RefusedError) as refused:
        transport.send(request)
    assert refused.value.code == "plain_http"
