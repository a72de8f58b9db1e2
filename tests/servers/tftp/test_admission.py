"""Who is let in by the TFTP server, on loopback sockets: strangers, repetitions, restarts, limits."""

import asyncio
from collections.abc import Iterator
from ipaddress import IPv4Address

import pytest
from structlog.testing import capture_logs
from support.tftp_peer import FILE, FILES, MakePeer, Peer, peers, serving

from iluvatar_pxe.assets.source import BytesSource, Source
from iluvatar_pxe.servers.tftp.server import TftpServer
from iluvatar_pxe.wire.tftp.packet import Ack, Data, Error, ErrorCode, OptionAck, ReadRequest, WriteRequest
from iluvatar_pxe.wire.tftp.transfer import Outcome


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

    async def find(name: str, _client: IPv4Address, _server: IPv4Address) -> Source | None:
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


async def test_a_transfer_that_ended_leaves_its_successor_known(peer: MakePeer) -> None:
    """Otherwise a retransmitted request would start a second transfer to the same port."""
    client, request = peer(), ReadRequest("other", "octet")
    async with serving() as (server, reports):
        await client.ask(server, ReadRequest("nbp", "octet"))
        data, tid = await client.ask(server, request)
        assert (await reports.next()).outcome is Outcome.ABORTED
        client.send(request, server.listening[0])
        await peer().ask(server, WriteRequest("nbp", "octet"))  # when it is answered, the request was read
        assert await client.finish(data, tid) == b"other"
        assert (await reports.next()).outcome is Outcome.DONE
        client.assert_silent()
    assert reports.empty()


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
            begun = [await begin(client, server) for client in clients]
            for _ in range(5):
                late.send(ReadRequest("nbp", "octet"), server.listening[0])
            assert await clients[0].finish(*begun[0]) == FILE[512:]
            await reports.next()
            late.assert_silent()
            assert await late.fetch(server, "nbp") == FILE
            assert await clients[1].finish(*begun[1]) == FILE[512:]
    assert [(log["event"], log["reason"]) for log in logs] == [("tftp.dropped", "2 transfers are running")]


async def begin(client: Peer, server: TftpServer) -> tuple[Data, tuple[str, int]]:
    """Acknowledge the first block; return the second."""
    _, tid = await client.ask(server, ReadRequest("nbp", "octet"))
    client.send(Ack(1), tid)
    return await client.data(), tid


async def test_a_new_request_takes_the_place_of_the_oldest_that_never_had_an_ack(peer: MakePeer) -> None:
    busy, first, second, late = (peer() for _ in range(4))
    with capture_logs() as logs:
        async with serving(max_transfers=3) as (server, reports):
            begun = await begin(busy, server)
            patient = ReadRequest("nbp", "octet", (("timeout", "255"),))
            _, first_tid = await first.ask(server, patient)
            oack, second_tid = await second.ask(server, patient)
            assert await late.fetch(server, "nbp") == FILE
            assert await second.finish(oack, second_tid) == FILE
            assert await busy.finish(*begun) == FILE[512:]
            first.send(Ack(0), first_tid)
            assert {(await reports.next()).client for _ in range(3)} == {late.name, second.name, busy.name}
            first.assert_silent()
            assert await first.fetch(server, "nbp", ("timeout", "255")) == FILE
            assert (await reports.next()).outcome is Outcome.DONE
            assert reports.empty()
    reason = "3 transfers are running, and this one never had an ACK"
    assert [(log["event"], log["peer"], log["reason"]) for log in logs] == [
        ("tftp.evicted", first.name, reason)
    ]


async def test_an_ack_that_has_arrived_protects_although_nobody_has_read_it(peer: MakePeer) -> None:
    client, late = peer(), peer()
    async with serving(max_transfers=1) as (server, _):
        data, tid = await client.ask(server, ReadRequest("nbp", "octet"))
        late.send(ReadRequest("nbp", "octet"), server.listening[0])
        assert await client.finish(data, tid) == FILE
        late.assert_silent()


