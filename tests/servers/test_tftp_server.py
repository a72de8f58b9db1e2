"""The TFTP server on loopback sockets: admission, strangers, odd peers and the orderly stop."""

import asyncio
import errno
import os
import socket
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from iluvatar_pxe.assets.source import BytesSource, FileSource, Source
from iluvatar_pxe.errors import AssetError, ServerError
from iluvatar_pxe.servers import tftp_session
from iluvatar_pxe.servers.tftp import TftpServer, TransferReport
from iluvatar_pxe.servers.tftp_session import OpenFile
from iluvatar_pxe.settings import TftpSettings
from iluvatar_pxe.wire.tftp import (
    Ack,
    Data,
    Error,
    OptionAck,
    Packet,
    ReadRequest,
    WriteRequest,
    decode,
    encode,
)
from iluvatar_pxe.wire.tftp_transfer import Outcome

ONE = IPv4Address("127.0.0.1")
TWO = IPv4Address("127.0.0.2")
FILE = bytes(i % 251 for i in range(3000))
FILES = {"nbp": FILE, "other": b"other", "text": b"one\ntwo\r\n", "huge": bytes(16 * 1024 * 1024 + 1)}
Name = tuple[str, int]
Calls = asyncio.Queue[str]
PATIENCE = 20
"""Seconds after which a test is broken; nothing waits for so long."""


class Peer:
    """A client's socket; the test makes every move."""

    def __init__(self, address: str = "127.0.0.1", port: int = 0) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self.socket.bind((address, port))
        self.name: Name = self.socket.getsockname()

    def send(self, packet: Packet | bytes, to: Name) -> None:
        self.socket.sendto(packet if isinstance(packet, bytes) else encode(packet), to)

    async def receive(self) -> tuple[Packet, Name]:
        async with asyncio.timeout(PATIENCE):
            data, sender = await asyncio.get_running_loop().sock_recvfrom(self.socket, 65535)
        return decode(data), sender

    async def data(self) -> Data:
        packet, _ = await self.receive()
        assert isinstance(packet, Data)
        return packet

    async def ask(self, server: TftpServer, packet: Packet | bytes) -> tuple[Packet, Name]:
        self.send(packet, server.listening[0])
        return await self.receive()

    async def finish(self, packet: Packet, tid: Name) -> bytes:
        """Take the rest of the file, starting with a packet that has arrived."""
        got = bytearray()
        while not isinstance(packet, Data) or len(packet.payload) == 512:
            if isinstance(packet, Data):
                got += packet.payload
            self.send(Ack(getattr(packet, "block", 0)), tid)
            packet, sender = await self.receive()
            assert sender == tid
        self.send(Ack(packet.block), tid)
        return bytes(got + packet.payload)

    async def fetch(self, server: TftpServer, name: str, *options: tuple[str, str]) -> bytes:
        return await self.finish(*await self.ask(server, ReadRequest(name, "octet", options)))

    def assert_silent(self) -> None:
        with pytest.raises(BlockingIOError):
            self.socket.recv(1)


MakePeer = Callable[..., Peer]


@pytest.fixture
def peer() -> Iterator[MakePeer]:
    made: list[Peer] = []

    def make(**place: Any) -> Peer:
        made.append(Peer(**place))
        return made[-1]

    yield make
    for each in made:
        each.socket.close()


class Reports(asyncio.Queue[TransferReport]):
    async def next(self) -> TransferReport:
        async with asyncio.timeout(PATIENCE):
            return await self.get()


async def open_file(name: str, _client: IPv4Address) -> Source | None:
    return BytesSource(FILES[name]) if name in FILES else None


@asynccontextmanager
async def serving(
    find: OpenFile = open_file,
    *,
    addresses: Sequence[IPv4Address] = (ONE,),
    max_transfers: int = 256,
    **settings: Any,
) -> AsyncIterator[tuple[TftpServer, Reports]]:
    """A running server on ports that the kernel chose, and the queue of its reports."""
    reports = Reports()
    chosen = TftpSettings(**settings).model_copy(update={"port": 0})
    server = TftpServer(chosen, addresses, find, reports.put_nowait, max_transfers=max_transfers)
    server.bind()
    task = asyncio.create_task(server.run())
    try:
        yield server, reports
    finally:
        await server.drain(0)
        await task


async def test_a_file_without_options_and_its_report(peer: MakePeer) -> None:
    client = peer()
    async with serving() as (server, reports):
        assert await client.fetch(server, "nbp") == FILE
        report = await reports.next()
    assert (report.client, report.filename, report.outcome) == (client.name, "nbp", Outcome.DONE)
    assert (report.bytes, report.blksize, report.windowsize) == (3000, 512, 1)
    assert report.reason == "complete"
    assert report.milliseconds >= 0
    client.assert_silent()


