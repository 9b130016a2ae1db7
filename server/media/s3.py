"""A store of blobs in an S3-compatible bucket; the only module that knows boto3 (extra ``s3``).

The bucket checks what it takes: each object is sent with its SHA-256 and only where no object of
that name is. Keys are found the way the library finds them: environment, file, role of the machine.
"""

import base64
import hashlib
import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, BinaryIO, cast

from server.media.blobs import SHA256, Placed, WrongHash
from server.media.disk import hash_file

PART_BYTES = 16 * 1024 * 1024
"""Up to this size an object is one request; S3 takes no parts below 5 MiB."""
WRONG_BYTES = frozenset({"BadDigest", "XAmzContentChecksumMismatch", "InvalidDigest"})
ABSENT = frozenset({"404", "NoSuchKey", "NotFound"})
PRESENT = frozenset({"412", "PreconditionFailed"})
ATTEMPTS, CONNECT_SECONDS, READ_SECONDS = 3, 5, 30


class Missing(Exception):
    """The extra ``s3`` is not installed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bucket:
    """Where the objects are; an empty endpoint or region is the library's own."""

    name: str
    endpoint: str = ""
    region: str = ""
    prefix: str = ""


def open_bucket(bucket: Bucket) -> "S3Blobs":
    """The store in ``bucket``. Raises :class:`Missing`."""
    try:
        import boto3  # noqa: PLC0415 -- an extra that most installations do without
        from botocore.config import Config  # noqa: PLC0415 -- the same
    except ImportError as error:
        raise Missing("Install fieldstamp-server[s3] to keep photos in a bucket.") from error
    config = Config(
        signature_version="s3v4",
        s3={"addressing_style": "path" if bucket.endpoint else "auto"},
        # Checksums are ours: the hash that names the blob, not another one of the library.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        retries={"total_max_attempts": ATTEMPTS, "mode": "standard"},
        connect_timeout=CONNECT_SECONDS,
        read_timeout=READ_SECONDS,
    )
    client = boto3.client(
        "s3",
        endpoint_url=bucket.endpoint or None,
        region_name=bucket.region or None,
        config=config,
    )
    return S3Blobs(client, bucket)


