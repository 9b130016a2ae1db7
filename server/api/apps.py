"""Apps that are too old to be sent data; handing in work stays open to every one (P6)."""

import re

from flask import request

from server.errors import Problem
from server.services import services

HEADER = "Fieldstamp-App"
"""Which version of which app asks; an app that does not say is not refused."""

NUMBERS = re.compile(r"\d{1,9}")


def need_current_app() -> None:
    """*Raises* ``app_too_old`` for an app below the setting ``min_app_hard``."""
    stated = request.headers.get(HEADER)
    if stated is not None and order_of(stated) < order_of(services().settings.min_app_hard):
        raise Problem("app_too_old")


def order_of(version: str) -> tuple[int, ...]:
    """The first three numbers of a version, which versions are compared by."""
    found = [int(number) for number in NUMBERS.findall(version)[:3]]
    return (*found, 0, 0, 0)[:3]
