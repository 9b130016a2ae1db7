"""nginx with the file of ``deploy/`` in front of two pools, on free ports of this machine."""

import datetime
import shutil
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.live import free_port
from tests.until import LIMIT_SECONDS, until

SITE = Path(__file__).parents[2] / "deploy" / "nginx" / "fieldstamp.conf"
WHOLE = """
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
worker_processes 2;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/site.conf;
}}
"""


class Missing(Exception):
    """Why there is no nginx here, for a person."""


def find_nginx() -> str:
    """The program. Raises :class:`Missing`."""
    found = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
    if found is None:
        raise Missing("nginx is not installed")
    return found


def _certify(folder: Path) -> None:
    """A certificate for ``localhost`` that lasts a day."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    secret = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "key.pem").write_bytes(secret)
    (folder / "cert.pem").write_bytes(certificate.public_bytes(pem))


def _site(folder: Path, port: int, json: int, uploads: int) -> str:
    """The file of ``deploy/``, with other ports, another name and other files."""
    text = SITE.read_text("utf-8")
    changes = {
        "listen 443 ssl;": f"listen 127.0.0.1:{port} ssl;",
        "127.0.0.1:8081": f"127.0.0.1:{json}",
        "127.0.0.1:8082": f"127.0.0.1:{uploads}",
        "fieldstamp.example.com": "localhost",
        "/etc/fieldstamp/tls/fullchain.pem": f"{folder}/cert.pem",
        "/etc/fieldstamp/tls/privkey.pem": f"{folder}/key.pem",
    }
    for here, there in changes.items():
        assert here in text, here
        text = text.replace(here, there)
    return text


@contextmanager
def serve_front(folder: Path, *, json: int, uploads: int) -> Iterator[tuple[int, ssl.SSLContext]]:
    """(port, what to trust) of a running nginx before the two pools. Raises :class:`Missing`."""
    nginx, port = find_nginx(), free_port()
    _certify(folder)
    (folder / "site.conf").write_text(_site(folder, port, json, uploads))
    (folder / "nginx.conf").write_text(WHOLE.format(folder=folder))
    command = [nginx, "-p", str(folder), "-e", str(folder / "error.log")]
    process = subprocess.Popen([*command, "-c", str(folder / "nginx.conf")])
    try:
        begun, errors = folder / "nginx.pid", folder / "error.log"
        until(begun.exists, say=errors.read_text)
        yield port, ssl.create_default_context(cafile=str(folder / "cert.pem"))
    finally:
        process.terminate()
        process.wait(LIMIT_SECONDS)