class S3Blobs:
    """A :class:`server.media.blobs.BlobStore` of objects ``<prefix>aa/<sha256>``."""

    def __init__(self, client: Any, bucket: Bucket) -> None:
        self._client = client
        self._bucket = bucket

    def put_if_absent(
        self,
        source: Path,
        *,
        sha256: str,
        given: bool = False,  # noqa: ARG002 -- a bucket keeps no file
        found: str | None = None,
    ) -> Placed | WrongHash:
        """Sends ``source`` with its hash, which the bucket checks; durable when it returns."""
        found = found or hash_file(source)
        if found != sha256:
            return WrongHash(found)
        size, held = source.stat().st_size, self.head(sha256)
        if held == size:
            return Placed(sha256, size)
        if held is not None:  # whatever it is, these bytes it is not
            self.delete(sha256)
        self._put(source, sha256, size)
        return Placed(sha256, size)

    def open_range(self, sha256: str, start: int = 0, stop: int | None = None) -> BinaryIO:
        """What is asked for and nothing else is fetched, as it is read."""
        if stop is not None and stop <= start:
            stop = start + 1  # a range of S3 is never empty; the reader takes none of it
        last = "" if stop is None else stop - 1
        # An empty object has no range at all.
        wish = {"Range": f"bytes={start}-{last}"} if start or stop is not None else {}
        with _told_apart():
            body = self._client.get_object(**self._at(sha256), **wish)["Body"]
        return cast("BinaryIO", io.BufferedReader(_Body(body)))

    def head(self, sha256: str) -> int | None:
        """How many bytes the object has; None where there is no such object."""
        try:
            with _told_apart():
                return int(self._client.head_object(**self._at(sha256))["ContentLength"])
        except FileNotFoundError:
            return None

    def delete(self, sha256: str) -> None:
        """Deletes the object."""
        try:
            with _told_apart():
                self._client.delete_object(**self._at(sha256))
        except FileNotFoundError:
            return

    def presign(self, sha256: str, *, name: str, lifetime: timedelta) -> str | None:
        """An address of the bucket itself, signed for this one object."""
        wish = {
            **self._at(sha256),
            "ResponseContentDisposition": f'attachment; filename="{name}"',
            "ResponseContentType": "application/octet-stream",
        }
        seconds = int(lifetime.total_seconds())
        url = self._client.generate_presigned_url("get_object", Params=wish, ExpiresIn=seconds)
        return str(url)

    def names(self) -> Iterator[str]:
        """Every object below the prefix that is named like a blob."""
        pages = self._client.get_paginator("list_objects_v2")
        with _told_apart():
            for page in pages.paginate(Bucket=self._bucket.name, Prefix=self._bucket.prefix):
                for entry in page.get("Contents", ()):
                    name = entry["Key"].rpartition("/")[2]
                    if SHA256.fullmatch(name):
                        yield name

    def _at(self, sha256: str) -> dict[str, str]:
        if not SHA256.fullmatch(sha256):
            raise FileNotFoundError("not the name of a blob")
        return {"Bucket": self._bucket.name, "Key": f"{self._bucket.prefix}{sha256[:2]}/{sha256}"}

    def _put(self, source: Path, sha256: str, size: int) -> None:
        with source.open("rb") as file, _told_apart():
            if size > PART_BYTES:
                self._put_parts(file, sha256)
                return
            checksum = _checksum(bytes.fromhex(sha256))
            try:
                self._client.put_object(
                    **self._at(sha256), Body=file, ChecksumSHA256=checksum, IfNoneMatch="*"
                )
            except self._client.exceptions.ClientError as error:
                if _code(error) not in PRESENT:  # M3: what is there stays
                    raise

    def _put_parts(self, file: BinaryIO, sha256: str) -> None:
        """In parts, each with its hash; one that fails leaves nothing behind."""
        at = self._at(sha256)
        upload = {**at, "UploadId": self._client.create_multipart_upload(**at)["UploadId"]}
        try:
            parts = [
                {"PartNumber": number, "ETag": self._put_part(upload, number, piece)}
                for number, piece in enumerate(iter(lambda: file.read(PART_BYTES), b""), start=1)
            ]
            self._client.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})
        except BaseException:
            self._client.abort_multipart_upload(**upload)
            raise

    def _put_part(self, upload: dict[str, str], number: int, piece: bytes) -> str:
        checksum = _checksum(hashlib.sha256(piece).digest())
        answer = self._client.upload_part(
            **upload, PartNumber=number, Body=piece, ChecksumSHA256=checksum
        )
        return str(answer["ETag"])


class _Body(io.RawIOBase):
    """An object as it comes; a line that breaks is told like a bucket that does not answer."""

    def __init__(self, body: Any) -> None:
        self._body = body

    def readable(self) -> bool:
        """It is there to be read."""
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        """Fills ``buffer`` as far as something has come."""
        with _told_apart():
            piece = self._body.read(len(buffer))
        buffer[: len(piece)] = piece
        return len(piece)

    def close(self) -> None:
        """Hangs up."""
        self._body.close()
        super().close()


def _checksum(digest: bytes) -> str:
    return base64.b64encode(digest).decode()


def _code(error: Any) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


@contextmanager
def _told_apart() -> Iterator[None]:
    """What the library raises, as the errors that a store may raise."""
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 -- the extra

    try:
        yield
    except ClientError as error:
        if _code(error) in ABSENT:
            raise FileNotFoundError("there is no such blob") from error
        if _code(error) in WRONG_BYTES:
            raise OSError("the bucket received other bytes than were sent") from error
        raise OSError(f"the bucket refused: {_code(error)}") from error
    except BotoCoreError as error:
        raise OSError(f"the bucket cannot be used: {type(error).__name__}") from error
