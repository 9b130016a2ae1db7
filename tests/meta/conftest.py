"""The application for checks of what it shows; they need no store."""

import pytest
from flask import Flask

from server.app import create_app
from server.settings import Settings


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Flask:
    """The application as it is wired, without a store."""
    return create_app(Settings(data=tmp_path_factory.mktemp("surface")))
