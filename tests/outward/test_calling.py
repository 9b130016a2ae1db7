"""Attack 24: a hook is no way into the company's own network and makes nobody wait."""

import http.client
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from server.db import transaction
from server.errors import Problem
from server.outward import calling
from server.outward.calling import Network, Refused, is_public, post, read_target
from server.outward.hooks import add_hook
from tests.outward.receivers import Receiver, listening
from tests.outward.site import Site
from tests.until import LIMIT_SECONDS

PUBLIC = "93.184.215.14"
NOBODY = frozenset[str]()
NAME = "hooks.example.com"


class Switchboard:
    """Names and lines as a test wants them; remembers what was asked and dialled."""

    def __init__(self, *answers: list[str], port: int = 0) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []
        self.dialled: list[str] = []
        self.port = port

    @property
    def network(self) -> Network:
        """The way out that leads here."""
        return Network(resolve=self.resolve, dial=self.dial)

    def resolve(self, host: str, _port: int) -> list[str]:
        """The next answer; the last one for ever."""
        self.asked.append(host)
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]

    def dial(self, address: str, _port: int) -> socket.socket:
        """A line to the machine of the test, whatever address was dialled."""
        self.dialled.append(address)
        return socket.create_connection(("127.0.0.1", self.port), timeout=LIMIT_SECONDS)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.8.9.1", "0.0.0.0", "10.1.2.3", "172.16.0.1", "172.31.255.255",
        "192.168.1.1", "169.254.169.254", "100.64.0.1", "192.0.0.8", "198.18.0.1", "224.0.0.1",
        "240.0.0.1", "255.255.255.255", "::1", "::", "fe80::1", "fe80::1%eth0", "fc00::1",
        "fd00:ec2::254", "ff02::1", "2001:db8::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1",
        "::ffff:169.254.169.254", "::127.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe",
        "2002:7f00:1::", "2002:a00:1::1", "2001:0:7f00:1::", "not an address", "",
    ],
)  # fmt: skip
def test_attack_24_private_and_reserved_addresses_are_refused_in_every_disguise(
    address: str,
) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", [PUBLIC, "1.1.1.1", "2606:2800:21f:cb07:6820:80da:af6b:8b2c"])
def test_public_addresses_are_called(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "url",
    [
        "http://hooks.example.com/", "https://hooks.example.com:8443/", "ftp://hooks.example.com/",
        "file:///etc/passwd", "gopher://hooks.example.com/", "https://", "https:///path",
        "https://user:secret@hooks.example.com/", "https://hooks.example.com@127.0.0.1/",
        "https://hooks.example.com/#part", "https://hooks.example.com:99999/",
        "https://hooks.example.com/\r\nHost: inside", "https://hooks.example.com/a b",
        "https://höoks.example.com/", "//hooks.example.com/", "", "https://[::1/",
        "https://hooks.example.com/" + "a" * 2000,
    ],
)  # fmt: skip
def test_attack_24_an_address_of_another_form_is_refused(url: str) -> None:
    with pytest.raises(Refused):
        read_target(url, NOBODY)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "2130706433", "0x7f000001", "[::1]"])
def test_attack_24_the_machine_itself_is_refused_by_every_name(host: str) -> None:
    """By the real resolver, which reads numbers as addresses."""
    with pytest.raises(Refused):
        post(Network(), read_target(f"https://{host}/", NOBODY), "{}", {})


def test_attack_24_one_private_address_among_public_ones_refuses_the_name() -> None:
    board = Switchboard([PUBLIC, "10.0.0.1"])
    with pytest.raises(Refused, match="private"):
        post(board.network, read_target(f"https://{NAME}/", NOBODY), "{}", {})
    assert board.dialled == []


def test_attack_24_a_name_that_changes_its_mind_leads_where_it_was_judged() -> None:
    """DNS rebinding: the second answer is never asked for."""
    with listening() as inside:
        board = Switchboard([PUBLIC], ["127.0.0.1"], port=inside.port)
        with pytest.raises(ssl.SSLError):
            post(board.network, read_target(f"https://{NAME}/", NOBODY), "{}", {})
        assert (board.asked, board.dialled) == ([NAME], [PUBLIC])
        assert inside.got == []


