"""What the TFTP server answers, on loopback sockets."""

import asyncio
import errno
import os
from collections.abc import Iterator
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from structlog.testing import capture_logs
from support.tftp_peer import FILE, ONE, TWO, MakePeer, open_file, peers, serving

from iluvatar_pxe.assets.opening import ListedFile
from iluvatar_pxe.assets.source import FileSource, Source
from iluvatar_pxe.errors import AssetError
from iluvatar_pxe.servers.tftp import session
from iluvatar_pxe.wire.tftp.packet import Ack, Data, Error, OptionAck, Packet, ReadRequest, WriteRequest
from iluvatar_pxe.wire.tftp.transfer import Outcome


@pytest.fixture
def peer() -> Iterator[MakePeer]:
    with peers() as make:
        yield make


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


async def test_points_30_5_4_the_probe_of_uefi_firmware_and_the_request_that_follows(peer: MakePeer) -> None:
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


async def test_the_name_and_the_addresses_reach_open_file_as_they_came(peer: MakePeer) -> None:
    asked: list[tuple[str, IPv4Address, IPv4Address]] = []

    async def find(name: str, client: IPv4Address, server: IPv4Address) -> None:
        asked.append((name, client, server))

    client = peer(address="127.0.0.9")
    async with serving(find, addresses=[TWO]) as (server, _):
        for raw in (b"../../etc/passwd", b"C:\\f\xe9", b"", b"/a//b "):
            await client.ask(server, b"\0\1" + raw + b"\0octet\0")
    nine = IPv4Address("127.0.0.9")
    assert asked == [(name, nine, TWO) for name in ("../../etc/passwd", "C:\\fé", "", "/a//b ")]


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
        (WriteRequest("nbp", "octet"), Error(2, "this server is read-only")),
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
    async def find(name: str, client: IPv4Address, server: IPv4Address) -> Source | None:
        if name == "bad":
            raise failure
        return await open_file(name, client, server)

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
    monkeypatch.setattr(session, "_FILE_TIMEOUT", 0.01)

    async def find(_name: str, _client: IPv4Address, _server: IPv4Address) -> None:
        await asyncio.Event().wait()

    client = peer()
    async with serving(find) as (server, reports):
        error, _ = await client.ask(server, ReadRequest("nbp", "octet"))
        assert error == Error(0, "the file could not be read within 0.01 s")
        assert (await reports.next()).outcome is Outcome.FAILED


async def test_a_file_that_shrinks_while_it_is_sent(peer: MakePeer, tmp_path: Path) -> None:
    path = tmp_path / "nbp"
    path.write_bytes(bytes(512 * 1000))

    async def find(_name: str, _client: IPv4Address, _server: IPv4Address) -> Source | None:
        return await FileSource.open(ListedFile(path))

    client = peer()
    async with serving(find) as (server, reports):
        packet, tid = await client.ask(server, ReadRequest("nbp", "octet"))
        os.truncate(path, 400_000)
        while isinstance(packet, Data):
            client.send(Ack(packet.block), tid)
            packet, _ = await client.receive()
        assert packet == Error(0, "the file became shorter while it was sent; ask again")
        report = await reports.next()
    assert report.outcome is Outcome.FAILED
    assert 0 < report.bytes < 400_000


async def test_many_clients_at_once_each_get_their_file(peer: MakePeer, tmp_path: Path) -> None:
    for number in range(40):
        (tmp_path / str(number)).write_bytes(os.urandom(20_000 + number))

    async def find(name: str, _client: IPv4Address, _server: IPv4Address) -> Source | None:
        return await FileSource.open(ListedFile(tmp_path / name))

    async with serving(find) as (server, reports):
        clients = [peer(address=f"127.0.0.{100 + number % 4}") for number in range(40)]
        fetches = [client.fetch(server, str(number), ("tsize", "0")) for number, client in enumerate(clients)]
        fetched = await asyncio.gather(*fetches)
        ended = [await reports.next() for _ in fetched]
    assert fetched == [(tmp_path / str(number)).read_bytes() for number in range(40)]
    assert {report.outcome for report in ended} == {Outcome.DONE}
