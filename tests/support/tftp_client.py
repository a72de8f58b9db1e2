"""A TFTP client of which the test makes every move."""

import socket
from typing import Self

from support.waiting import PATIENCE

from iluvatar_pxe.wire.tftp.packet import Ack, Data, Error, Packet, ReadRequest, decode, encode

BLOCK = 512


class TftpClient:
    """One transfer without options."""

    def __init__(self, port: int, name: str, server: str = "127.0.0.1") -> None:
        self._socket = socket.socket(type=socket.SOCK_DGRAM)
        self._socket.settimeout(PATIENCE)
        self._peer = (server, port)
        self.received = b""
        self._send(ReadRequest(name, "octet"))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def receive(self) -> Data | Error:
        """Wait for the next packet that is data or an error, and keep its data."""
        while True:
            octets, self._peer = self._socket.recvfrom(65535)
            packet = decode(octets)
            if isinstance(packet, Error):
                return packet
            if isinstance(packet, Data):
                if packet.block == (len(self.received) // BLOCK + 1) & 0xFFFF:
                    self.received += packet.payload
                return packet

    def acknowledge(self, packet: Data) -> None:
        self._send(Ack(packet.block))

    def finish(self, packet: Data) -> bytes:
        """Take the rest of the file; ``packet`` is the last that was received."""
        while len(packet.payload) == BLOCK:
            self.acknowledge(packet)
            following = self.receive()
            assert isinstance(following, Data), following
            packet = following
        self.acknowledge(packet)
        return self.received

    def _send(self, packet: Packet) -> None:
        self._socket.sendto(encode(packet), self._peer)
