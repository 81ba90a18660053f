"""The transport does not follow, wait without end, read without end, or switch keys."""

from __future__ import annotations

import base64
import gzip
import json
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from drivers import Driver, SyncDriver
from support import Asked, Connect, Peer, Reply

from dispute_provider._contracts.contract import load
from dispute_provider._transport import retries as attempts
from dispute_provider._transport import timeouts
from dispute_provider.exceptions import (
    AmbiguousError,
    AuthenticationError,
    DisputeError,
    ServerError,
    UnreachableError,
)
from dispute_provider.sandbox import MOOV_ACCOUNT, MOOV_SECRET_KEY, STRIPE_KEY, Sandbox

pytestmark = pytest.mark.usefixtures("impatient")

DISPUTE = "c1a7e5a4-2f3b-4a7e-8a0e-3f6f3f9b2d10"
IDS = {"accountID": MOOV_ACCOUNT, "disputeID": DISPUTE}
STRIPE_DISPUTE = load("stripe")["GetDisputesDispute"].document["responses"]["200"]["content"][
    "application/json"
]["example"]
READ = ("GetDisputesDispute", {"dispute": "dp_1"})
WRITE = ("PostDisputesDispute", {"dispute": "dp_1", "submit": True})


def ok(asked: Asked) -> Reply:
    return Reply(200, json.dumps(STRIPE_DISPUTE).encode(), {"Content-Type": "application/json"})


