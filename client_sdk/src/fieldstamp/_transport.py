"""HTTP on a real network: the only module that imports urllib3.

Carries one request and gives back one whole answer. What it means is decided elsewhere.
"""

import ipaddress
import ssl
from urllib.parse import urlsplit

import urllib3

from fieldstamp._errors import OfflineError, RefusedError
from fieldstamp._ports import Request, Response

_LARGEST_ANSWER = 64 * 1024 * 1024
_CONNECT_S = 10.0
_LANES = 3


class HttpTransport:
    """Sends over kept connections; follows no redirect and repeats nothing by itself.

    ``allow_plain_http`` permits addresses without TLS beyond this machine: tokens and photos can
    then be read by others on the way. ``lanes`` uploads go side by side.
    """

    def __init__(
        self,
        *,
        context: ssl.SSLContext | None = None,
        allow_plain_http: bool = False,
        lanes: int = _LANES,
    ) -> None:
        self._allow_plain_http = allow_plain_http
        self.lanes = lanes
        self._pool = urllib3.PoolManager(
            retries=False,
            ssl_context=context,
            maxsize=lanes + 1,
            headers={"Accept-Encoding": "gzip"},
        )

    def send(self, request: Request) -> Response:
        """The whole answer. Raises OfflineError when it did not come whole."""
        if not (self._allow_plain_http or _is_private_way(request.url)):
            raise RefusedError(f"{request.url} is not https", code="plain_http")
        try:
            return self._exchange(request)
        except urllib3.exceptions.SSLError as error:
            raise OfflineError(f"no safe connection: {error}") from error
        except urllib3.exceptions.ReadTimeoutError as error:
            raise OfflineError("no answer in time", code="timeout") from error
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise OfflineError(f"no connection: {error}") from error

    def close(self) -> None:
        """Closes kept connections."""
        self._pool.clear()

    def _exchange(self, request: Request) -> Response:
        answer = self._pool.request(
            request.method,
            request.url,
            body=request.body or None,
            headers={"Accept-Encoding": "gzip", **request.headers},
            timeout=urllib3.Timeout(connect=_CONNECT_S, read=request.timeout_s),
            redirect=False,
            preload_content=False,
        )
        try:
            body = answer.read(_LARGEST_ANSWER + 1, decode_content=True)
            if len(body) > _LARGEST_ANSWER:
                raise OfflineError("the answer has no end")
        finally:
            answer.release_conn()
        headers = {name.lower(): value for name, value in answer.headers.items()}
        return Response(status=answer.status, headers=headers, body=body)


def _is_private_way(url: str) -> bool:
    parts = urlsplit(url)
    if parts.scheme == "https" or parts.hostname == "localhost":
        return True
    try:
        return ipaddress.ip_address(parts.hostname or "").is_loopback
    except ValueError:
        return False
