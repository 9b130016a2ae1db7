"""Flask-SQLAlchemy, which owns the one engine and session, and the JWT library. No rules."""

from flask_jwt_extended import JWTManager
from flask_sqlalchemy import SQLAlchemy

from server.db import Base

db = SQLAlchemy(metadata=Base.metadata)
jwt = JWTManager()
