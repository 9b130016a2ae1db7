"""Stock clients of tus, unchanged, against a running server; also over a line that is cut."""

import hashlib
import io
import json
import random
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import requests
from resumable_upload import TusClient as ResumableClient
from tusclient.client import TusClient

from server.demo.link import CuttingLink
from server.settings import Settings
from tests.conformance import node
from tests.lines import declare, field_of
from tests.live import LiveServer, live_server
from tests.pictures import draw
from tests.until import LIMIT_SECONDS
from tests.uploads import TUS, UPLOADS, sha256_of

TUS_JS = "tus-js-client@4.3.1"
SCRIPT = Path(__file__).with_name("upload.cjs")
CONTENT = draw(1200, 900, format="PNG") + random.Random(5).randbytes(1_500_000)
CHUNK = 300_000
TUS_JS_MODES: Mapping[str, dict[str, Any]] = {
    "default": {},
    "chunks": {"options": {"chunkSize": CHUNK}},
    "data with the creation": {"options": {"uploadDataDuringCreation": True}},
    "chunks with the creation": {"options": {"uploadDataDuringCreation": True, "chunkSize": CHUNK}},
    "two in parallel": {"options": {"parallelUploads": 2}},
    "three in parallel, in chunks": {"options": {"parallelUploads": 3, "chunkSize": CHUNK}},
    "length deferred": {"options": {"uploadLengthDeferred": True, "chunkSize": CHUNK}},
    "method overridden": {"options": {"overridePatchMethod": True}},
}
TUSPY_MODES: Mapping[str, dict[str, Any]] = {
    "default": {},
    "chunks": {"chunk_size": CHUNK},
    "checksum": {"chunk_size": CHUNK, "upload_checksum": True},
}
RESUMABLE_MODES: Mapping[str, dict[str, Any]] = {
    "default": {},
    "chunks without checksum": {"chunk_size": CHUNK, "checksum": False},
    "sha256": {"chunk_size": CHUNK, "checksum": "sha256"},
    "method overridden": {"chunk_size": CHUNK, "override_patch_method": True},
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> Iterator[LiveServer]:
    """One server for all of them."""
    store = shutil.copy(sqlite_template, tmp_path_factory.mktemp("store"))
    data = tmp_path_factory.mktemp("data")
    settings = Settings(data=data, database=f"sqlite:///{store}", access_minutes=600)
    with live_server(settings) as running:
        yield running


@pytest.fixture(scope="session")
def tus_js() -> Path:
    """The folder with tus-js-client."""
    try:
        return node.install(TUS_JS)
    except node.Missing as missing:
        pytest.skip(f"tus-js-client was not tried: {missing}")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "photo.png"
    path.write_bytes(CONTENT)
    return path


def about(photo: str) -> dict[str, str]:
    """What the metadata of an upload say."""
    return {"photo": photo, "filename": "门头 1.png", "filetype": "image/png"}


def assert_arrived(server: LiveServer, photo: str) -> None:
    """The server has every byte, and says so."""
    assert field_of(server, photo, "state") == "verified"
    answer = requests.get(
        f"{server.url}/v1/media/{photo}/original",
        headers=server.device.headers,
        timeout=LIMIT_SECONDS,
    )
    assert hashlib.sha256(answer.content).hexdigest() == sha256_of(CONTENT)


def cuts(seed: int, count: int = 5) -> list[int]:
    """After how many bytes on their way up the line breaks."""
    chance = random.Random(seed)
    return [chance.randrange(2_000, 500_000) for _ in range(count)]


def run_tus_js(
    tus_js: Path, server: LiveServer, wish: Mapping[str, Any], *, port: int | None = None
) -> dict[str, str]:
    """What became of one upload in a process of node."""
    endpoint = f"http://127.0.0.1:{port or server.port}{UPLOADS}/"
    whole = {"endpoint": endpoint, "headers": server.device.headers, **wish}
    done = subprocess.run(
        ["node", str(SCRIPT), str(tus_js), json.dumps(whole)],
        check=True,
        capture_output=True,
        timeout=LIMIT_SECONDS,
    )
    result: dict[str, str] = json.loads(done.stdout)
    return result


@pytest.mark.parametrize("mode", TUS_JS_MODES)
def test_tus_js_client_uploads_unchanged(
    server: LiveServer, tus_js: Path, file: Path, mode: str
) -> None:
    photo = declare(server, CONTENT)
    wish = {"file": str(file), "metadata": about(photo), **TUS_JS_MODES[mode]}
    assert "url" in run_tus_js(tus_js, server, wish)
    assert_arrived(server, photo)


@pytest.mark.parametrize("mode", TUS_JS_MODES)
def test_m1_tus_js_client_goes_on_over_a_line_that_is_cut(
    server: LiveServer, tus_js: Path, file: Path, mode: str
) -> None:
    photo = declare(server, CONTENT)
    said = {**about(photo), "upload": photo}
    wish = {"file": str(file), "metadata": said, **TUS_JS_MODES[mode]}
    with CuttingLink(server.port, cuts(len(mode))) as link:
        assert "url" in run_tus_js(tus_js, server, wish, port=link.port)
    assert link.done >= 3
    assert_arrived(server, photo)


def test_tus_js_client_ends_an_upload(server: LiveServer, tus_js: Path, file: Path) -> None:
    photo = declare(server, CONTENT)
    options = {"chunkSize": CHUNK}
    wish = {"file": str(file), "metadata": about(photo), "options": options, "abortAt": CHUNK}
    url = run_tus_js(tus_js, server, wish)["aborted"]
    gone = requests.head(url, headers={**server.device.headers, **TUS}, timeout=LIMIT_SECONDS)
    assert gone.status_code == 410
    assert field_of(server, photo, "state") == "declared"


@pytest.mark.parametrize("mode", TUSPY_MODES)
def test_tuspy_uploads_unchanged(server: LiveServer, mode: str) -> None:
    photo = declare(server, CONTENT)
    client = TusClient(f"{server.url}{UPLOADS}/", headers=server.device.headers)
    stream = io.BytesIO(CONTENT)
    uploader = client.uploader(file_stream=stream, metadata=about(photo), **TUSPY_MODES[mode])
    uploader.upload()
    assert uploader.get_offset() == len(CONTENT)
    assert_arrived(server, photo)


@pytest.mark.parametrize("mode", TUSPY_MODES)
def test_m1_tuspy_goes_on_over_a_line_that_is_cut(server: LiveServer, mode: str) -> None:
    photo = declare(server, CONTENT)
    with CuttingLink(server.port, cuts(len(mode) + 20)) as link:
        url = f"http://127.0.0.1:{link.port}{UPLOADS}"
        client = TusClient(url, headers=server.device.headers)
        uploader = client.uploader(
            file_stream=io.BytesIO(CONTENT),
            metadata={**about(photo), "upload": photo},
            retries=40,
            retry_delay=0,
            **TUSPY_MODES[mode],
        )
        uploader.upload()
    assert link.done == 5
    assert_arrived(server, photo)


def test_m1_tuspy_goes_on_another_day(server: LiveServer) -> None:
    photo = declare(server, CONTENT)
    client = TusClient(f"{server.url}{UPLOADS}", headers=server.device.headers)
    stream = io.BytesIO(CONTENT)
    first = client.uploader(file_stream=stream, metadata=about(photo), chunk_size=CHUNK)
    first.upload(stop_at=2 * CHUNK)
    second = client.uploader(file_stream=stream, url=first.url, chunk_size=CHUNK)
    assert second.offset == 2 * CHUNK
    second.upload()
    assert_arrived(server, photo)


@pytest.mark.parametrize("mode", RESUMABLE_MODES)
def test_resumable_upload_uploads_unchanged(server: LiveServer, file: Path, mode: str) -> None:
    photo = declare(server, CONTENT)
    options = RESUMABLE_MODES[mode]
    client = ResumableClient(f"{server.url}{UPLOADS}/", headers=server.device.headers, **options)
    client.upload_file(str(file), metadata=about(photo))
    assert_arrived(server, photo)


def test_resumable_upload_joins_what_it_sent_in_parallel(server: LiveServer, file: Path) -> None:
    photo = declare(server, CONTENT)
    client = ResumableClient(f"{server.url}{UPLOADS}", headers=server.device.headers)
    client.upload_file(str(file), metadata=about(photo), parallel_uploads=3)
    assert_arrived(server, photo)


@pytest.mark.parametrize("mode", RESUMABLE_MODES)
def test_m1_resumable_upload_goes_on_over_a_line_that_is_cut(
    server: LiveServer, file: Path, mode: str
) -> None:
    photo = declare(server, CONTENT)
    with CuttingLink(server.port, cuts(len(mode) + 40)) as link:
        client = ResumableClient(
            f"http://127.0.0.1:{link.port}{UPLOADS}",
            headers=server.device.headers,
            max_retries=40,
            retry_delay=0.05,
            **RESUMABLE_MODES[mode],
        )
        client.upload_file(str(file), metadata={**about(photo), "upload": photo})
    assert link.done >= 3
    assert_arrived(server, photo)
