"""The ceiling: versions looked up, two tables written set-wise, one transaction a batch.

``wsgi`` is a plain callable, ``flask_view`` the same behind Flask with a typed check of every
record. The store is named by ``BENCH_DATABASE``.
"""

import os
from collections.abc import Callable, Iterable
from typing import Annotated, Any

import msgspec
import orjson
from flask import Flask, Response, request

from bench.baselines import postgresql, sqlite

PAGE = 1000
Short = Annotated[str, msgspec.Meta(max_length=200)]


class Values(msgspec.Struct, forbid_unknown_fields=True):
    """The fourteen fields of a record, typed."""

    title: Annotated[str, msgspec.Meta(min_length=1, max_length=120)]
    summary: Annotated[str, msgspec.Meta(min_length=1, max_length=2000)]
    customer_name: Short
    address: Short
    topic: Short
    started_at: Short
    phone: Short
    contact: Short
    quantity: Annotated[int, msgspec.Meta(ge=0, le=100_000)]
    amount: Annotated[str, msgspec.Meta(pattern=r"^[0-9]{1,10}\.[0-9]{2}$")]
    ended_at: Short
    solved: bool
    rating: Annotated[int, msgspec.Meta(ge=1, le=5)]
    remark: Annotated[str, msgspec.Meta(max_length=500)]


class Sent(msgspec.Struct):
    """One record as a client sends it: whole, on the version that it saw."""

    id: str
    base: int
    data: Values


class Batch(msgspec.Struct):
    """The body of a push."""

    records: list[Sent]


_check = msgspec.json.Decoder(Batch)


def _open() -> Any:
    url = os.environ["BENCH_DATABASE"]
    return postgresql.Store(url) if url.startswith("postgresql") else sqlite.Store(url)


store = _open()


def push(body: bytes) -> bytes:
    """Takes every record whose base is the version that stands."""
    told = store.push(orjson.loads(body)["records"])
    return orjson.dumps({"results": told})


def pull(body: bytes) -> bytes:
    """A page of 1,000 behind a number; bodies go out as they are stored."""
    rows = store.pull(orjson.loads(body)["since"], PAGE)
    items = ",".join(f'{{"seq":{seq},"data":{data}}}' for seq, data in rows)
    last = rows[-1][0] if rows else None
    return f'{{"since":{orjson.dumps(last).decode()},"items":[{items}]}}'.encode()


ROUTES: dict[str, Callable[[bytes], bytes]] = {"/push": push, "/pull": pull}


def wsgi(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """The bare application."""
    body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
    answer = ROUTES[environ["PATH_INFO"]](body)
    length = ("Content-Length", str(len(answer)))
    start_response("200 OK", [("Content-Type", "application/json"), length])
    return [answer]


flask_view = Flask("bare")


@flask_view.post("/push")
def push_view() -> Response:
    """The same with a typed check."""
    body = request.get_data()
    _check.decode(body)
    return Response(push(body), mimetype="application/json")


@flask_view.post("/pull")
def pull_view() -> Response:
    """The same page."""
    return Response(pull(request.get_data()), mimetype="application/json")
