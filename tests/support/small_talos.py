"""A few calls of Talos' API on loopback, each of which answers what a test says. The stand-in for Talos is elsewhere."""

import asyncio
import ssl
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from google.protobuf.message import Message
from grpclib.const import Handler, Status
from grpclib.exceptions import GRPCError
from grpclib.server import Server
from support.ports import free_port
from support.secrets_of import seeded

from iluvatar_pxe.layers.arda.certificates import client_certificate, new_authority
from iluvatar_pxe.layers.arda.keys import dump_key, ed25519_key, load_key
from iluvatar_pxe.layers.certificates import Client, Validity
from iluvatar_pxe.layers.credentials import Credentials
from iluvatar_pxe.layers.key_pair import KeyPair
from iluvatar_pxe.layers.keys import load_certificate, standard_pem

HERE = "127.0.0.1"
NOW = datetime.now(UTC)
LIFE = Validity(NOW - timedelta(hours=1), NOW + timedelta(days=1))

Answering = Callable[[Any], Awaitable[None]]


def authority(seed: str) -> KeyPair:
    return new_authority(ed25519_key(seeded(seed)), "talos", LIFE, seeded(f"{seed} random"))


CA, OTHER_CA = authority("ca"), authority("other")


def credentials(ca: KeyPair = CA, signed_by: KeyPair | None = None) -> Credentials:
    """Return an administrator's; ``ca`` is what it trusts, ``signed_by`` what has signed it."""
    key = ed25519_key(seeded("own"))
    pair = client_certificate(signed_by or ca, key, Client(["os:admin"]), LIFE, seeded("random"))
    return Credentials(ca.crt, pair.crt, pair.key)


def leaf(ca: KeyPair, *, name: str = "cp-1", address: str = HERE, validity: Validity = LIFE) -> KeyPair:
    """Return a machine's own certificate."""
    key, issuer = ed25519_key(seeded("leaf")), load_certificate(ca.crt)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(issuer.subject)
        .serial_number(x509.random_serial_number())
        .not_valid_before(validity.begin)
        .not_valid_after(validity.end)
        .public_key(key.public_key())
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(IPv4Address(address))]), critical=False)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
    )
    authority_key = load_key(ca.key)
    assert isinstance(authority_key, ed25519.Ed25519PrivateKey)
    signed = certificate.sign(authority_key, None)
    return KeyPair(signed.public_bytes(Encoding.PEM).decode(), dump_key(key))


def server_context(own: KeyPair, clients: KeyPair | None) -> ssl.SSLContext:
    """Return a machine's context; without ``clients``, it is in maintenance mode and asks for no certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "pem"
        file.write_text(own.crt + standard_pem(own.key))
        context.load_cert_chain(file)
    context.set_alpn_protocols(["h2"])
    if clients:
        context.load_verify_locations(cadata=clients.crt)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


INSTALLED = server_context(leaf(CA), CA)
MAINTENANCE = server_context(leaf(OTHER_CA, name="maintenance-service.talos.dev"), None)
FOREIGN = server_context(leaf(OTHER_CA), OTHER_CA)


class Scripted:
    """A service of which each method does what it is told; the others are UNIMPLEMENTED, as on a worker."""

    def __init__(self, base: type, **methods: Answering) -> None:
        self._base = base
        self._methods = methods

    def __getattr__(self, name: str) -> Answering:
        return self._methods.get(name, failing(Status.UNIMPLEMENTED, f"unknown method {name}"))

    def __mapping__(self) -> dict[str, Handler]:
        mapping: Callable[[Scripted], dict[str, Handler]] = vars(self._base)["__mapping__"]
        return mapping(self)


def answering(*answers: Message) -> Answering:
    async def answer(stream: Any) -> None:
        await stream.recv_message()
        for one in answers:
            await stream.send_message(one)

    return answer


def failing(status: Status, text: str, *before: Message) -> Answering:
    async def fail(stream: Any) -> None:
        await answering(*before)(stream)
        raise GRPCError(status, text)

    return fail


async def hanging(stream: Any) -> None:
    await stream.recv_message()
    await asyncio.Event().wait()


@asynccontextmanager
async def small_talos(
    *services: Scripted, context: ssl.SSLContext | None = INSTALLED, port: int = 0
) -> AsyncIterator[int]:
    """Serve on loopback; gives the port."""
    port = port or free_port()
    server = Server(list(services))
    await server.start(HERE, port, ssl=context)
    try:
        yield port
    finally:
        for handler in list(server._handlers):
            handler.close()
        server.close()
        await server.wait_closed()
