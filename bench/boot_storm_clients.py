"""Machines that boot at once, for bench/boot_storm.py: by UEFI's PXE, and then by iPXE, each with a card and an address.

Reads ``{"machines": NUMBER, "to": [ADDRESS, PORT]}`` as JSON. Prints for each the seconds from its first DISCOVER until
the first OFFER, and from the start until it has kernel and initramfs. They send what firmware sends, and wait for answers as
long, but the pauses that firmware makes in any case are left out. One socket hears all answers to DISCOVERs, since a
broadcast would else be read by each machine.
"""

import asyncio
import json
import re
import secrets
import socket
import sys
from contextlib import suppress
from ipaddress import IPv4Address
from typing import NamedTuple
from urllib.parse import urlsplit

from support.firmware_dhcp import broadcasting, frame_of, listening
from support.fleets import INITRAMFS, KERNEL

from bench.boot_segment import address_of, card_of, mac_of
from bench.scripts import QUERY
from iluvatar_pxe.simulate.dhcp import messages
from iluvatar_pxe.simulate.machine import Kind, Machine
from iluvatar_pxe.simulate.timings import BOOT_SERVER, IPXE_DISCOVER, UEFI_DISCOVER
from iluvatar_pxe.values import replace
from iluvatar_pxe.wire.dhcp import DhcpMessage, Option, decode, encode
from iluvatar_pxe.wire.pxe import SIMULATED

DEVICE = "machines"
_SO_RCVBUFFORCE = 33
"""asm-generic/socket.h; the module has no name for it."""
_RECEIVE_BUFFER = 16 << 20
_TFTP_SECONDS = 4.0
_CHUNK = 1 << 20
_PXE_PORT, _TFTP_PORT = 4011, 69
_BLOCK = 1468


class Times(NamedTuple):
    """In seconds."""

    offer: float
    kernel: float


