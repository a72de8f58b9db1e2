"""How the TFTP server stops, and what it leaves bound: nothing."""

import asyncio
import re
from collections.abc import Iterator
from ipaddress import IPv4Address

import pytest
from support.tftp_peer import (
    FILE,
    NOBODY,
    ONE,
    PATIENCE,
    TWO,
    MakePeer,
    Reports,
    open_file,
    peers,
    replying,
    serving,
)

from iluvatar_pxe.servers.tftp.server import TftpServer
from iluvatar_pxe.settings.model import TftpSettings
from iluvatar_pxe.wire.tftp.packet import Ack, Error, ReadRequest
from iluvatar_pxe.wire.tftp.transfer import Outcome


@pytest.fixture
def peer() -> Iterator[MakePeer]:
    with peers() as make:
        yield make


async def test_drain_refuses_new_requests_at_once_and_lets_transfers_finish(peer: MakePeer) -> None:
    client = peer()
    async with serving() as (server, reports):
        listener = server.listening[0]
        data, tid = await client.ask(server, ReadRequest("nbp", "octet"))
        draining = asyncio.create_task(server.drain(PATIENCE))
        client.send(Ack(1), tid)
        data = await client.data()
        assert server.listening == []
        peer(port=listener[1])  # the port is free again
        assert data.block == 2
        assert await client.finish(data, tid) == FILE[512:]
        await draining
        assert (await reports.next()).outcome is Outcome.DONE


async def test_drain_frees_what_was_bound_and_never_ran(peer: MakePeer) -> None:
    server = TftpServer(TftpSettings().model_copy(update={"port": 0}), replying(open_file), print, NOBODY.get)
    assert not server.serve([ONE])
    listener = server.listening[0]
    await server.drain(0)
    assert server.listening == []
    peer(port=listener[1])


async def test_drain_ends_what_outlasts_the_grace(peer: MakePeer) -> None:
    client = peer()
    async with serving() as (server, reports):
        await client.ask(server, ReadRequest("nbp", "octet"))
        await server.drain(0)
        assert (await client.receive())[0] == Error(0, "the server is stopping")
        report = await reports.next()
        assert (report.outcome, report.reason) == (Outcome.FAILED, "the server is stopping")
        await server.drain(0)


async def test_drain_also_ends_what_still_waits_for_its_file(peer: MakePeer) -> None:
    client, asked = peer(), asyncio.Event()

    async def find(_name: str, _client: IPv4Address, _server: IPv4Address) -> None:
        asked.set()
        await asyncio.Event().wait()

    async with serving(find) as (server, reports):
        client.send(ReadRequest("nbp", "octet"), server.listening[0])
        await asked.wait()
        await server.drain(0)
        assert (await client.receive())[0] == Error(0, "the server is stopping")
        assert (await reports.next()).outcome is Outcome.FAILED


async def test_cancelling_run_frees_every_port_and_tells_the_clients(peer: MakePeer) -> None:
    reports, client = Reports(), peer()
    settings = TftpSettings().model_copy(update={"port": 0})
    server = TftpServer(settings, replying(open_file), reports.put_nowait, NOBODY.get)
    assert not server.serve([ONE])
    listener = server.listening[0]
    task = asyncio.create_task(server.run())
    _, tid = await client.ask(server, ReadRequest("nbp", "octet"))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (await client.receive())[0] == Error(0, "the server is stopping")
    assert (await reports.next()).outcome is Outcome.FAILED
    peer(port=listener[1])
    peer(port=tid[1])


async def test_other_addresses_leave_what_is_served_already_alone(peer: MakePeer) -> None:
    client, other = peer(), peer()
    async with serving() as (server, _):
        old = server.listening[0]
        data, tid = await client.ask(server, ReadRequest("nbp", "octet"))
        assert not server.serve([ONE, TWO])
        assert server.listening[0] == old
        other.send(ReadRequest("nbp", "octet"), server.listening[1])
        assert (await other.receive())[1][0] == str(TWO)

        assert not server.serve([TWO])
        peer(port=old[1])  # the port is free again
        assert await client.finish(data, tid) == FILE, "the transfer goes on"


async def test_a_listener_that_cannot_be_bound_is_told_and_tried_again(peer: MakePeer) -> None:
    taken = peer(address="127.0.0.2")
    port = taken.name[1]
    server = TftpServer(TftpSettings(port=port), replying(open_file), print, NOBODY.get)
    (error,) = server.serve([ONE, TWO])
    assert re.match(r"UDP 127\.0\.0\.2:\d+ cannot be bound: Address already in use; ", str(error))
    assert server.listening == [(str(ONE), port)]
    taken.socket.close()
    assert server.serve([ONE, TWO]) == []
    assert server.listening == [(str(ONE), port), (str(TWO), port)]
    await server.drain(0)
