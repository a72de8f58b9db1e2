"""Who is let in by the TFTP server, on loopback sockets: strangers, repetitions, restarts, limits."""

import asyncio
from collections.abc import Iterator
from ipaddress import IPv4Address

import pytest
from structlog.testing import capture_logs
from support.tftp_peer import FILE, FILES, MakePeer, peers, serving

from iluvatar_pxe.assets.source import BytesSource, Source
from iluvatar_pxe.wire.tftp import Ack, Data, Error, OptionAck, ReadRequest
from iluvatar_pxe.wire.tftp_transfer import Outcome


@pytest.fixture
def peer() -> Iterator[MakePeer]:
    with peers() as make:
        yield make


async def test_a_strange_peer_gets_error_5_and_disturbs_nothing(peer: MakePeer) -> None:
    client, stranger = peer(), peer()
    async with serving() as (server, reports):
        data, tid = await client.ask(server, ReadRequest("nbp", "octet"))
        for nuisance in (Ack(1), Data(1, b"x"), b"junk", ReadRequest("nbp", "octet")):
            stranger.send(nuisance, tid)
            assert await stranger.receive() == (Error(5, "unknown transfer"), tid)
        stranger.send(Error(0, "die"), tid)
        assert await client.finish(data, tid) == FILE
        assert (await reports.next()).outcome is Outcome.DONE
        stranger.assert_silent()


async def test_a_retransmitted_request_starts_no_second_transfer(peer: MakePeer) -> None:
    client = peer()
    async with serving() as (server, reports):
        request = ReadRequest("nbp", "octet")
        for _ in range(3):
            client.send(request, server.listening[0])
        data, tid = await client.receive()
        client.send(request, server.listening[0])
        assert await client.finish(data, tid) == FILE
        assert (await reports.next()).outcome is Outcome.DONE
        client.assert_silent()
    assert reports.empty()


async def test_a_retransmitted_request_while_the_file_is_opened_starts_no_second_transfer(
    peer: MakePeer,
) -> None:
    client, other, calls, go = peer(), peer(), asyncio.Queue[str](), asyncio.Event()

    async def find(name: str, _client: IPv4Address) -> Source | None:
        calls.put_nowait(name)
        await go.wait()
        return BytesSource(FILES[name])

    async with serving(find) as (server, _):
        for _ in range(3):
            client.send(ReadRequest("nbp", "octet"), server.listening[0])
        other.send(ReadRequest("other", "octet"), server.listening[0])
        assert [await calls.get(), await calls.get()] == ["nbp", "other"]
        go.set()
        assert await client.finish(*await client.receive()) == FILE
    assert calls.empty()


async def test_a_last_ack_and_the_next_request_from_the_same_port_arrive_together(peer: MakePeer) -> None:
    client = peer()
    async with serving() as (server, reports):
        listener = server.listening[0]
        for _ in range(30):
            data, tid = await client.ask(server, ReadRequest("other", "octet"))
            assert data == Data(1, b"other")
            # On the same wake-up of the loop the listener's datagram may be seen before the last ACK.
            client.send(ReadRequest("other", "octet"), listener)
            client.send(Ack(1), tid)
            data, tid = await client.receive()
            assert data == Data(1, b"other")
            client.send(Ack(1), tid)
            assert [(await reports.next()).outcome for _ in range(2)] == [Outcome.DONE] * 2


async def test_another_request_from_the_same_port_ends_the_transfer_silently(peer: MakePeer) -> None:
    client = peer()
    async with serving() as (server, reports):
        _, tid = await client.ask(server, ReadRequest("nbp", "octet"))
        client.send(Ack(1), tid)
        assert (await client.data()).block == 2
        assert await client.fetch(server, "other") == b"other"
        ended = {(report.filename, report.outcome) for report in [await reports.next() for _ in range(2)]}
        assert ended == {("nbp", Outcome.ABORTED), ("other", Outcome.DONE)}
        client.assert_silent()