@pytest.fixture
def peer(connect: Connect) -> Iterator[Peer]:
    """The Stripe connection leads to a peer that answers every request with a dispute."""
    with Peer(ok) as peer:
        connect("stripe", host=peer.url)
        yield peer


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize(
    ("operation", "arguments", "error"),
    [(*READ, ServerError), (*WRITE, AmbiguousError)],
    ids=["read", "write"],
)
def test_no_redirect_is_followed(
    status: int, operation: str, arguments: Any, error: type[Exception], driver: Driver, sandbox: Sandbox
) -> None:
    with Peer() as elsewhere:
        sandbox.fault(effect="redirect", status=status, to=elsewhere.url, times=None)
        with pytest.raises(error) as caught:
            driver.call("stripe", operation, **arguments)
    assert getattr(caught.value, "status", None) == status
    assert not elsewhere.asked


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
@pytest.mark.parametrize(
    ("operation", "arguments", "error"),
    [(*READ, ServerError), (*WRITE, AmbiguousError)],
    ids=["read", "write"],
)
def test_an_answer_that_is_too_large_is_not_read(
    packed: bool,
    operation: str,
    arguments: Any,
    error: type[DisputeError],
    driver: Driver,
    connect: Connect,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(timeouts, "LARGEST_RESPONSE", 100_000)
    monkeypatch.setattr(attempts, "_ATTEMPTS", 1)
    body = json.dumps(STRIPE_DISPUTE | {"padding": "x" * 200_000}).encode()
    reply = Reply(200, gzip.compress(body), {"Content-Encoding": "gzip"}) if packed else Reply(200, body)
    with Peer(lambda asked: reply) as peer:
        connect("stripe", host=peer.url)
        with pytest.raises(error, match="larger than 100,000 bytes"):
            driver.call("stripe", operation, **arguments)


def test_a_compressed_answer_is_decompressed(driver: Driver, connect: Connect) -> None:
    reply = Reply(200, gzip.compress(json.dumps(STRIPE_DISPUTE).encode()), {"Content-Encoding": "gzip"})
    with Peer(lambda asked: reply) as peer:
        connect("stripe", host=peer.url)
        assert driver.call("stripe", *READ[:1], **READ[1]).data == STRIPE_DISPUTE


@pytest.mark.parametrize(
    ("operation", "arguments", "error"),
    [(*READ, ServerError), (*WRITE, AmbiguousError)],
    ids=["read", "write"],
)
def test_a_silent_server_times_out(
    operation: str,
    arguments: Any,
    error: type[DisputeError],
    driver: Driver,
    sandbox: Sandbox,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(timeouts, "READ_SECONDS", 0.2)
    monkeypatch.setattr(attempts, "_ATTEMPTS", 1)
    sandbox.fault(effect="delay", seconds=1)
    with pytest.raises(error, match="Timeout"):
        driver.call("stripe", operation, **arguments)


def test_a_server_that_accepts_no_connection_times_out(
    driver: Driver, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(timeouts, "CONNECT_SECONDS", 0.2)
    monkeypatch.setattr(attempts, "_ATTEMPTS", 1)
    with ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(4):  # what fits into its queue, and more: further connections are refused
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        connect("stripe", host=f"http://127.0.0.1:{listener.getsockname()[1]}")
        with pytest.raises(UnreachableError):
            driver.call("stripe", WRITE[0], **WRITE[1])


def test_a_netrc_file_cannot_replace_the_key(
    driver: Driver, peer: Peer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login mallory password of-mallory\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    driver.call("stripe", READ[0], **READ[1])
    assert [asked.headers["authorization"] for asked in peer.asked] == [f"Bearer {STRIPE_KEY}"]


def test_cookies_are_not_kept(driver: Driver, connect: Connect) -> None:
    with Peer(lambda asked: Reply(200, ok(asked).body, {"Set-Cookie": "session=other; Path=/"})) as peer:
        # By name: some keep no cookies of a bare address anyway.
        connect("stripe", host=peer.url.replace("127.0.0.1", "localhost"))
        driver.run("stripe", *[lambda api: api.call(READ[0], **READ[1])] * 3)
    assert len(peer.asked) == 3
    assert not [asked for asked in peer.asked if "cookie" in asked.headers]


def test_errors_do_not_quote_echoed_keys_and_texts(driver: Driver, connect: Connect) -> None:
    secret_text = 'Zoë said: "never\nagain"'

    def echo(asked: Asked) -> Reply:
        texts = {"text": secret_text, "name": "Zoë Castillo"} if asked.body else {"key": MOOV_SECRET_KEY}
        echoed = json.dumps({"headers": dict(asked.headers), **texts})
        return Reply(401, json.dumps({"error": {"message": echoed} if asked.body else echoed}).encode())

    with Peer(echo) as peer:
        connect("stripe", host=peer.url)
        connect("moov", host=peer.url)
        with pytest.raises(AuthenticationError) as stripe:
            driver.call(
                "stripe",
                "PostDisputesDispute",
                dispute="dp_1",
                evidence={"uncategorized_text": secret_text, "customer_name": "Zoë Castillo"},
                submit=False,
            )
        with pytest.raises(AuthenticationError) as moov:
            driver.call("moov", "getDispute", **IDS)
    pair = base64.b64encode(b"sandbox_public:sandbox_secret").decode()
    for secret in (STRIPE_KEY, MOOV_SECRET_KEY, pair, "again", "Castillo"):
        assert secret not in f"{stripe.value} {moov.value} {stripe.value!r} {moov.value!r}"
    assert "[redacted]" in str(stripe.value)


def certificate(folder: Path) -> Path:
    """A certificate of localhost with its key, self-signed."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    names = x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1"))])
    signed = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(names, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file = folder / "localhost.pem"
    file.write_bytes(private + signed.public_bytes(serialization.Encoding.PEM))
    return file


@pytest.fixture
def broken_tls(tmp_path: Path, connect: Connect) -> Iterator[tuple[Path, list[bytes]]]:
    """A server that reads a request over TLS and then speaks it no more; its certificate, what it read."""
    file = certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    read: list[bytes] = []
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                plain, _ = listener.accept()
            except OSError:
                return
            try:
                with context.wrap_socket(plain, server_side=True) as encrypted:
                    read.append(encrypted.recv(65536))
                    raw = socket.socket(fileno=encrypted.detach())
                    raw.sendall(b"HTTP/1.1 200 OK\r\n\r\n")  # not encrypted any more
                    raw.close()
            except OSError:
                plain.close()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    connect("stripe", host=f"https://localhost:{listener.getsockname()[1]}")
    yield file, read
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join(5)


def test_nothing_is_sent_to_a_server_with_an_untrusted_certificate(
    driver: Driver, broken_tls: tuple[Path, list[bytes]]
) -> None:
    with pytest.raises(UnreachableError):
        driver.call("stripe", WRITE[0], **WRITE[1])
    assert not broken_tls[1]


def test_a_tls_error_after_the_request_is_ambiguous(
    broken_tls: tuple[Path, list[bytes]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """requests names it as it names a failed handshake; only the latter can be sent again."""
    file, read = broken_tls
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(file))
    with pytest.raises(AmbiguousError):
        SyncDriver().call("stripe", WRITE[0], **WRITE[1])
    assert [request.split(b"\r\n")[0] for request in read] == [b"POST /v1/disputes/dp_1 HTTP/1.1"]
