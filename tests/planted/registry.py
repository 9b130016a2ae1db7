"""All planted bugs by id. Each is declared once, in the module of what it is about."""

from collections.abc import Mapping

from tests.planted import of_the_bytes, of_the_device, of_the_protocol, of_the_server
from tests.planted.bug import Bug

BUGS: Mapping[str, Bug] = {
    **of_the_protocol.BED.bugs,
    **of_the_server.BED.bugs,
    **of_the_bytes.BED.bugs,
    **of_the_device.BED.bugs,
}
