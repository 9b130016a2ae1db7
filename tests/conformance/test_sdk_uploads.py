"""The client's uploads: over a link that breaks, and to the reference server of tus."""

import hashlib
import random
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from fieldstamp import Client, HttpTransport, OfflineError, Request, Response
from tests.conformance import cuts, node
from tests.live import free_port
from tests.meta.source import ROOT
from tests.sdk.office import Office
from tests.until import LIMIT_SECONDS, until

UPLOADS = "/v1/media/uploads"
PACKAGES = ("@tus/server@2.4.5", "@tus/file-store@2.1.1")
SCRIPT = ROOT / "bench" / "baselines" / "tus.cjs"


def test_m1_a_photo_over_a_link_that_is_cut_sends_hardly_more_than_itself(tmp_path: Path) -> None:
    told = cuts.run(tmp_path, size=3_000_000, cuts=5, seed=4, rate=2_000_000)
    assert told.cuts == 5
    assert told.equal
    assert told.holds, told


@pytest.fixture(scope="module")
def modules() -> Path:
    try:
        return node.install(*PACKAGES)
    except node.Missing as missing:
        pytest.skip(f"the reference server was not tried: {missing}")


@pytest.fixture
def files(tmp_path: Path) -> Path:
    folder = tmp_path / "files"
    folder.mkdir()
    return folder


def is_open(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=LIMIT_SECONDS).close()
    except OSError:
        return False
    return True


@pytest.fixture
def reference(files: Path, modules: Path) -> Iterator[str]:
    """The address of a running reference server."""
    port = free_port()
    command = ["node", str(SCRIPT), str(files), str(port), str(modules), UPLOADS]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    until(lambda: is_open(port), say=lambda: "the reference server did not start")
    yield f"http://127.0.0.1:{port}"
    process.terminate()
    process.wait(LIMIT_SECONDS)


class Divided:
    """Bytes go to the reference server, everything else to the scripted office."""

    lanes = 3

    def __init__(self, office: Office, reference: str) -> None:
        self._office = office
        self._reference = reference
        self._line = HttpTransport()
        self.cuts: list[int] = []
        """How many bytes of the next pieces go through before the line breaks."""
        self.patches = 0

    def send(self, request: Request) -> Response:
        """The answer of whoever is asked."""
        path = request.url.removeprefix("http://office.test")
        if not path.startswith(UPLOADS):
            return self._office.send(request)
        self.patches += request.method == "PATCH"
        if request.method == "PATCH" and self.cuts:
            self._cut(request, self.cuts.pop())
        url = self._reference + path
        return self._line.send(
            Request(method=request.method, url=url, headers=request.headers, body=request.body)
        )

    def _cut(self, request: Request, through: int) -> None:
        """Sends the head and a part of the body, and hangs up."""
        host, port = self._reference.removeprefix("http://").split(":")
        path = request.url.removeprefix("http://office.test")
        headers = {**request.headers, "Host": host, "Content-Length": str(len(request.body))}
        text = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        with socket.create_connection((host, int(port))) as line:
            head = f"{request.method} {path} HTTP/1.1\r\n{text}\r\n".encode()
            line.sendall(head + request.body[:through])
        raise OfflineError("cut")


@pytest.fixture
def way(reference: str) -> Divided:
    return Divided(Office(), reference)


@pytest.fixture
def client(way: Divided, tmp_path: Path) -> Iterator[Client]:
    with Client(tmp_path / "field.db", server="http://office.test", transport=way) as client:
        client.enrol("7K3M9QXD22")
        yield client


def hashes_in(folder: Path) -> set[str]:
    plain = [path for path in folder.iterdir() if path.suffix != ".json"]
    return {hashlib.sha256(path.read_bytes()).hexdigest() for path in plain}


def test_m1_uploads_arrive_whole_at_the_reference_server_of_tus(
    client: Client, way: Divided, files: Path
) -> None:
    chance = random.Random(5)
    visit = client.create("visit", {"purpose": "routine"})
    photos = [
        client.attach(visit, chance.randbytes(size), tag="goods", preview=chance.randbytes(100))
        for size in (1, 70_000, 3_000_000)
    ]
    assert client.sync().run().photos_sent == 3
    wanted = {photo[name] for photo in photos for name in ("sha256", "preview_sha256")}
    assert hashes_in(files) == wanted
    assert way.patches > 6, "the large one goes in pieces"


def test_m1_a_cut_upload_goes_on_at_the_reference_server_of_tus(
    client: Client, way: Divided, files: Path
) -> None:
    visit = client.create("visit", {"purpose": "routine"})
    photo = client.attach(visit, random.Random(6).randbytes(2_000_000), tag="goods")
    way.cuts = [0, 17, 100_000, 1, 65_536, 40_000]
    runs = 0
    while way.cuts or not client.sync().run().photos_sent:
        client.sync().run()
        runs += 1
        assert runs < 50
    assert photo["sha256"] in hashes_in(files)