class Ether:
    """The segment, as DISCOVERs are sent on it and their answers heard."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._card, self._sock = broadcasting(DEVICE), listening(DEVICE)
        self._sock.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _RECEIVE_BUFFER)
        self._sock.settimeout(0)
        self._waiting: dict[int, asyncio.Future[DhcpMessage]] = {}
        self._loop.add_reader(self._sock, self._hear)

    async def ask(self, message: DhcpMessage, waits: tuple[float, ...]) -> DhcpMessage:
        """Send a message, and again after each wait; return the first answer; exits without one."""
        request = encode(message)
        answer = self._waiting[message.xid] = self._loop.create_future()
        for wait in waits:
            self._card.send(frame_of(self._card, request, message.chaddr))
            with suppress(TimeoutError):
                return await asyncio.wait_for(asyncio.shield(answer), wait)
        sys.exit(f"{message.chaddr.hex(':')}: no answer")

    def _hear(self) -> None:
        with suppress(BlockingIOError):
            while True:
                message = decode(self._sock.recv(4096))
                answer = self._waiting.get(message.xid)
                if answer and not answer.done():
                    answer.set_result(message)


class Client:
    """One machine."""

    def __init__(self, number: int, ether: Ether, server: tuple[str, int]) -> None:
        self._number, self._ether, self._server = number, ether, server
        self._machine = Machine(Kind.UEFI_X64, bytes.fromhex(mac_of(number).replace(":", "")))
        self._loop = asyncio.get_running_loop()

    async def boot(self, started: float) -> Times:
        """Boot; return how long it took."""
        began = self._loop.time()
        await self._ether.ask(self._discover(), UEFI_DISCOVER)
        offer = self._loop.time() - began
        boot_file = await self._boot_server()
        await self._program(boot_file)
        await self._ether.ask(self._ipxe_discover(), IPXE_DISCOVER)
        await self._get("/boot.ipxe")
        script = (await self._get(f"/ipxe?{self._query}")).decode()
        for name in (KERNEL, INITRAMFS):
            found = re.search(rf"\S*{re.escape(name)}", script)
            if not found:
                sys.exit(f"a script without {name}: {script}")
            await self._get(urlsplit(found[0]).path)
        return Times(offer, self._loop.time() - started)

    @property
    def _query(self) -> str:
        query = QUERY.format(mac=mac_of(self._number), uuid=self._machine.uuid, number=self._number)
        return query.replace("(", "%28").replace(")", "%29")

    def _discover(self) -> DhcpMessage:
        return _real(messages.firmware_discover(self._machine, secrets.randbits(32)))

    def _ipxe_discover(self) -> DhcpMessage:
        return _real(messages.ipxe_discover(self._machine, secrets.randbits(32), 0, chained=True))

    def _udp(self, port: int = 0) -> socket.socket:
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, card_of(self._number).encode())
        sock.bind((address_of(self._number), port))
        sock.settimeout(0)
        return sock

    async def _boot_server(self) -> str:
        """Ask port 4011, as EDK2 always does; return the boot file."""
        address = IPv4Address(address_of(self._number))
        request = encode(_real(messages.boot_server_request(self._machine, secrets.randbits(32), address)))
        with self._udp(_PXE_PORT) as sock:
            for wait in BOOT_SERVER:
                sock.sendto(request, (self._server[0], _PXE_PORT))
                with suppress(TimeoutError):
                    answer = decode(await asyncio.wait_for(self._loop.sock_recv(sock, 4096), wait))
                    return (answer.option(Option.BOOT_FILE) or answer.file).rstrip(b"\0").decode()
        sys.exit(f"{address}: no answer from port {_PXE_PORT}")

    async def _program(self, name: str) -> None:
        """Ask for the size of the boot program and break off, then fetch it, as EDK2 does."""
        await self._tftp(name, {"tsize": "0", "blksize": str(_BLOCK), "windowsize": "4"}, only_size=True)
        await self._tftp(name, {"blksize": str(_BLOCK), "windowsize": "4"})

    async def _tftp(self, name: str, options: dict[str, str], *, only_size: bool = False) -> None:
        words = [name, "octet", *(word for pair in options.items() for word in pair)]
        last = b"\0\x01" + b"".join(word.encode() + b"\0" for word in words)
        peer, window, block = (self._server[0], _TFTP_PORT), 1, 0
        with self._udp() as sock:
            while True:
                sock.sendto(last, peer)
                received = 0
                while received < window:
                    try:
                        answer, peer = await asyncio.wait_for(
                            self._loop.sock_recvfrom(sock, 2048), _TFTP_SECONDS
                        )
                    except TimeoutError:
                        break
                    kind, number = int.from_bytes(answer[:2]), int.from_bytes(answer[2:4])
                    if kind == 6:
                        if only_size:
                            sock.sendto(b"\0\x05\0\x08User aborted the transfer\0", peer)
                            return
                        told = answer[2:].lower().split(b"\0")
                        window = int(dict(zip(told[::2], told[1::2], strict=False)).get(b"windowsize", b"1"))
                        break
                    if kind != 3:
                        sys.exit(f"{name}: {answer!r}")
                    if number == block + 1 & 0xFFFF:
                        block, received = number, received + 1
                        if len(answer) < 4 + _BLOCK:
                            sock.sendto(b"\0\x04" + block.to_bytes(2), peer)
                            return
                if peer[1] != _TFTP_PORT:  # else nothing has come: the request is due again
                    last = b"\0\x04" + block.to_bytes(2)

    async def _get(self, path: str) -> bytes:
        """Return what a server answers, of large files only the end; exits where that is not 200."""
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, card_of(self._number).encode())
        sock.settimeout(0)
        with sock:
            await self._loop.sock_connect(sock, self._server)
            host = "{}:{}".format(*self._server)
            await self._loop.sock_sendall(
                sock, f"GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: iPXE/1.21.1\r\n\r\n".encode()
            )
            head, _, body = (await self._loop.sock_recv(sock, _CHUNK)).partition(b"\r\n\r\n")
            if not head.startswith(b"HTTP/1.1 200 "):
                sys.exit(f"{path}: {head.decode()} {body[:200].decode()}")
            left = int(head.lower().partition(b"content-length:")[2].split()[0]) - len(body)
            while left > 0:
                octets = await self._loop.sock_recv(sock, _CHUNK)
                left -= len(octets)
                body = body + octets if len(body) < _CHUNK else octets
            return body


def _real(message: DhcpMessage) -> DhcpMessage:
    """Return a message of simulated firmware without the mark by which the daemon knows it."""
    return replace(
        message,
        options=tuple(
            (code, b"iPXE" if value.startswith(b"\x04iPXE") else value)
            for code, value in message.options
            if (code, value) != (Option.USER_CLASS, SIMULATED)
        ),
    )


async def storm(machines: int, server: tuple[str, int]) -> list[Times]:
    ether, started = Ether(), asyncio.get_running_loop().time()
    clients = [Client(number, ether, server) for number in range(machines)]
    return await asyncio.gather(*(client.boot(started) for client in clients))


if __name__ == "__main__":
    given = json.load(sys.stdin)
    json.dump(asyncio.run(storm(given["machines"], tuple(given["to"]))), sys.stdout)
