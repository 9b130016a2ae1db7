"""The server as it is often written: an object a row, marshmallow for each, the clock as cursor."""

import os
from datetime import datetime
from typing import Any

from flask import Flask, Response, jsonify, request
from flask_sqlalchemy import SQLAlchemy
from marshmallow import Schema, fields
from sqlalchemy import DateTime, Engine, String, Text, event
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from server.clock import SystemClock
from server.db import database_url, engine_options

URL = database_url(os.environ["BENCH_DATABASE"])
PAGE = 1000


class Model(DeclarativeBase):
    """The base of the one table."""


db = SQLAlchemy(model_class=Model)
app = Flask("naive")
app.config.update(SQLALCHEMY_DATABASE_URI=URL, SQLALCHEMY_ENGINE_OPTIONS=engine_options(URL))
db.init_app(app)
clock = SystemClock()


class Call(Model):
    """A record in fourteen typed columns."""

    __tablename__ = "call"

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    version: Mapped[int] = mapped_column()
    updated_at: Mapped[datetime] = mapped_column(DateTime, index=True)
    title: Mapped[str] = mapped_column(Text)
    summary: Mapped[str] = mapped_column(Text)
    customer_name: Mapped[str] = mapped_column(Text)
    address: Mapped[str] = mapped_column(Text)
    phone: Mapped[str] = mapped_column(Text)
    contact: Mapped[str] = mapped_column(Text)
    topic: Mapped[str] = mapped_column(Text)
    quantity: Mapped[int] = mapped_column()
    amount: Mapped[str] = mapped_column(Text)
    started_at: Mapped[str] = mapped_column(Text)
    ended_at: Mapped[str] = mapped_column(Text)
    solved: Mapped[bool] = mapped_column()
    rating: Mapped[int] = mapped_column()
    remark: Mapped[str] = mapped_column(Text)


class CallSchema(Schema):
    """What is accepted and what is told."""

    title = fields.String(required=True)
    summary = fields.String(required=True)
    customer_name = fields.String(required=True)
    address = fields.String(required=True)
    phone = fields.String()
    contact = fields.String()
    topic = fields.String(required=True)
    quantity = fields.Integer()
    amount = fields.String()
    started_at = fields.String(required=True)
    ended_at = fields.String()
    solved = fields.Boolean()
    rating = fields.Integer()
    remark = fields.String()


class ToldSchema(CallSchema):
    """A record on its way out."""

    id = fields.String()
    version = fields.Integer()
    updated_at = fields.DateTime()


def _full(connection: Any, _record: object) -> None:
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")


def _prepare(engine: Engine) -> None:
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _full)


with app.app_context():
    _prepare(db.engine)


def _take(record: dict[str, Any]) -> dict[str, Any]:
    values = CallSchema().load(record["data"])
    known = db.session.get(Call, record["id"])
    version = known.version if known else 0
    if record["base"] != version:
        return {"id": record["id"], "status": "conflict", "version": version}
    now = clock.now().replace(tzinfo=None)
    if known is None:
        db.session.add(Call(id=record["id"], version=1, updated_at=now, **values))
    else:
        known.version, known.updated_at = version + 1, now
        for name, value in values.items():
            setattr(known, name, value)
    return {"id": record["id"], "status": "ok", "version": version + 1}


@app.post("/push")
def push() -> Response:
    """One commit a batch."""
    told = [_take(record) for record in request.get_json()["records"]]
    db.session.commit()
    return jsonify(results=told)


@app.post("/pull")
def pull() -> Response:
    """A page behind a moment."""
    since = request.get_json()["since"]
    query = db.select(Call).order_by(Call.updated_at).limit(PAGE)
    if since:
        query = query.where(Call.updated_at > datetime.fromisoformat(since))
    items = ToldSchema(many=True).dump(db.session.scalars(query))
    return jsonify(since=items[-1]["updated_at"] if items else None, items=items)


def create_tables() -> None:
    """Makes the one table."""
    with app.app_context():
        db.create_all()


if __name__ == "__main__":
    create_tables()
