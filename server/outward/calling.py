"""One POST to an address that somebody else chose: the only module that calls out over HTTP.

An address is resolved once, every answer is judged, and the connection goes to the very address
that was judged. Redirects are not followed and bodies of answers are not read.
"""

import http.client
import ipaddress
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

QUIET_SECONDS = 5
"""How long a receiver may take to connect, or for the next piece of its answer."""
WHOLE_SECONDS = 10
"""How long all of it may take."""
LONGEST_URL = 2000
PORTS = {"https": 443, "http": 80}
NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
RESERVED = tuple(map(ipaddress.ip_network, ("192.0.0.0/24", "192.88.99.0/24", "64:ff9b:1::/48")))
"""Of IANA's registries of special addresses, what older versions of Python take for public."""

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class Refused(Exception):
    """The address is not one that this server calls; the words are for an administrator."""


def look_up(host: str, port: int) -> list[str]:
    """Every address that the machine's resolver gives for ``host``."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(place[0]) for *_rest, place in found]


def connect(address: str, port: int) -> socket.socket:
    """A connection to ``address``, which is no name."""
    return socket.create_connection((address, port), timeout=QUIET_SECONDS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """The way out: name → addresses, and address → connection. Tests bring their own."""

    resolve: Callable[[str, int], list[str]] = look_up
    dial: Callable[[str, int], socket.socket] = connect


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """An address that was read and has the right form."""

    scheme: str
    host: str
    port: int
    path: str
    trusted: bool
    """The administrator named its host and port, so that any network and plain HTTP will do."""

    @property
    def authority(self) -> str:
        """What the header ``Host`` says."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == PORTS[self.scheme] else f"{host}:{self.port}"


def read_target(url: str, allow: frozenset[str]) -> Target:
    """The target that ``url`` names; ``allow`` lists ``host:port`` pairs that are trusted.

    *Raises* :class:`Refused`.
    """
    parts, port = _split(url)
    host = (parts.hostname or "").lower()
    trusted = f"{host}:{port}" in allow
    if parts.scheme != "https" and not (trusted and parts.scheme == "http"):
        raise Refused("Only https is called.")
    if port != PORTS["https"] and not trusted:
        raise Refused("Only port 443 is called, unless the setting hook_allow names another.")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Target(scheme=parts.scheme, host=host, port=port, path=path, trusted=trusted)


def _split(url: str) -> tuple[SplitResult, int]:
    plain = url.isascii() and url.isprintable() and " " not in url and len(url) <= LONGEST_URL
    try:
        parts = urlsplit(url)
        port = parts.port or PORTS.get(parts.scheme, 0)
    except ValueError as error:
        raise Refused("This is no address.") from error
    if not plain or not parts.hostname or "@" in parts.netloc or parts.fragment:
        raise Refused("An address is https://host/path, without a password.")
    return parts, port


def choose_address(target: Target, network: Network) -> str:
    """The address to connect to. *Raises* :class:`Refused` where any of them is not public.

    All of them are judged, so that a name with a public and a private one is no way in.
    """
    try:
        found = network.resolve(target.host, target.port)
    except (OSError, UnicodeError) as error:
        raise Refused("The name is not known.") from error
    if not found:
        raise Refused("The name is not known.")
    if not target.trusted and not all(is_public(one) for one in found):
        raise Refused("The address lies in a private or reserved network.")
    return found[0]


def is_public(address: str) -> bool:
    """Whether ``address`` is a machine on the internet, also where it hides an IPv4 address."""
    try:
        read = ipaddress.ip_address(address)
    except ValueError:  # such as fe80::1%eth0
        return False
    return all(_is_plain(one) for one in (read, *_embedded(read)))


def _is_plain(address: Address) -> bool:
    reserved = any(address in network for network in RESERVED)
    return address.is_global and not address.is_multicast and not reserved


def _embedded(address: Address) -> Iterator[ipaddress.IPv4Address]:
    """IPv4 addresses to which a machine on the way may send what goes to ``address``."""
    if isinstance(address, ipaddress.IPv4Address):
        return
    hidden = (address.ipv4_mapped, address.sixtofour, *(address.teredo or ()))
    yield from (one for one in hidden if one is not None)
    if address in NAT64 or int(address) >> 32 == 0:
        yield ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)


def post(network: Network, target: Target, body: str, headers: Mapping[str, str]) -> int:
    """Sends ``body``; the status of the answer.

    *Raises* :class:`Refused`, and ``OSError`` or ``http.client.HTTPException`` where there was no
    answer in time.
    """
    address = choose_address(target, network)
    with _secured(network.dial(address, target.port), target) as line, _cut_in_time(line):
        if isinstance(line, ssl.SSLSocket):
            line.do_handshake()
        talk = http.client.HTTPConnection(target.host, target.port)
        talk.sock = line
        said = {"Host": target.authority, "User-Agent": "fieldstamp", "Connection": "close"}
        content = {"Content-Type": "application/json", **headers}
        talk.request("POST", target.path, body.encode(), said | content)
        return talk.getresponse().status


def _secured(line: socket.socket, target: Target) -> socket.socket:
    """``line`` under TLS for the name that was asked for, not for the address."""
    line.settimeout(QUIET_SECONDS)
    if target.scheme == "http":
        return line
    trust = ssl.create_default_context()
    return trust.wrap_socket(line, server_hostname=target.host, do_handshake_on_connect=False)


@contextmanager
def _cut_in_time(line: socket.socket) -> Iterator[None]:
    """Ends whatever happens on ``line`` after WHOLE_SECONDS: silence alone is a weaker limit."""

    def cut() -> None:
        with suppress(OSError):
            # The plain socket's: that of TLS would take its state from under the other thread.
            socket.socket.shutdown(line, socket.SHUT_RDWR)

    timer = threading.Timer(WHOLE_SECONDS, cut)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