async def test_options_are_acknowledged_within_the_settings(peer: MakePeer) -> None:
    client = peer()
    asked = (("tsize", "0"), ("BLKSIZE", "65464"), ("windowsize", "16"), ("unknown", "1"))
    async with serving(max_blksize=1024, max_windowsize=2) as (server, reports):
        oack, tid = await client.ask(server, ReadRequest("nbp", "octet", asked))
        assert oack == OptionAck((("tsize", "3000"), ("blksize", "1024"), ("windowsize", "2")))
        client.send(Ack(0), tid)
        first, second = await client.data(), await client.data()
        client.assert_silent()
        client.send(Ack(2), tid)
        third = await client.data()
        client.send(Ack(3), tid)
        report = await reports.next()
    assert first.payload + second.payload + third.payload == FILE
    assert (report.blksize, report.windowsize, report.outcome) == (1024, 2, Outcome.DONE)


async def test_the_probe_of_uefi_firmware_and_the_request_that_follows(peer: MakePeer) -> None:
    probing, fetching = peer(), peer()
    async with serving() as (server, reports):
        oack, tid = await probing.ask(server, ReadRequest("nbp", "octet", (("tsize", "0"),)))
        assert oack == OptionAck((("tsize", "3000"),))
        probing.send(Error(8, "User aborted the transfer"), tid)
        assert (await reports.next()).outcome is Outcome.PROBE
        assert await fetching.fetch(server, "nbp") == FILE


async def test_answers_come_from_the_address_that_was_asked_and_a_new_port(peer: MakePeer) -> None:
    client = peer(address="127.0.0.3")
    async with serving(addresses=[ONE, TWO]) as (server, reports):
        assert [address for address, _ in server.listening] == ["127.0.0.1", "127.0.0.2"]
        for listener in server.listening:
            client.send(ReadRequest("other", "octet"), listener)
            data, tid = await client.receive()
            assert tid[0] == listener[0]
            assert tid[1] != listener[1]
            assert await client.finish(data, tid) == b"other"
            await reports.next()


async def test_the_name_and_the_address_reach_open_file_as_they_came(peer: MakePeer) -> None:
    asked: list[tuple[str, IPv4Address]] = []

    async def find(name: str, client: IPv4Address) -> None:
        asked.append((name, client))

    client = peer(address="127.0.0.9")
    async with serving(find) as (server, _):
        for raw in (b"../../etc/passwd", b"C:\\f\xe9", b"", b"/a//b "):
            await client.ask(server, b"\0\1" + raw + b"\0octet\0")
    nine = IPv4Address("127.0.0.9")
    assert asked == [(name, nine) for name in ("../../etc/passwd", "C:\\fé", "", "/a//b ")]


async def test_a_missing_file_is_error_1_from_a_new_port(peer: MakePeer) -> None:
    client = peer()
    async with serving() as (server, reports):
        error, tid = await client.ask(server, ReadRequest("bootsig.bin", "octet"))
        assert error == Error(1, "no such file")
        assert tid != server.listening[0]
        report = await reports.next()
        assert (report.filename, report.outcome, report.bytes) == ("bootsig.bin", Outcome.MISSING, 0)
        assert await client.fetch(server, "nbp") == FILE


@pytest.mark.parametrize(
    ("request_", "error"),
    [
        (WriteRequest("nbp", "octet"), Error(2, "this server only sends files")),
        (ReadRequest("nbp", "mail"), Error(4, "the modes are octet and netascii")),
        (ReadRequest("nbp", ""), Error(4, "the modes are octet and netascii")),
    ],
)
async def test_what_this_server_does_not_do_is_refused(
    peer: MakePeer, request_: Packet, error: Error
) -> None:
    client = peer()
    async with serving() as (server, reports):
        assert await client.ask(server, request_) == (error, server.listening[0])
        assert reports.empty()


async def test_malformed_and_unexpected_datagrams_are_one_line_each(peer: MakePeer) -> None:
    client = peer()
    with capture_logs() as logs:
        async with serving() as (server, _):
            for _ in range(20):
                client.send(b"\xff\xff\xff", server.listening[0])
                client.send(b"", server.listening[0])
                client.send(b"\0\1no end", server.listening[0])
                client.send(Ack(1), server.listening[0])
                client.send(Error(5, "x"), server.listening[0])
            assert await client.fetch(server, "nbp") == FILE
            client.assert_silent()
    assert [log["event"] for log in logs] == ["tftp.malformed", "tftp.unexpected"]
    assert logs[0]["reason"] == "TFTP: 3 bytes with opcode 65535, which is none of 1 to 6"


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
    client, other, calls, go = peer(), peer(), Calls(), asyncio.Event()

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


