"""The log, which nothing else may depend on."""

import io
import sys

import pytest
import structlog

from server import logs


class FullDisk(io.StringIO):
    """Takes nothing any more."""

    def write(self, text: str) -> int:
        raise OSError(28, "No space left on device")


def test_p6_a_log_that_can_take_no_more_costs_nobody_an_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    logs.configure("INFO")
    here = io.StringIO()
    for place in (FullDisk(), here):
        monkeypatch.setattr(sys, "stderr", place)
        structlog.get_logger().error("request_failed")
    assert "request_failed" in here.getvalue()