async def test_a_client_that_restarts_in_the_middle_is_served_anew(peer: MakePeer) -> None:
    """A boot ROM that was power-cycled uses the same port again, and asks for the same file."""
    client = peer()
    async with serving() as (server, reports):
        request = ReadRequest("nbp", "octet", (("timeout", "1"),))
        _, old = await client.ask(server, request)
        client.send(Ack(0), old)
        await client.receive()
        client.send(Ack(1), old)
        assert [(await client.data()).block for _ in range(2)] == [2, 2]  # silence, then a repetition
        oack, new = await client.ask(server, request)
        assert oack == OptionAck((("timeout", "1"),))
        assert new != old
        assert (await reports.next()).outcome is Outcome.ABORTED
        assert await client.finish(oack, new) == FILE


async def test_a_silent_peer_hears_the_block_again(peer: MakePeer) -> None:
    client = peer()
    async with serving() as (server, reports):
        first, tid = await client.ask(server, ReadRequest("nbp", "octet"))
        assert await client.receive() == (first, tid)
        client.send(Ack(1), tid)
        second = await client.data()
        session = server._sessions[client.name]
        assert session._timer is not None
        assert session._transfer is not None
        assert session._timer.when() == session._transfer.deadline()  # short again, not the doubled wait
        assert await client.finish(second, tid) == FILE[512:]
        assert (await reports.next()).outcome is Outcome.DONE


async def test_a_lying_peer_gets_nothing_out_of_it(peer: MakePeer) -> None:
    client = peer()
    async with serving() as (server, reports):
        data, tid = await client.ask(server, ReadRequest("nbp", "octet"))
        for lie in (
            Ack(2),
            Ack(65535),
            Ack(0),
            Data(1, b""),
            OptionAck(()),
            b"",
            b"\0\4",
            b"\0",
            bytes(5000),
        ):
            client.send(lie, tid)
        assert await client.finish(data, tid) == FILE
        report = await reports.next()
    assert (report.outcome, report.bytes) == (Outcome.DONE, 3000)


async def test_transfers_use_the_port_range_and_skip_what_is_taken(peer: MakePeer) -> None:
    taken = peer()
    first = taken.name[1]
    free = (first, min(first + 4, 65535))
    clients = [peer() for _ in range(3)]
    async with serving(port_range=free) as (server, _):
        tids = [(await client.ask(server, ReadRequest("nbp", "octet")))[1][1] for client in clients]
    assert len(set(tids)) == 3
    assert first not in tids
    assert all(first < port <= first + 4 for port in tids)


async def test_without_a_free_port_requests_are_dropped_until_one_is_free(peer: MakePeer) -> None:
    place = peer()
    port = place.name[1]
    place.socket.close()
    client, late = peer(), peer()
    with capture_logs() as logs:
        async with serving(port_range=(port, port)) as (server, reports):
            data, tid = await client.ask(server, ReadRequest("nbp", "octet"))
            assert tid == ("127.0.0.1", port)
            late.send(ReadRequest("nbp", "octet"), server.listening[0])
            assert await client.finish(data, tid) == FILE
            await reports.next()
            late.assert_silent()
            assert await late.fetch(server, "nbp") == FILE
    assert [(log["event"], log["reason"]) for log in logs] == [
        ("tftp.dropped", "no port is free for another transfer")
    ]


async def test_beyond_the_maximum_requests_are_dropped_with_one_line(peer: MakePeer) -> None:
    clients, late = [peer() for _ in range(2)], peer()
    with capture_logs() as logs:
        async with serving(max_transfers=2) as (server, reports):
            begun = [await client.ask(server, ReadRequest("nbp", "octet")) for client in clients]
            for _ in range(5):
                late.send(ReadRequest("nbp", "octet"), server.listening[0])
            assert await clients[0].finish(*begun[0]) == FILE
            await reports.next()
            late.assert_silent()
            assert await late.fetch(server, "nbp") == FILE
            assert await clients[1].finish(*begun[1]) == FILE
    assert [(log["event"], log["reason"]) for log in logs] == [("tftp.dropped", "2 transfers are running")]
