"""DNS over TLS, with the real unbound and a certificate of its own."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import IPv4Address
from pathlib import Path

import dnslib
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from support.daemon import HERE, Daemon
from support.dig import dig
from support.liar import answer
from support.ports import free_port
from support.tls import Given
from support.unbound import ADDRESS, Unbound
from support.waiting import wait_until

from iluvatar_pxe.errors import ResolveError
from iluvatar_pxe.servers.dns import tls
from iluvatar_pxe.servers.dns.tls import TlsUpstreams
from iluvatar_pxe.settings.upstream import Upstream
from iluvatar_pxe.values import replace
from iluvatar_pxe.wire.dns.name import name_of
from iluvatar_pxe.wire.dns.query import make_query

QUERY = make_query(name_of("www.outside.example"), 1)


@dataclass(frozen=True)
class Tls:
    """An unbound that is asked by TLS, and its certificate, which is for localhost and 127.0.0.1 and its own CA."""

    unbound: Unbound
    upstream: Upstream
    given: Given


@pytest.fixture(scope="module")
def resolver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tls]:
    directory = tmp_path_factory.mktemp("tls")
    given, port = Given.make(directory), free_port()
    lines = [
        f"interface: 127.0.0.1@{port}",
        f"tls-port: {port}",
        f'tls-service-key: "{given.key}"',
        f'tls-service-pem: "{given.certificate}"',
    ]
    with Unbound(directory, lines) as unbound:
        yield Tls(unbound, Upstream(IPv4Address("127.0.0.1"), port, tls=True), given)


@pytest.fixture
async def upstreams(resolver: Tls, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[TlsUpstreams]:
    monkeypatch.setenv("SSL_CERT_FILE", str(resolver.given.certificate))
    made = TlsUpstreams()
    running = asyncio.create_task(made.run())
    await asyncio.sleep(0)
    yield made
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running


def address_in(reply: bytes) -> str:
    return str(dnslib.DNSRecord.parse(reply).rr[0].rdata)


@pytest.mark.parametrize("name", ["", "localhost"])
async def test_the_certificate_is_of_the_address_or_the_name(
    upstreams: TlsUpstreams, resolver: Tls, name: str
) -> None:
    reply = await upstreams.ask(replace(resolver.upstream, name=name), QUERY, 5)
    assert (reply[:2], address_in(reply)) == (QUERY[:2], ADDRESS)


async def test_another_name_is_refused(upstreams: TlsUpstreams, resolver: Tls) -> None:
    with pytest.raises(ResolveError, match=r"certificate: .*one\.one\.one\.one"):
        await upstreams.ask(replace(resolver.upstream, name="one.one.one.one"), QUERY, 5)


async def test_a_certificate_that_nobody_trusts_is_refused(
    resolver: Tls, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(Given.make(tmp_path, "other").certificate))
    stranger = TlsUpstreams()
    running = asyncio.create_task(stranger.run())
    await asyncio.sleep(0)
    with pytest.raises(ResolveError, match="certificate"):
        await stranger.ask(resolver.upstream, QUERY, 5)
    running.cancel()
    await asyncio.wait([running])


async def test_questions_share_a_connection(upstreams: TlsUpstreams, resolver: Tls) -> None:
    replies = await asyncio.gather(*(upstreams.ask(resolver.upstream, QUERY, 5) for _ in range(50)))
    assert {address_in(reply) for reply in replies} == {ADDRESS}
    channel = upstreams._channels[resolver.upstream]
    await upstreams.ask(resolver.upstream, QUERY, 5)
    assert upstreams._channels[resolver.upstream] is channel


async def test_a_connection_that_ended_is_made_anew(upstreams: TlsUpstreams, resolver: Tls) -> None:
    await upstreams.ask(resolver.upstream, QUERY, 5)
    first = upstreams._channels[resolver.upstream]
    first._writer.transport.abort()
    assert address_in(await upstreams.ask(resolver.upstream, QUERY, 5)) == ADDRESS
    assert upstreams._channels[resolver.upstream] is not first


@asynccontextmanager
async def _forgetful(given: Given) -> AsyncIterator[tuple[Upstream, list[int]]]:
    """A resolver that answers one question of each connection and then no more; and the questions of each so far."""
    questions: list[int] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        number = len(questions)
        questions.append(0)
        with closing(writer), suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                query = await reader.readexactly(int.from_bytes(await reader.readexactly(2)))
                questions[number] += 1
                if questions[number] == 1:
                    reply = answer(query, ADDRESS)
                    writer.write(len(reply).to_bytes(2) + reply)

    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(given.certificate, given.key)
    port = free_port()
    server = await asyncio.start_server(serve, "127.0.0.1", port, ssl=context)
    yield Upstream(IPv4Address("127.0.0.1"), port, tls=True), questions
    server.close()


async def test_a_connection_that_fell_silent_is_made_anew_while_somebody_waits(
    upstreams: TlsUpstreams, resolver: Tls, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tls, "IDLE_SECONDS", 0.5)
    async with _forgetful(resolver.given) as (upstream, questions):
        for _ in range(2):
            assert address_in(await upstreams.ask(upstream, QUERY, 30)) == ADDRESS
        assert questions == [2, 1]


def _expired(given: Given, directory: Path) -> Given:
    """Return the same with a validity that has ended."""
    old = x509.load_pem_x509_certificate(given.certificate.read_bytes())
    builder = x509.CertificateBuilder(old.issuer, old.subject, old.public_key(), old.serial_number)
    builder = builder.not_valid_before(datetime(2020, 1, 1, tzinfo=UTC)).not_valid_after(
        datetime(2021, 1, 1, tzinfo=UTC)
    )
    for extension in old.extensions:
        builder = builder.add_extension(extension.value, extension.critical)
    key = load_pem_private_key(given.key.read_bytes(), None)
    assert isinstance(key, RSAPrivateKey)
    made = Given(directory / "expired.crt", given.key)
    made.certificate.write_bytes(builder.sign(key, SHA256()).public_bytes(Encoding.PEM))
    return made


async def test_an_expired_certificate_is_refused(
    resolver: Tls, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = _expired(resolver.given, tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(given.certificate))
    made = TlsUpstreams()
    running = asyncio.create_task(made.run())
    await asyncio.sleep(0)
    async with _forgetful(given) as (upstream, questions):
        with pytest.raises(ResolveError, match=r"certificate: .*expired"):
            await made.ask(upstream, QUERY, 5)
    assert questions == []
    running.cancel()
    await asyncio.wait([running])


async def test_who_does_not_speak_tls_is_refused(upstreams: TlsUpstreams, resolver: Tls) -> None:
    plain = replace(resolver.upstream, port=resolver.unbound.port)
    with pytest.raises(ResolveError, match=f"tls://127.0.0.1:{plain.port}"):
        await upstreams.ask(plain, QUERY, 1)


async def test_nobody_there_is_known_at_once(upstreams: TlsUpstreams, resolver: Tls) -> None:
    with pytest.raises(ResolveError, match=r"[Rr]efused|Connect call failed"):
        await upstreams.ask(replace(resolver.upstream, port=free_port()), QUERY, 30)


def test_the_daemon_forwards_by_tls(resolver: Tls, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(resolver.given.certificate))
    with Daemon(tmp_path, {"dns": {"upstream": [f"{resolver.upstream}#localhost"]}}, command=HERE) as daemon:
        port = daemon.settings["dns"]["port"]
        assert wait_until(lambda: dig(port, "tls.outside.example").values, "an answer") == [ADDRESS]
