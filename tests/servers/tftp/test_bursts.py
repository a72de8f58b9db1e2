"""Windows that go out as one burst: what is lost of them is sent again, and then no more in bursts."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.tftp_peer import FILE, MakePeer, Name, Peer, peers, serving

from iluvatar_pxe.assets.opening import ListedFile
from iluvatar_pxe.assets.source import BytesSource, FileSource, fill_from_memory
from iluvatar_pxe.host.udp import UdpSocket
from iluvatar_pxe.wire.tftp.packet import Ack, OptionAck, ReadRequest
from iluvatar_pxe.wire.tftp.transfer import Outcome

WINDOW = (("blksize", "100"), ("windowsize", "8"))


@pytest.fixture
def peer() -> Iterator[MakePeer]:
    with peers() as make:
        yield make


@pytest.fixture
def bursts(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The datagrams of each of the bursts that are sent from now on."""
    lengths: list[int] = []
    send_burst = UdpSocket.send_burst

    def counted(udp: UdpSocket, octets: bytes, size: int, to: Name, *, heard: bool = False) -> bool:
        lengths.append(-(-len(octets) // size))
        return send_burst(udp, octets, size, to, heard=heard)

    monkeypatch.setattr(UdpSocket, "send_burst", counted)
    return lengths


async def blocks(client: Peer, count: int) -> list[int]:
    return [(await client.data()).block for _ in range(count)]


async def test_a_window_is_one_burst_of_separate_datagrams(peer: MakePeer, bursts: list[int]) -> None:
    client, got = peer(), bytearray()
    async with serving() as (server, reports):
        answer, tid = await client.ask(server, ReadRequest("nbp", "octet", WINDOW))
        assert answer == OptionAck(WINDOW)
        for base in range(0, 32, 8):
            client.send(Ack(base), tid)
            window = [await client.data() for _ in range(min(8, 31 - base))]
            assert [data.block for data in window] == list(range(base + 1, min(base + 8, 31) + 1))
            got += b"".join(data.payload for data in window)
        client.send(Ack(31), tid)
        assert (await reports.next()).outcome is Outcome.DONE
    assert (bytes(got), bursts) == (FILE, [8, 8, 8, 7])


async def test_an_ack_of_the_middle_brings_what_follows_and_ends_the_bursts(
    peer: MakePeer, bursts: list[int]
) -> None:
    client = peer()
    async with serving() as (server, reports):
        _, tid = await client.ask(server, ReadRequest("nbp", "octet", WINDOW))
        client.send(Ack(0), tid)
        assert await blocks(client, 8) == list(range(1, 9))
        client.send(Ack(3), tid)  # the fourth was lost
        assert await blocks(client, 8) == list(range(4, 12))
        for base in (11, 19, 27):
            client.send(Ack(base), tid)
            count = min(8, 31 - base)
            assert await blocks(client, count) == list(range(base + 1, base + 1 + count))
        client.send(Ack(31), tid)
        assert (await reports.next()).outcome is Outcome.DONE
        client.assert_silent()
    assert bursts == [8]


async def test_what_is_in_memory_is_read_at_once_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(FILE)
    source = await FileSource.open(ListedFile(path))
    places = [memoryview(bytearray(size)) for size in (500, 1500)]
    assert source.fill(1000, places)
    assert b"".join(places) == FILE[1000:]
    assert not source.fill(1001, places), "the file ends before"
    path.write_bytes(FILE[:2000])
    assert not source.fill(0, places[:1]), "another file by now: read() says why"
    await source.close()
    assert not source.fill(0, places[:1])
    assert BytesSource(FILE).fill(900, places)
    assert b"".join(places) == FILE[900:2900]


def test_a_file_system_that_cannot_tell_has_nothing_in_memory() -> None:
    with open("/proc/self/status", "rb", buffering=0) as file:  # noqa: PTH123 - a FileIO is wanted
        assert not fill_from_memory(file, 0, [memoryview(bytearray(10))])


async def test_a_client_that_vanishes_in_the_middle_is_sent_the_window_again_without_bursts(
    peer: MakePeer, bursts: list[int]
) -> None:
    client = peer()
    async with serving() as (server, _):
        _, tid = await client.ask(server, ReadRequest("nbp", "octet", WINDOW))
        client.send(Ack(0), tid)
        client.send(Ack(8), tid)
        assert await blocks(client, 16) == list(range(1, 17))
        assert await blocks(client, 8) == list(range(9, 17)), "after the deadline"
    assert bursts == [8, 8]