async def test_one_that_its_client_has_just_ended_makes_room(peer: MakePeer) -> None:
    """Firmware asks for the size, ends that by an ERROR, and asks for the file at once."""
    probe, late = peer(), peer()
    with capture_logs() as logs:
        async with serving(max_transfers=1) as (server, reports):
            _, tid = await probe.ask(server, ReadRequest("nbp", "octet", (("tsize", "0"),)))
            late.send(ReadRequest("nbp", "octet"), server.listening[0])
            probe.send(Error(ErrorCode.NOT_DEFINED, "Early terminate"), tid)
            assert await late.finish(*await late.receive()) == FILE
            assert {(await reports.next()).outcome for _ in range(2)} == {Outcome.PROBE, Outcome.DONE}
    assert logs == []


async def test_a_transfer_whose_file_is_not_yet_open_is_not_evicted(peer: MakePeer) -> None:
    client, late, calls, go = peer(), peer(), asyncio.Queue[str](), asyncio.Event()

    async def find(name: str, _client: IPv4Address, _server: IPv4Address) -> Source | None:
        calls.put_nowait(name)
        await go.wait()
        return BytesSource(FILES[name])

    with capture_logs() as logs:
        async with serving(find, max_transfers=1) as (server, _):
            client.send(ReadRequest("nbp", "octet"), server.listening[0])
            await calls.get()
            late.send(WriteRequest("nbp", "octet"), server.listening[0])
            late.send(ReadRequest("nbp", "octet"), server.listening[0])
            assert isinstance((await late.receive())[0], Error)
            go.set()
            assert await client.finish(*await client.receive()) == FILE
    assert [log["event"] for log in logs] == ["tftp.refused", "tftp.dropped"]


async def test_one_address_holds_32_transfers_and_others_are_served(peer: MakePeer) -> None:
    hog = [peer(address="127.0.0.66") for _ in range(100)]
    patient = ReadRequest("nbp", "octet", (("timeout", "255"),))
    with capture_logs() as logs:
        async with serving(max_transfers=40) as (server, reports):
            for client in hog:
                await client.ask(server, patient)
            assert sum(not session.evicted for session in server._tasks) == 32
            assert set(server._sessions) == {client.name for client in hog[-32:]}
            assert await peer().fetch(server, "nbp") == FILE
            assert (await reports.next()).outcome is Outcome.DONE
            assert reports.empty()
    assert [(log["event"], log["peer"]) for log in logs] == [("tftp.evicted", hog[0].name)]


async def test_one_address_with_32_transfers_that_go_on_gets_no_other(peer: MakePeer) -> None:
    busy, other = [peer(address="127.0.0.66") for _ in range(32)], peer()
    late = peer(address="127.0.0.66")
    with capture_logs() as logs:
        async with serving() as (server, _):
            begun = [await begin(client, server) for client in busy]
            late.send(ReadRequest("nbp", "octet"), server.listening[0])
            assert await other.fetch(server, "nbp") == FILE
            late.assert_silent()
            assert await busy[0].finish(*begun[0]) == FILE[512:]
    assert [(log["event"], log["reason"]) for log in logs] == [
        ("tftp.dropped", "32 transfers of 127.0.0.66 are running")
    ]


async def test_one_nic_with_many_addresses_holds_32_transfers(peer: MakePeer) -> None:
    hog = [peer(address=f"127.0.1.{number}") for number in range(1, 41)]
    nic = {IPv4Address(client.name[0]): "02:00:00:00:00:66" for client in hog}
    with capture_logs() as logs:
        async with serving(mac_of=nic.get, max_transfers=40) as (server, _):
            begun = [await begin(client, server) for client in hog[:32]]
            for client in hog[32:]:
                client.send(ReadRequest("nbp", "octet"), server.listening[0])
            assert await peer().fetch(server, "nbp") == FILE
            assert await hog[0].finish(*begun[0]) == FILE[512:]
    assert [(log["event"], log["reason"]) for log in logs] == [
        ("tftp.dropped", "32 transfers of 02:00:00:00:00:66 are running")
    ]


async def test_a_port_that_is_held_without_an_ack_is_given_to_the_next(peer: MakePeer) -> None:
    place = peer()
    port = place.name[1]
    place.socket.close()
    silent, late = peer(), peer()
    with capture_logs() as logs:
        async with serving(port_range=(port, port)) as (server, _):
            await silent.ask(server, ReadRequest("nbp", "octet"))
            assert await late.fetch(server, "nbp") == FILE
            silent.assert_silent()
    assert [log["event"] for log in logs] == ["tftp.evicted"]
