"""Headers of every answer: request id, Date, caching, and what a page may load."""

from email.utils import formatdate
from functools import lru_cache

from flask import Flask, Response, g

from server.services import services

HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
PAGE_HEADERS = {
    **HEADERS,
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}


def page_nonce() -> str:
    """The nonce that inline scripts and styles of this page must carry."""
    if "nonce" not in g:
        g.nonce = services().ids.secret(16).hex()
    return str(g.nonce)


def content_policy(nonce: str) -> str:
    """What a page may load: its own origin, and inline only what carries ``nonce``."""
    return (
        f"default-src 'self'; script-src 'self' 'nonce-{nonce}'; style-src 'self' 'nonce-{nonce}'; "
        "img-src 'self' blob: data:; object-src 'none'; base-uri 'none'; form-action 'self'; "
        "frame-ancestors 'none'"
    )


def _name_request() -> None:
    g.request_id = services().ids.new()
    g.pop("nonce", None)


@lru_cache(maxsize=2)
def _date(second: int) -> str:
    return formatdate(second, usegmt=True)


def _finish(response: Response) -> Response:
    headers = response.headers
    held = {name.lower() for name, _value in headers}  # once: to look for one reads all
    if "date" in held:
        headers.remove("Date")
    headers.add("X-Request-Id", g.get("request_id", ""))
    headers.add("Date", _date(int(services().clock.now().timestamp())))
    is_page = response.content_type.startswith("text/html")
    for name, value in (PAGE_HEADERS if is_page else HEADERS).items():
        if name.lower() not in held:
            headers.add(name, value)
    if is_page and "content-security-policy" not in held:
        headers.add("Content-Security-Policy", content_policy(page_nonce()))
    return response


def install(app: Flask) -> None:
    """Puts the headers on every answer of ``app``; templates get ``nonce()``."""
    app.before_request(_name_request)
    app.after_request(_finish)
    app.jinja_env.globals["nonce"] = page_nonce
