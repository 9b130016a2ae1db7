"""What every store of blobs does: on a disk, in a bucket, and in both at once."""

import hashlib
import random
import threading
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from server.media.blobs import BlobStore, Placed, WrongHash
from server.media.disk import DiskBlobs
from server.media.resting import RestingBlobs
from server.media.s3 import PART_BYTES, Bucket, S3Blobs, open_bucket
from tests.until import LIMIT_SECONDS

SMALL = b"a photograph" * 1000
Make = Callable[[], BlobStore]


def sha256_of(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def file_with(folder: Path, content: bytes) -> Path:
    path = folder / f"source-{sha256_of(content)[:8]}"
    path.write_bytes(content)
    return path


@pytest.fixture
def in_bucket(bucket: Bucket, request: pytest.FixtureRequest) -> S3Blobs:
    """A store below a prefix that no other test uses."""
    prefix = hashlib.sha256(request.node.nodeid.encode()).hexdigest()[:12]
    return open_bucket(replace(bucket, prefix=f"{prefix}/"))


@pytest.fixture(params=["disk", "bucket", "both"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> BlobStore:
    """One store of each sort."""
    if request.param == "disk":
        return DiskBlobs(tmp_path / "blobs")
    in_bucket: S3Blobs = request.getfixturevalue("in_bucket")
    if request.param == "bucket":
        return in_bucket
    return RestingBlobs(DiskBlobs(tmp_path / "blobs"), in_bucket)


def put(store: BlobStore, folder: Path, content: bytes) -> str:
    name = sha256_of(content)
    assert store.put_if_absent(file_with(folder, content), sha256=name) == Placed(
        name, len(content)
    )
    return name


def read(store: BlobStore, name: str, start: int = 0, stop: int | None = None) -> bytes:
    file = store.open_range(name, start, stop)
    try:
        return file.read()
    finally:
        file.close()


def test_m2_what_was_put_is_read_back_under_its_hash(store: BlobStore, tmp_path: Path) -> None:
    name = put(store, tmp_path, SMALL)
    assert read(store, name) == SMALL
    assert store.head(name) == len(SMALL)
    assert list(store.names()) == [name]


@pytest.mark.parametrize(
    ("start", "stop"), [(0, 1), (5, 17), (0, len(SMALL)), (11_999, 12_000), (11_000, None)]
)
def test_a_range_is_just_these_bytes(
    store: BlobStore, tmp_path: Path, start: int, stop: int | None
) -> None:
    assert read(store, put(store, tmp_path, SMALL), start, stop) == SMALL[start:stop]


def test_a_stream_is_read_in_pieces(store: BlobStore, tmp_path: Path) -> None:
    name = put(store, tmp_path, SMALL)
    file = store.open_range(name, 3, 10_000)
    pieces = list(iter(lambda: file.read(999), b""))
    file.close()
    assert b"".join(pieces) == SMALL[3:10_000]
    assert len(pieces) > 10


def test_m2_bytes_with_another_hash_are_not_taken(store: BlobStore, tmp_path: Path) -> None:
    wrong = "0" * 64
    found = store.put_if_absent(file_with(tmp_path, SMALL), sha256=wrong)
    assert found == WrongHash(sha256_of(SMALL))
    assert store.head(wrong) is None
    assert list(store.names()) == []


def test_m3_the_same_bytes_twice_and_at_once_are_one_blob(store: BlobStore, tmp_path: Path) -> None:
    source, name = file_with(tmp_path, SMALL), sha256_of(SMALL)
    threads = [
        threading.Thread(target=store.put_if_absent, args=(source,), kwargs={"sha256": name})
        for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert list(store.names()) == [name]
    assert read(store, name) == SMALL


def test_an_unknown_blob_is_not_found_and_a_name_that_is_no_hash_never_a_path(
    store: BlobStore,
) -> None:
    for name in ("0" * 64, "../../etc/passwd", "", "A" * 64):
        with pytest.raises(FileNotFoundError):
            store.open_range(name)
        assert store.head(name) is None


def test_a_deleted_blob_is_gone_and_deleting_again_is_nothing(
    store: BlobStore, tmp_path: Path
) -> None:
    name = put(store, tmp_path, SMALL)
    store.delete(name)
    store.delete(name)
    assert store.head(name) is None
    assert put(store, tmp_path, SMALL) == name


def test_an_empty_file_is_a_blob_too(store: BlobStore, tmp_path: Path) -> None:
    name = put(store, tmp_path, b"")
    assert store.head(name) == 0
    assert read(store, name) == b""


def test_m2_more_than_one_part_arrives_whole(in_bucket: S3Blobs, tmp_path: Path) -> None:
    content = random.Random(1).randbytes(PART_BYTES + 5 * 1024 * 1024 + 17)
    name = put(in_bucket, tmp_path, content)
    assert sha256_of(read(in_bucket, name)) == name
    assert (
        read(in_bucket, name, PART_BYTES - 3, PART_BYTES + 3)
        == content[PART_BYTES - 3 : PART_BYTES + 3]
    )


def test_m3_an_object_of_another_size_gives_way_to_the_good_one(
    in_bucket: S3Blobs, tmp_path: Path
) -> None:
    name = sha256_of(SMALL)
    in_bucket._client.put_object(**in_bucket._at(name), Body=b"something else")
    assert put(in_bucket, tmp_path, SMALL) == name
    assert read(in_bucket, name) == SMALL


def test_m2_the_bucket_itself_refuses_bytes_that_changed_on_the_way(
    in_bucket: S3Blobs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = "1" * 64
    monkeypatch.setattr("server.media.s3.hash_file", lambda _path: wrong)
    with pytest.raises(OSError, match="other bytes"):
        in_bucket.put_if_absent(file_with(tmp_path, SMALL), sha256=wrong)
    assert in_bucket.head(wrong) is None


def test_a_bucket_that_is_out_of_reach_is_an_error_of_the_store(bucket: Bucket) -> None:
    away = open_bucket(replace(bucket, endpoint="http://127.0.0.1:9"))
    with pytest.raises(OSError, match="cannot be used"):
        away.head("0" * 64)
    with pytest.raises(OSError, match="refused"):
        open_bucket(replace(bucket, name="nosuchbucket")).put_if_absent(
            Path(__file__), sha256=hashlib.sha256(Path(__file__).read_bytes()).hexdigest()
        )


def fetch(url: str) -> tuple[int, bytes, str]:
    try:
        with urllib.request.urlopen(url, timeout=LIMIT_SECONDS) as answer:
            return answer.status, answer.read(), answer.headers["Content-Disposition"]
    except urllib.error.HTTPError as error:
        with error:
            return error.code, b"", ""


def test_an_address_of_the_bucket_gives_one_object_for_a_while(
    in_bucket: S3Blobs, tmp_path: Path
) -> None:
    name, other = put(in_bucket, tmp_path, SMALL), put(in_bucket, tmp_path, b"another")
    url = in_bucket.presign(name, name="photo", lifetime=timedelta(hours=1))
    assert url is not None
    status, content, disposition = fetch(url)
    assert (status, content) == (200, SMALL)
    assert disposition == 'attachment; filename="photo"'
    assert fetch(url.replace(name, other))[0] == 403
    assert fetch(url.replace("Expires=3600", "Expires=36000"))[0] == 403


def test_a_disk_serves_nobody_by_itself(tmp_path: Path) -> None:
    store = DiskBlobs(tmp_path / "blobs")
    name = put(store, tmp_path, SMALL)
    assert store.presign(name, name="photo", lifetime=timedelta(seconds=60)) is None


def test_m3_what_lies_at_hand_is_read_there_and_the_rest_in_the_bucket(
    in_bucket: S3Blobs, tmp_path: Path
) -> None:
    disk = DiskBlobs(tmp_path / "blobs")
    both = RestingBlobs(disk, in_bucket)
    resting = put(in_bucket, tmp_path, SMALL)
    fresh = put(both, tmp_path, b"fresh")
    assert in_bucket.head(fresh) is None
    assert (read(both, resting), read(both, fresh)) == (SMALL, b"fresh")
    assert sorted(both.names()) == sorted([resting, fresh])
    lifetime = timedelta(seconds=60)
    assert both.presign(fresh, name="photo", lifetime=lifetime) is None
    assert both.presign(resting, name="photo", lifetime=lifetime) is not None