def test_attack_24_a_name_that_has_become_private_is_refused_when_sending() -> None:
    board = Switchboard([PUBLIC], ["127.0.0.1"])
    target = read_target(f"https://{NAME}/", NOBODY)
    assert calling.choose_address(target, board.network) == PUBLIC
    with pytest.raises(Refused):
        post(board.network, target, "{}", {})
    assert board.dialled == []


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
def test_attack_24_such_an_address_cannot_be_saved(site: Site, receiver: Receiver) -> None:
    stranger = Receiver(port=receiver.port + 1)
    for wrong in ("https://127.0.0.1/", "https://localhost/", "http://10.0.0.1/", stranger.url):
        with pytest.raises(Problem) as refused, transaction(site.store):
            add_hook(site.store, site.outward, wrong)
        assert refused.value.fields == {"url": "address"}
    assert site.hooks == []


@contextmanager
def silent(said: bytes = b"", every: float = 0.05) -> Iterator[int]:
    """A machine that takes a connection and says ``said`` again and again; its port."""
    ended = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            line, _address = server.accept()
            with line:
                while not ended.wait(every):
                    if said:
                        try:
                            line.sendall(said)
                        except OSError:
                            return

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield int(server.getsockname()[1])
        finally:
            ended.set()
            thread.join()


@pytest.mark.parametrize("said", [b"", b"H", b"HTTP/1.1 100 Continue\r\n\r\n"])
def test_attack_24_a_receiver_that_never_ends_its_answer_is_left(
    said: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Silence is one limit, the whole another: a byte at a time keeps no silence."""
    monkeypatch.setattr(calling, "QUIET_SECONDS", 0.5)
    monkeypatch.setattr(calling, "WHOLE_SECONDS", 1)
    with silent(said) as port:
        allowed = frozenset({f"127.0.0.1:{port}"})
        target = read_target(f"http://127.0.0.1:{port}/", allowed)
        with pytest.raises((OSError, http.client.HTTPException)):
            post(Network(), target, "{}", {})


class Authority:
    """A certificate authority of this test, and a server's key under it."""

    def __init__(self, folder: Path, name: str) -> None:
        self.trusted, self.chain = folder / "ca.pem", folder / "server.pem"
        own, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
        issuer = _named("test authority")
        ca = _certificate(issuer, issuer, own, own, ca=True)
        leaf = _certificate(_named(name), issuer, key, own, ca=False, name=name)
        self.trusted.write_bytes(ca.public_bytes(Encoding.PEM))
        private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        self.chain.write_bytes(private + leaf.public_bytes(Encoding.PEM))


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])


def _certificate(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    signer: ec.EllipticCurvePrivateKey,
    *,
    ca: bool,
    name: str = "",
) -> x509.Certificate:
    now = datetime.now(UTC)
    named = [x509.DNSName(name), x509.IPAddress(IPv4Address("127.0.0.1"))] if name else []
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
    )
    if named:
        builder = builder.add_extension(x509.SubjectAlternativeName(named[:1]), critical=False)
    return builder.sign(signer, SHA256())


@pytest.mark.parametrize(("held", "taken"), [(NAME, True), ("other.example.com", False)])
def test_attack_24_the_certificate_is_the_names_and_not_the_addresses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, held: str, taken: bool
) -> None:
    authority = Authority(tmp_path, held)
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.trusted))
    trust = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trust.load_cert_chain(authority.chain)
    with listening(trust) as receiver:
        board = Switchboard([PUBLIC], port=receiver.port)
        target = read_target(f"https://{NAME}/hook?a=1", NOBODY)
        if taken:
            assert post(board.network, target, '{"a":1}', {"webhook-id": "evt_1"}) == 200
            (got,) = receiver.got
            assert (got.path, got.body) == ("/hook?a=1", '{"a":1}')
            assert got.headers["host"] == NAME
        else:
            with pytest.raises(ssl.SSLCertVerificationError):
                post(board.network, target, "{}", {})
            assert receiver.got == []
        assert board.dialled == [PUBLIC]
