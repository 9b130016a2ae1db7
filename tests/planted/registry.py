"""All planted bugs by id, and the tests that find each. A bug is declared where it belongs."""

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.planted import (
    of_the_bytes,
    of_the_device,
    of_the_outside,
    of_the_protocol,
    of_the_server,
)
from tests.planted.bug import Bug

BUGS: Mapping[str, Bug] = {
    **of_the_protocol.BED.bugs,
    **of_the_server.BED.bugs,
    **of_the_bytes.BED.bugs,
    **of_the_device.BED.bugs,
    **of_the_outside.BED.bugs,
}
FOUND_BY: Mapping[str, Sequence[str]] = tomllib.loads(
    Path(__file__).with_name("found_by.toml").read_text("utf-8")
)
"""By id, tests each of which is enough to find the bug; the quickest first."""
