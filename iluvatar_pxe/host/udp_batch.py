"""Many datagrams a system call: recvmmsg(2) and sendmmsg(2), for which Python has no functions."""

import ctypes
import socket
import struct
import sys
from collections.abc import Callable
from typing import Literal

from iluvatar_pxe.host.udp import Peer

PLACE = 1504
"""Octets for a datagram; the rest of a longer one is cut off. By powers of two, all would begin in the same cache lines."""
_NAME = 16
"""Octets of a sockaddr_in(3type): 2 of the family, 2 of the port, 4 of the address."""
_DO_NOT_WAIT = int(socket.MSG_DONTWAIT)
"""A plain number: to put two flags of an enumeration together takes longer than to answer a query."""

_libc = ctypes.PyDLL(
    None
)  # keeps Python's lock: neither call blocks, and a thread would not give it back so soon
_receive, _send = _libc.recvmmsg, _libc.sendmmsg
_receive.argtypes = (ctypes.c_int, ctypes.c_void_p, ctypes.c_uint, ctypes.c_int, ctypes.c_void_p)
_send.argtypes = (ctypes.c_int, ctypes.c_void_p, ctypes.c_uint, ctypes.c_int)


class _Part(ctypes.Structure):
    """iovec(3type)."""

    _fields_ = (("base", ctypes.c_void_p), ("size", ctypes.c_size_t))


class _Header(ctypes.Structure):
    """msghdr, of recvmsg(2)."""

    _fields_ = (
        ("name", ctypes.c_void_p),
        ("name_size", ctypes.c_uint32),
        ("parts", ctypes.c_void_p),
        ("part_count", ctypes.c_size_t),
        ("control", ctypes.c_void_p),
        ("control_size", ctypes.c_size_t),
        ("flags", ctypes.c_int),
    )


class _Message(ctypes.Structure):
    """mmsghdr, of recvmmsg(2)."""

    _fields_ = (("header", _Header), ("length", ctypes.c_uint))


class UdpBatch:
    """Datagrams of a non-blocking IPv4 socket, of which each can be answered in the place where it lies."""

    def __init__(self, sock: socket.socket, most: int) -> None:
        """``most`` datagrams are received at once."""
        self._socket = sock
        self._most = most
        octets, names = bytearray(most * PLACE), bytearray(most * _NAME)
        self.octets = memoryview(octets)
        """``PLACE`` of each datagram."""
        self._names = memoryview(names)
        self.clients = self._names.cast("I")[1 :: _NAME // 4]
        """The senders' addresses, as numbers that are good for comparing."""
        self.senders = self._names.cast("Q")[:: _NAME // 8]
        """The senders' addresses with their ports, as such numbers too: see ``number_of``."""
        self._received, self._received_parts = _messages(octets, names, most)
        self._sent, self._sent_parts = _messages(octets, names, most)
        self._lengths = _numbers(self._received, _Message.length.offset, "I")
        self.sizes = _numbers(self._sent_parts, _Part.size.offset, "L")
        """Octets of each answer."""

    def receive(self) -> list[int]:
        """Take in what has come, in place of what lay here before; return how many octets each datagram has."""
        count = _receive(
            self._socket.fileno(), ctypes.addressof(self._received), self._most, _DO_NOT_WAIT, None
        )
        return self._lengths[:count].tolist() if count > 0 else []

    def sender(self, number: int) -> Peer:
        """Return who sent a datagram; they count from 0."""
        name = self._names[number * _NAME : (number + 1) * _NAME]
        return socket.inet_ntoa(name[4:8]), int.from_bytes(name[2:4])

    def send(
        self, start: int, end: int, flags: int = 0, on_refused: Callable[[int], None] = lambda _number: None
    ) -> int:
        """Send the answers of ``range(start, end)`` to the senders; return the octets of those that the kernel took.

        ``on_refused`` is called for each of the others, which is else lost, as on the wire.
        """
        octets = 0
        while start < end:
            place = ctypes.addressof(self._sent) + start * ctypes.sizeof(_Message)
            count = _send(self._socket.fileno(), place, end - start, _DO_NOT_WAIT | int(flags))
            if count <= 0:
                on_refused(start)
            octets += sum(self.sizes[start : start + max(count, 0)])
            start += max(count, 1)
        return octets


def number_of(peer: Peer) -> int:
    """Return a peer as ``UdpBatch.senders`` has it."""
    address, port = peer
    name = struct.pack("=H", socket.AF_INET) + port.to_bytes(2) + socket.inet_aton(address)
    return int.from_bytes(name, sys.byteorder)


def _messages(
    octets: bytearray, names: bytearray, most: int
) -> tuple["ctypes.Array[_Message]", "ctypes.Array[_Part]"]:
    """Return the messages whose octets and addresses lie there, and the parts that they refer to."""
    base, name = _address_of(octets), _address_of(names)
    parts = (_Part * most)(*(_Part(base + number * PLACE, PLACE) for number in range(most)))
    first = ctypes.addressof(parts)
    headers = (
        _Header(name + number * _NAME, _NAME, first + number * ctypes.sizeof(_Part), 1)
        for number in range(most)
    )
    return (_Message * most)(*(_Message(header) for header in headers)), parts


def _address_of(octets: bytearray) -> int:
    return ctypes.addressof(ctypes.c_char.from_buffer(octets))


def _numbers(
    array: "ctypes.Array[_Message] | ctypes.Array[_Part]", offset: int, code: Literal["I", "L"]
) -> memoryview:
    """Return one field of all these, to be read and written; ``code`` is the type of numbers as struct names it."""
    numbers = memoryview(array).cast("B").cast(code)
    return numbers[offset // numbers.itemsize :: ctypes.sizeof(array) // len(array) // numbers.itemsize]
