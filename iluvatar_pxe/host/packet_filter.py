"""Filters for packet sockets: the kernel keeps away what nobody would read (its classic packet filter, bpf(4))."""

import socket
import struct
from array import array
from collections.abc import Sequence
from enum import IntEnum

_SO_ATTACH_FILTER = 26
_END = 0x06
_ALL, _NOTHING = 0xFFFF, 0


class Do(IntEnum):
    """What a step does (linux/bpf_common.h) with the registers A and X, and with the step's number."""

    LOAD = 0x20
    """A is the four octets of the packet there."""
    LOAD_HALF = 0x28
    """A is the two octets there."""
    LOAD_BYTE = 0x30
    LOAD_AFTER_X = 0x40
    """A is the four octets there, counted from X on."""
    LOAD_HALF_AFTER_X = 0x48
    LOAD_BYTE_AFTER_X = 0x50
    HEADER_LENGTH = 0xB1
    """X is the length of the IPv4 header that begins there."""
    MOVE_TO_X = 0x07
    """X is A."""
    EQUAL = 0x15
    """Goes on if A is the number."""
    EQUAL_X = 0x1D
    """Goes on if A is X."""


Step = tuple[Do, int]
_COMPARISONS = {Do.EQUAL, Do.EQUAL_X}


def attach_filter(sock: socket.socket, steps: Sequence[Step]) -> None:
    """Let a socket get only packets for which every comparison holds, from now on; raises OSError."""
    program = [
        struct.pack("=HBBI", do, 0, len(steps) - index if do in _COMPARISONS else 0, number)
        for index, (do, number) in enumerate(steps)
    ]
    program += [struct.pack("=HBBI", _END, 0, 0, length) for length in (_ALL, _NOTHING)]
    code = array("B", b"".join(program))
    address, _ = code.buffer_info()
    sock.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, struct.pack("HP", len(program), address))
