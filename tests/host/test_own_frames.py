"""Which DHCP messages came in a frame of the NIC that they name: real frames on loopback, whose MAC is all zeros."""

import asyncio
import os
import socket
from collections.abc import Callable
from contextlib import closing

import pytest
from support.firmware_dhcp import broadcasting, frame_of
from support.rights import without_root

from iluvatar_pxe.host.own_frames import FRESH_SECONDS, MOST_FRAMES, OwnFrames

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: packet sockets")

OWN_MAC = bytes(6)
DHCP_PORT = 67
STORM = 2 * MOST_FRAMES
HEADER = b"\1\1\6\0" + bytes(24)


def message(chaddr: bytes = OWN_MAC, tail: bytes = b"options") -> bytes:
    return HEADER + chaddr + bytes(10) + tail


def nobody(_mac: str) -> bool:
    return False


def heard(*sent: bytes, ask: Callable[[OwnFrames, bytes], bool] = OwnFrames.take) -> list[bool]:
    """Send messages over loopback, and return what is said of each when the UDP socket hands it over."""

    async def run() -> list[bool]:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
            server.bind(("127.0.0.1", 0))
            frames = OwnFrames("lo", server.getsockname()[1], 1 << 16, nobody)
            try:
                found = []
                for data in sent:
                    server.sendto(data, server.getsockname())
                    assert server.recv(4096) == data
                    found.append(ask(frames, data))
                return found
            finally:
                frames.close()

    return asyncio.run(run())


@needs_root
def test_a_message_in_a_frame_of_the_nic_that_it_names() -> None:
    assert heard(message(), message(tail=b"x" * 1200)) == [True, True]


@needs_root
def test_every_octet_of_the_mac_counts() -> None:
    others = [bytes(place) + b"\2" + bytes(5 - place) for place in range(6)]
    assert heard(*(message(mac) for mac in others)) == [False] * 6


@needs_root
def test_a_frame_speaks_for_its_own_message_only() -> None:
    forged = message(b"\2\0\0\0\0\1")
    assert heard(message(), forged, message()) == [True, False, True]


@needs_root
@pytest.mark.parametrize("sent", [b"", b"short", HEADER], ids=["empty", "short", "without a MAC"])
def test_what_is_no_dhcp_message_is_of_nobody(sent: bytes) -> None:
    assert heard(sent) == [False]


@needs_root
def test_another_port_is_not_heard() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", 0))

        def elsewhere(frames: OwnFrames, _data: bytes) -> bool:
            other.sendto(message(tail=b"elsewhere"), other.getsockname())
            return frames.take(message(tail=b"elsewhere"))

        assert heard(message(), ask=elsewhere) == [False]


@needs_root
def test_a_frame_of_some_time_ago_speaks_for_nothing_any_more() -> None:
    """Who repeats what a machine sent hours ago is not that machine."""
    now = 0.0

    async def run() -> list[bool]:
        nonlocal now
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
            server.bind(("127.0.0.1", 0))
            frames = OwnFrames("lo", server.getsockname()[1], 1 << 16, nobody, lambda: now)
            server.sendto(message(), server.getsockname())
            server.sendto(message(), server.getsockname())
            assert not frames.take(b"another")  # but the frames are read now
            now = FRESH_SECONDS
            in_time = frames.take(message())
            now += 0.1
            late = frames.take(message())
            frames.close()
            return [in_time, late]

    assert asyncio.run(run()) == [True, False]


@needs_root
def test_each_frame_speaks_for_one_datagram() -> None:
    def thrice(frames: OwnFrames, data: bytes) -> bool:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as again:
            again.sendto(data, ("127.0.0.1", frames.port))
        return [frames.take(data) for _ in range(3)] == [True, True, False]

    assert heard(message(), ask=thrice) == [True]


@needs_root
@pytest.mark.parametrize("place", [0, STORM], ids=["before the storm", "behind it"])
def test_a_storm_of_own_frames_does_not_drive_out_that_of_a_known_machine(place: int) -> None:
    """Each frame comes from the MAC that its message names."""
    known = b"\x52" + bytes(5)
    macs = [b"\2" + number.to_bytes(5) for number in range(STORM)]
    macs.insert(place, known)

    async def run() -> list[bool]:
        frames = OwnFrames("lo", DHCP_PORT, 4 << 20, lambda mac: mac == known.hex(":"))
        with closing(frames), broadcasting("lo") as sock:
            for mac in macs:
                sock.send(frame_of(sock, message(mac), mac))
            if not place:  # the reader has its turns
                for _ in range(STORM // MOST_FRAMES + 1):
                    frames.take(b"another")
            return [frames.take(message(known)) for _ in range(2)]

    assert asyncio.run(run()) == [True, False]


@needs_root
def test_without_the_right_to_it_the_failure_is_an_oserror() -> None:
    async def run() -> None:
        OwnFrames("lo", 67, 1 << 16, nobody)

    with without_root(), pytest.raises(OSError, match="not permitted"):
        asyncio.run(run())
