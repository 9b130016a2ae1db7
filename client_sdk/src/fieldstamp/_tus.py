"""Sends bytes by tus 1.0.0: resumable over cuts, restarts and days. Rows are ``_uploads``'s.

The whole-file hash is declared at creation and checked by the server at the end; end of stream is
never taken for success (M1). Requests are carried by whoever runs the steps.
"""

import base64
import hashlib
import re
from collections.abc import Callable, Generator, Mapping
from dataclasses import replace
from urllib.parse import urlsplit

from fieldstamp import _answers, _uploads
from fieldstamp._blobs import Blobs
from fieldstamp._errors import (
    FieldstampError,
    LoginNeededError,
    OfflineError,
    PortalError,
    RefusedError,
    ServerFailedError,
)
from fieldstamp._lanes import Steps
from fieldstamp._ports import Clock, Request, Response
from fieldstamp._session import Exchange, Session
from fieldstamp._store import Store
from fieldstamp._uploads import Upload
from fieldstamp._values import Progress

SMALLEST, FIRST_CHUNK, LARGEST = 64 * 1024, 256 * 1024, 8 * 1024 * 1024
_LARGEST_CHECKED = 1024 * 1024
_AIM_MS = 10_000
_STANDSTILLS = 8
_BEGINNINGS = 3
_WHOLE = re.compile(r"[0-9]{1,16}")
_TUS = {"Tus-Resumable": "1.0.0"}
_CREATION = "/v1/media/uploads"
_HELLO = "/v1/sync/hello"
_GONE = frozenset({404, 410})
_TOO_LARGE = 413
_LOOK_AGAIN = frozenset({409, 423, 460})

_Placed = Generator[Request, Response, tuple[Upload, int]]
"""Where an upload stands after some requests; -1 means: ask."""


class _StoppedError(Exception):
    """An upload cannot go on without a person; its row says why."""


