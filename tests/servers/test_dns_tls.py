"""DNS over TLS, with the real unbound and a certificate of its own."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from ipaddress import IPv4Address
from pathlib import Path

import dnslib
import pytest
from support.daemon import HERE, Daemon
from support.dig import dig
from support.ports import free_port
from support.tls import Given
from support.unbound import ADDRESS, Unbound
from support.waiting import wait_until

from iluvatar_pxe.errors import ResolveError
from iluvatar_pxe.servers.dns_tls import TlsUpstreams
from iluvatar_pxe.upstream import Upstream
from iluvatar_pxe.wire.dns_name import name_of
from iluvatar_pxe.wire.dns_query import make_query

QUERY = make_query(name_of("www.outside.example"), 1)


@dataclass(frozen=True)
class Tls:
    """An unbound that is asked by TLS, and the CA of its certificate, which is for localhost and 127.0.0.1."""

    unbound: Unbound
    upstream: Upstream
    authority: Path


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
        yield Tls(unbound, Upstream(IPv4Address("127.0.0.1"), port, tls=True), given.certificate)


@pytest.fixture
async def upstreams(resolver: Tls, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[TlsUpstreams]:
    monkeypatch.setenv("SSL_CERT_FILE", str(resolver.authority))
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


async def test_who_does_not_speak_tls_is_refused(upstreams: TlsUpstreams, resolver: Tls) -> None:
    plain = replace(resolver.upstream, port=resolver.unbound.port)
    with pytest.raises(ResolveError, match=f"tls://127.0.0.1:{plain.port}"):
        await upstreams.ask(plain, QUERY, 1)


async def test_nobody_there_is_known_at_once(upstreams: TlsUpstreams, resolver: Tls) -> None:
    with pytest.raises(ResolveError, match=r"[Rr]efused|Connect call failed"):
        await upstreams.ask(replace(resolver.upstream, port=free_port()), QUERY, 30)


def test_the_daemon_forwards_by_tls(resolver: Tls, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(resolver.authority))
    with Daemon(tmp_path, {"dns": {"upstream": [f"{resolver.upstream}#localhost"]}}, command=HERE) as daemon:
        port = daemon.settings["dns"]["port"]
        assert wait_until(lambda: dig(port, "tls.outside.example").values, "an answer") == [ADDRESS]
