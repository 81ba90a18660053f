"""A proxy that ends TLS with its own authority, as companies run them, in front of the sandbox."""

from __future__ import annotations

import contextlib
import ipaddress
import socket
import ssl
import threading
from base64 import b64encode
from datetime import UTC, datetime, timedelta
from pathlib import Path
from socketserver import BaseRequestHandler, ThreadingTCPServer
from types import TracebackType
from urllib.parse import urlsplit

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

API_HOSTS = ("api.stripe.com", "files.stripe.com", "api.moov.io")


def hide_names(monkeypatch: pytest.MonkeyPatch) -> None:
    """Resolve no name of an API or of example.com, as in a company's network without external DNS."""
    resolve = socket.getaddrinfo

    def local_only(host: object, *arguments: object, **options: object) -> object:
        if host in API_HOSTS or str(host).endswith(".example.com"):
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return resolve(host, *arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(socket, "getaddrinfo", local_only)


class Authority:
    """A certificate authority whose files lie in a folder."""

    def __init__(self, folder: Path, name: str = "authority") -> None:
        self._folder, self._name = folder, name
        self._key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self._certificate = (
            _builder(subject, subject, self._key)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(self._key.public_key()), critical=False)
            .add_extension(_SIGNS, critical=True)
            .sign(self._key, hashes.SHA256())
        )
        self.bundle = folder / f"{name}.pem"
        self.bundle.write_bytes(self._certificate.public_bytes(serialization.Encoding.PEM))

    def issue(self, name: str, hosts: tuple[str, ...] = API_HOSTS, days: int = 1) -> Path:
        """A PEM file with a certificate and its key; negative days make one that has expired."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        issuer_key = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        certificate = (
            _builder(subject, self._certificate.subject, key, days)
            .add_extension(x509.SubjectAlternativeName([_name(host) for host in hosts]), critical=False)
            .add_extension(issuer_key, critical=False)
            .sign(self._key, hashes.SHA256())
        )
        path = self._folder / f"{self._name}-{name}.pem"
        path.write_bytes(
            certificate.public_bytes(serialization.Encoding.PEM)
            + key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        return path


_SIGNS = x509.KeyUsage(True, False, False, False, False, True, True, False, False)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, days: int = 1
) -> x509.CertificateBuilder:
    end = datetime.now(UTC) + timedelta(days=days)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(min(end, datetime.now(UTC)) - timedelta(days=1))
        .not_valid_after(end)
    )


def _name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


class Interceptor:
    """A CONNECT proxy whose every tunnel ends in the sandbox: ``with Interceptor(…) as proxy:``.

    :param sandbox: URL of the sandbox.
    :param certificate: PEM file of the certificate and key that it presents.
    :param user_password: what it asks for, ``user:password``; None to ask for nothing.
    :param status: answer CONNECT with this and close; 200 to connect.
    :param clients: PEM file of the authority whose client certificates it demands.
    :param tunnels: False for a plain TLS server, without CONNECT.
    """

    def __init__(
        self,
        sandbox: str,
        certificate: Path,
        *,
        user_password: str | None = None,
        status: int = 200,
        clients: Path | None = None,
        tunnels: bool = True,
    ) -> None:
        self.connects: list[str] = []
        self.heads: list[str] = []
        target = urlsplit(sandbox)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        if clients:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(clients)
        expected = b64encode((user_password or "").encode()).decode()
        interceptor = self

        class Handler(BaseRequestHandler):
            def handle(self) -> None:
                with contextlib.suppress(OSError):
                    if not tunnels or self.connect():
                        self.relay()

            def connect(self) -> bool:
                head = b""
                while not head.endswith(b"\r\n\r\n"):
                    if not (piece := self.request.recv(1)):
                        return False
                    head += piece
                text = head.decode("latin-1")
                interceptor.heads.append(text)
                interceptor.connects.append(text.split()[1])
                answer = status
                if user_password and f"proxy-authorization: basic {expected}".lower() not in text.lower():
                    answer = 407
                self.request.sendall(f"HTTP/1.1 {answer} Answer\r\nContent-Length: 0\r\n\r\n".encode())
                return answer == 200

            def relay(self) -> None:
                with (
                    context.wrap_socket(self.request, server_side=True) as client,
                    socket.create_connection((target.hostname, target.port)) as server,
                ):
                    back = threading.Thread(target=_pump, args=(server, client), daemon=True)
                    back.start()
                    _pump(client, server)
                    back.join(5)

        self._server = ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Interceptor:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while piece := source.recv(65536):
            sink.sendall(piece)
    with contextlib.suppress(OSError):
        sink.shutdown(socket.SHUT_WR)