async def test_netascii_converts_and_tells_the_converted_size(peer: MakePeer) -> None:
    client = peer()
    async with serving() as (server, _):
        request = ReadRequest("text", "netascii", (("tsize", "0"),))
        oack, tid = await client.ask(server, request)
        converted = b"one\r\ntwo\r\0\r\n"
        assert oack == OptionAck((("tsize", str(len(converted))),))
        assert await client.finish(oack, tid) == converted


async def test_netascii_of_a_large_file_is_refused(peer: MakePeer) -> None:
    client = peer()
    async with serving() as (server, reports):
        error, _ = await client.ask(server, ReadRequest("huge", "netascii"))
        assert error == Error(0, "mode netascii is for files up to 16777216 bytes; fetch it in mode octet")
        assert (await reports.next()).outcome is Outcome.FAILED


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


@pytest.mark.parametrize(
    ("failure", "message"),
    [
        (AssetError("/x: not a regular file; repair it"), "/x: not a regular file; repair it"),
        (AssetError("x" * 900), "x" * 200),
        (PermissionError(errno.EACCES, "no"), "[Errno 13] no"),
        (ZeroDivisionError("a bug"), "the server has an internal error"),
    ],
)
async def test_a_file_that_cannot_be_opened_is_told_and_stops_nothing(
    peer: MakePeer, failure: Exception, message: str
) -> None:
    async def find(name: str, client: IPv4Address) -> Source | None:
        if name == "bad":
            raise failure
        return await open_file(name, client)

    client = peer()
    with capture_logs() as logs:
        async with serving(find) as (server, reports):
            error, _ = await client.ask(server, ReadRequest("bad", "octet"))
            assert error == Error(0, message)
            report = await reports.next()
            assert (report.outcome, report.reason) == (Outcome.FAILED, message)
            assert await client.fetch(server, "nbp") == FILE
    assert [log["event"] for log in logs] == ["tftp.failed"] * isinstance(failure, ZeroDivisionError)


async def test_a_disk_that_hangs_ends_in_an_error(peer: MakePeer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tftp_session, "_FILE_TIMEOUT", 0.01)

    async def find(_name: str, _client: IPv4Address) -> None:
        await asyncio.Event().wait()

    client = peer()
    async with serving(find) as (server, reports):
        error, _ = await client.ask(server, ReadRequest("nbp", "octet"))
        assert error == Error(0, "the file could not be read within 0.01 s")
        assert (await reports.next()).outcome is Outcome.FAILED


async def test_a_file_that_shrinks_while_it_is_sent(peer: MakePeer, tmp_path: Path) -> None:
    path = tmp_path / "nbp"
    path.write_bytes(bytes(512 * 1000))

    async def find(_name: str, _client: IPv4Address) -> Source | None:
        return await FileSource.open(path)

    client = peer()
    async with serving(find) as (server, reports):
        packet, tid = await client.ask(server, ReadRequest("nbp", "octet"))
        os.truncate(path, 400_000)
        while isinstance(packet, Data):
            client.send(Ack(packet.block), tid)
            packet, _ = await client.receive()
        assert packet == Error(0, "the file became shorter than 512000 bytes while it was sent")
        report = await reports.next()
    assert report.outcome is Outcome.FAILED
    assert 0 < report.bytes < 400_000


async def test_many_clients_at_once_each_get_their_file(peer: MakePeer, tmp_path: Path) -> None:
    for number in range(40):
        (tmp_path / str(number)).write_bytes(os.urandom(20_000 + number))

    async def find(name: str, _client: IPv4Address) -> Source | None:
        return await FileSource.open(tmp_path / name)

    async with serving(find) as (server, reports):
        fetches = [peer().fetch(server, str(number), ("tsize", "0")) for number in range(40)]
        fetched = await asyncio.gather(*fetches)
        ended = [await reports.next() for _ in fetched]
    assert fetched == [(tmp_path / str(number)).read_bytes() for number in range(40)]
    assert {report.outcome for report in ended} == {Outcome.DONE}


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
    server = TftpServer(TftpSettings().model_copy(update={"port": 0}), [ONE], open_file, print)
    server.bind()
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

    async def find(_name: str, _client: IPv4Address) -> None:
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
    server = TftpServer(settings, [ONE], open_file, reports.put_nowait)
    server.bind()
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


async def test_a_listener_that_cannot_be_bound_leaves_none_bound(peer: MakePeer) -> None:
    taken = peer(address="127.0.0.2")
    settings = TftpSettings(port=taken.name[1])
    server = TftpServer(settings, [ONE, TWO], open_file, print)
    with pytest.raises(ServerError, match=r"^UDP 127\.0\.0\.2:\d+ cannot be bound: Address already in use; "):
        await server.run()
    assert server.listening == []
    peer(port=taken.name[1])  # 127.0.0.1 was let go