class Sender:
    """Makes the steps of uploads, in pieces sized to the link that they share."""

    def __init__(
        self,
        store: Store,
        session: Session,
        blobs: Blobs,
        *,
        clock: Clock,
        new_key: Callable[[], str],
    ) -> None:
        self._store = store
        self._session = session
        self._blobs = blobs
        self._clock = clock
        self._new_key = new_key
        self.blocked: list[PortalError] = []
        self._chunk = FIRST_CHUNK
        self._largest = LARGEST

    def steps(self, upload: Upload) -> Steps:
        """Brings ``upload`` to its end, from wherever the server has it.

        Raises OfflineError, ServerBusyError and LoginNeededError where nothing more can be sent
        now; what concerns this file alone is stored with it and stops nothing else (P8).
        """
        try:
            self._need_whole(upload)
            yield from self._send_whole(upload)
        except _StoppedError:
            return
        except LoginNeededError:
            raise
        except PortalError as error:
            yield from self._need_server(error)
            self.blocked.append(error)
            self._mark(upload, state="ready", problem={"code": "blocked"})
        except (RefusedError, ServerFailedError) as error:
            problem = {"code": error.code, "title": str(error), "action": error.action}
            self._mark(upload, state="ready", problem=problem)

    def _need_server(self, error: PortalError) -> Exchange:
        """P8: raises ``error`` unless the server can be reached: then what stands between refuses
        this one file, and others get through."""
        response = yield from self._session.exchange("GET", _HELLO, headers={})
        try:
            _answers.read_hello(_answers.body_of(response))
        except PortalError:
            raise error from None
        return response

    def _need_whole(self, upload: Upload) -> None:
        """Raises _StoppedError where the bytes are not those that were saved."""
        if not self._blobs.is_whole(upload.sha256):
            self._mark(upload, state="stopped", problem={"code": "damaged"})
            raise _StoppedError

    def _send_whole(self, upload: Upload) -> Steps:
        offset, furthest, standstills, keys = -1, -1, 0, {upload.key}
        while offset < upload.bytes:
            if standstills >= _STANDSTILLS or len(keys) > _BEGINNINGS:
                raise RefusedError("this upload does not move on", code="upload_stuck")
            upload, offset = yield from self._step(upload, offset)
            if upload.key not in keys:
                furthest = -1
                keys.add(upload.key)
            standstills = 0 if offset > furthest else standstills + 1
            furthest = max(furthest, offset)
            yield Progress(
                phase="upload",
                item=upload.record,
                done=int(offset >= upload.bytes),
                bytes_done=max(furthest, 0),
                bytes_total=upload.bytes,
            )
        self._mark(upload, state="sent")

    def _step(self, upload: Upload, offset: int) -> _Placed:
        """One request: create, ask for the offset, or send a piece."""
        if upload.url is None:
            return (yield from self._create(upload))
        if offset < 0:
            return (yield from self._ask(upload))
        return (yield from self._patch(upload, offset))

    def _create(self, upload: Upload) -> _Placed:
        headers = {
            **_TUS,
            "Upload-Length": str(upload.bytes),
            "Upload-Metadata": _metadata(upload),
        }
        response = yield from self._session.exchange("POST", _CREATION, headers=headers)
        location = response.headers.get("location", "")
        if response.status != 201 or not location:
            raise _refused(response)
        made = replace(upload, url=_path_of(location))
        with self._store.write() as transaction:
            _uploads.keep_place(transaction, made, taken=0)
        return made, -1

    def _ask(self, upload: Upload) -> _Placed:
        response = yield from self._session.exchange("HEAD", upload.url or "", headers=_TUS)
        return self._placed(upload, response)

    def _patch(self, upload: Upload, offset: int) -> _Placed:
        piece = self._piece(upload, offset)
        headers = {
            **_TUS,
            "Content-Type": "application/offset+octet-stream",
            "Upload-Offset": str(offset),
            **(_checksum(piece) if upload.refusals else {}),
        }
        started, url = self._clock.monotonic_ms(), upload.url or ""
        try:
            response = yield from self._session.exchange("PATCH", url, headers=headers, body=piece)
        except OfflineError as cut:
            self._chunk = max(SMALLEST, self._chunk // 4)
            return (yield from self._go_on(upload, offset, cut))
        self._fit(len(piece), self._clock.monotonic_ms() - started)
        return self._placed(upload, response)

    def _go_on(self, upload: Upload, offset: int, cut: OfflineError) -> _Placed:
        """Goes on at once where a cut connection carried something; else it is for later.

        Asking first whether the server is there gives it the time to keep what came: whoever asks
        for the offset takes the upload away from the connection that was cut.
        """
        yield from self._session.exchange("GET", _HELLO, headers={})
        found, place = yield from self._ask(upload)
        if 0 <= place <= offset:
            raise cut
        return found, place

    def _piece(self, upload: Upload, offset: int) -> bytes:
        try:
            size = min(self._chunk, _LARGEST_CHECKED) if upload.refusals else self._chunk
            return self._blobs.piece(upload.sha256, offset=offset, size=size)
        except OSError as error:
            self._need_whole(upload)
            # P8: it was whole a moment later, so that this is for the next sync.
            raise RefusedError(str(error), code="store_unusable") from error

    def _placed(self, upload: Upload, response: Response) -> tuple[Upload, int]:
        """Where the upload stands after an answer."""
        if response.status in {200, 204}:
            return upload, self._offset(upload, response)
        if response.status == _TOO_LARGE:
            # P8: also from a proxy on the way, whose limit the server does not know.
            self._largest = self._chunk = max(SMALLEST, self._chunk // 2)
            return upload, -1
        if not _is_ours(response):
            raise _refused(response)
        if response.status in _GONE:
            refused = response.headers.get("upload-state") == "refused"
            return self._forget(upload, refused=refused), -1
        if response.status in _LOOK_AGAIN:
            self._chunk = max(SMALLEST, self._chunk // 2)
            return upload, -1
        raise _refused(response)

    def _fit(self, size: int, took_ms: int) -> None:
        """Sizes the next piece to take about ten seconds: more than a mebibyte on quick links."""
        wanted = size * _AIM_MS // max(took_ms, 1)
        self._chunk = max(SMALLEST, min(wanted, self._chunk * 2, self._largest))

    def _offset(self, upload: Upload, response: Response) -> int:
        text = response.headers.get("upload-offset", "")
        if not _is_ours(response) or not _WHOLE.fullmatch(text) or int(text) > upload.bytes:
            raise PortalError("the answer to an upload is not from the server")
        with self._store.write() as transaction:
            _uploads.keep_place(transaction, upload, taken=int(text))
        return int(text)

    def _forget(self, upload: Upload, *, refused: bool) -> Upload:
        """Starts again under a new key; an upload that is refused again and again is stopped.

        One that the server gave up, after days without a byte, was not refused.
        """
        refusals = upload.refusals + refused
        fresh = replace(upload, url=None, key=self._new_key(), refusals=refusals)
        with self._store.write() as transaction:
            goes_on = _uploads.start_again(transaction, fresh)
        if not goes_on:
            raise _StoppedError
        return fresh

    def _mark(
        self, upload: Upload, *, state: str, problem: Mapping[str, str] | None = None
    ) -> None:
        with self._store.write() as transaction:
            _uploads.mark(transaction, upload, state=state, problem=problem)


def _checksum(piece: bytes) -> dict[str, str]:
    """Where the whole was refused once, each piece carries its hash, so that what spoils them is
    found at the piece. Before that it would only cost: of a piece that is cut all is lost."""
    mark = base64.b64encode(hashlib.sha256(piece).digest()).decode()
    return {"Upload-Checksum": f"sha256 {mark}"}


def _metadata(upload: Upload) -> str:
    values = {
        "photo": upload.record,
        "part": upload.part,
        "sha256": upload.sha256,
        "type": upload.type,
        "upload": upload.key,
    }
    return ",".join(
        f"{name} {base64.b64encode(value.encode()).decode()}" for name, value in values.items()
    )


def _path_of(location: str) -> str:
    """The path alone: the token goes to the server this store knows and nowhere else."""
    parts = urlsplit(location)
    return f"{parts.path}?{parts.query}" if parts.query else parts.path


def _is_ours(response: Response) -> bool:
    problem = "problem+json" in response.headers.get("content-type", "")
    return problem or "tus-resumable" in response.headers


def _refused(response: Response) -> FieldstampError:
    if response.status < 400:
        return PortalError("the answer to an upload is not from the server")
    return _answers.refusal(response)
