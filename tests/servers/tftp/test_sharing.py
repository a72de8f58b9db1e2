"""Transfers in lock-step that share a port, on loopback sockets: who shares, and that none disturbs another."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest
from structlog.testing import capture_logs
from support.tftp_peer import FILE, MakePeer, Name, Peer, Reports, peers, serving

from iluvatar_pxe.servers.tftp.ports import UNSHARED
from iluvatar_pxe.servers.tftp.server import TftpServer
from iluvatar_pxe.wire.tftp.packet import Ack, Data, Error, OptionAck, ReadRequest
from iluvatar_pxe.wire.tftp.transfer import Outcome

NBP = ReadRequest("nbp", "octet")


@pytest.fixture
def peer() -> Iterator[MakePeer]:
    with peers() as make:
        yield make


@asynccontextmanager
async def busy(peer: MakePeer) -> AsyncIterator[tuple[TftpServer, Reports, set[Name]]]:
    """A server with as many transfers as have ports of their own, and those ports."""
    async with serving() as (server, reports):
        yield server, reports, {(await peer().ask(server, NBP))[1] for _ in range(UNSHARED)}


async def test_from_the_fifth_on_transfers_share_a_port_and_get_their_files(peer: MakePeer) -> None:
    async with busy(peer) as (server, reports, own):
        clients = [peer(address=f"127.0.1.{number}") for number in range(1, 21)]
        begun = [await client.ask(server, NBP) for client in clients]
        assert len({tid for _, tid in begun} - own) == 1
        files = await asyncio.gather(
            *(client.finish(*first) for client, first in zip(clients, begun, strict=True))
        )
        assert files == [FILE] * 20
        assert [(await reports.next()).outcome for _ in clients] == [Outcome.DONE] * 20


async def test_windows_have_a_port_of_their_own(peer: MakePeer) -> None:
    async with busy(peer) as (server, _, own):
        _, shared = await peer().ask(server, NBP)
        windows = ReadRequest("nbp", "octet", (("windowsize", "2"),))
        oack, tid = await peer().ask(server, windows)
        assert isinstance(oack, OptionAck)
        assert tid not in own | {shared}


async def test_a_stranger_at_a_shared_port_gets_error_5_and_disturbs_nothing(peer: MakePeer) -> None:
    client, stranger = peer(), peer()
    async with busy(peer) as (server, _, _own):
        data, tid = await client.ask(server, NBP)
        for nuisance in (Ack(1), Data(1, b"x"), b"junk", NBP):
            stranger.send(nuisance, tid)
            assert await stranger.receive() == (Error(5, "unknown transfer"), tid)
        stranger.send(Error(0, "die"), tid)
        assert await client.finish(data, tid) == FILE
        stranger.assert_silent()


async def test_late_acks_of_a_transfer_count_for_nothing_and_are_not_answered(peer: MakePeer) -> None:
    client, other = peer(), peer()
    async with busy(peer) as (server, reports, _own):
        _, shared = await other.ask(server, NBP)
        data, tid = await client.ask(server, NBP)
        assert tid == shared
        assert await client.finish(data, tid) == FILE
        assert (await reports.next()).outcome is Outcome.DONE
        client.send(Ack(6), tid)
        data, tid = await client.ask(server, NBP)
        assert tid != shared
        client.send(Ack(1), shared)  # for block 1 of the new one, were it here
        await _hear_error_5(peer(), shared)
        client.assert_silent()
        assert await client.finish(data, tid) == FILE


async def _hear_error_5(stranger: Peer, tid: Name) -> None:
    """When this is answered, all that came before was read."""
    stranger.send(Ack(1), tid)
    assert isinstance((await stranger.receive())[0], Error)


async def test_a_restart_from_the_same_port_ends_the_one_that_shares(peer: MakePeer) -> None:
    client = peer()
    async with busy(peer) as (server, reports, _own):
        await peer().ask(server, NBP)
        _, tid = await client.ask(server, NBP)
        client.send(Ack(1), tid)
        assert (await client.data()).block == 2
        other, new = await client.ask(server, ReadRequest("other", "octet"))
        assert new != tid
        assert await client.finish(other, new) == b"other"
        ended = {(report.filename, report.outcome) for report in [await reports.next() for _ in range(2)]}
        assert ended == {("nbp", Outcome.ABORTED), ("other", Outcome.DONE)}
        client.assert_silent()


async def test_those_that_their_clients_have_ended_count_no_more(peer: MakePeer) -> None:
    """One look at the port that they share ends them all, but their tasks end later."""
    probe = ReadRequest("nbp", "octet", (("tsize", "0"),))
    busy, probes, late = [peer() for _ in range(4)], [peer() for _ in range(5)], [peer() for _ in range(5)]
    with capture_logs() as logs:
        async with serving(max_transfers=9) as (server, reports):
            for client in busy:
                _, tid = await client.ask(server, NBP)
                client.send(Ack(1), tid)
                await client.data()
            tids = [(await client.ask(server, probe))[1] for client in probes]
            for client, tid in zip(probes, tids, strict=True):
                client.send(Error(0, "Early terminate"), tid)
            for client in late:
                client.send(NBP, server.listening[0])
            assert [await client.finish(*await client.receive()) for client in late] == [FILE] * 5
            outcomes = [(await reports.next()).outcome for _ in range(10)]
            assert outcomes.count(Outcome.PROBE) == 5
    assert logs == []


async def test_at_the_end_each_that_shares_is_told(peer: MakePeer) -> None:
    clients = [peer(), peer()]
    async with busy(peer) as (server, _, _own):
        for client in clients:
            await client.ask(server, NBP)
    for client in clients:
        assert (await client.receive())[0] == Error(0, "the server is stopping")
