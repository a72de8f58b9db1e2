"""Servers that lie or fall silent: a boot fails with its stage and the reason, and others go on."""

import asyncio
import errno
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from ipaddress import IPv4Address

import pytest
from aiohttp import web

from iluvatar_pxe.errors import NoAnswerError
from iluvatar_pxe.simulate import boot, timings
from iluvatar_pxe.simulate.boot import Report, boot_by_host
from iluvatar_pxe.simulate.downloads import HttpClient
from iluvatar_pxe.simulate.link.attachment import HostAttachment, Ports
from iluvatar_pxe.simulate.link.channel import UdpChannel
from iluvatar_pxe.simulate.machine import Kind, Machine
from iluvatar_pxe.wire.dhcp import BOOTREPLY, DhcpMessage, MessageType, Option, decode, encode
from iluvatar_pxe.wire.tftp import packet as tftp

HOST = "127.0.0.1"
IPXE = Machine(Kind.IPXE, b"\2\0\0\0\0\1")


def bound() -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    sock.bind((HOST, 0))
    return sock


def reply(asked: DhcpMessage, url: str) -> DhcpMessage:
    answers = {MessageType.DISCOVER: MessageType.OFFER, MessageType.REQUEST: MessageType.ACK, None: 0}
    options = (
        (Option.MESSAGE_TYPE, bytes((answers[asked.message_type],))),
        (Option.SERVER_ID, IPv4Address(HOST).packed),
        (Option.VENDOR_CLASS, (asked.option(Option.VENDOR_CLASS) or b"")[:10]),
    )
    return DhcpMessage(
        op=BOOTREPLY,
        xid=asked.xid,
        chaddr=asked.chaddr,
        siaddr=IPv4Address(HOST),
        file=url.encode(),
        options=options,
    )


def answer(sock: socket.socket, urls: list[str]) -> None:
    """Name the next URL to who asks; the last one again and again."""
    data, peer = sock.recvfrom(2048)
    url = urls.pop(0) if len(urls) > 1 else urls[0]
    sock.sendto(encode(reply(decode(data), url)), peer)


def send_nothing(sock: socket.socket) -> None:
    data, peer = sock.recvfrom(2048)
    if isinstance(tftp.decode(data), tftp.ReadRequest):
        sock.sendto(tftp.encode(tftp.Data(1, b"")), peer)


@asynccontextmanager
async def liar(*urls: str) -> AsyncIterator[Ports]:
    """Offer what is given; without anything, be silent. Every file of TFTP is empty."""
    loop, sock, files = asyncio.get_running_loop(), bound(), bound()
    loop.add_reader(files, send_nothing, files)
    if urls:
        loop.add_reader(sock, partial(answer, sock, list(urls)))
    port = sock.getsockname()[1]
    try:
        yield Ports(dhcp=port, pxe=port, tftp=files.getsockname()[1])
    finally:
        for opened in (sock, files):
            loop.remove_reader(opened)
            opened.close()


async def boots(ports: Ports, *machines: Machine) -> list[Report]:
    return await boot_by_host(machines, IPv4Address(HOST), ports, lambda: None)


@asynccontextmanager
async def http(body: bytes) -> AsyncIterator[str]:
    async def handle(_request: web.Request) -> web.Response:
        return web.Response(body=body, headers={"Content-Length": str(len(body))})

    app = web.Application()
    app.router.add_get("/{name}", handle)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, HOST, 0)
    await site.start()
    try:
        yield f"http://{HOST}:{runner.addresses[0][1]}/program"
    finally:
        await runner.cleanup()


async def speak_nonsense(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n")
    writer.close()


async def test_http_that_is_none_is_a_reason_of_one_line() -> None:
    server = await asyncio.start_server(speak_nonsense, HOST, 0)
    port = server.sockets[0].getsockname()[1]
    async with server:
        client = HttpClient(HostAttachment(IPv4Address(HOST), Ports()))
        with pytest.raises(NoAnswerError) as raised:
            await client.get(f"http://{HOST}:{port}/x", "iPXE", 3.0)
        await client.close()
    assert str(raised.value).startswith("HTTP: 400, message=")
    assert "\n" not in str(raised.value)


NO_ADDRESS = ["tftp://nohost/x", "tftp:///x", "http://[zz/x", f"http://{HOST}:99999/x", f"http://{HOST}:z/x"]


@pytest.mark.parametrize("url", NO_ADDRESS)
async def test_what_is_no_address_is_the_stages_reason(url: str) -> None:
    async with liar(url) as ports:
        (report,) = await boots(ports, IPXE)
    assert (report.stages.failed, report.result) == ("script", "")
    assert report.reason.startswith(f"{url}: needs an IPv4 address as its host")


@pytest.mark.parametrize("url", NO_ADDRESS)
async def test_a_script_survives_what_is_no_address(url: str) -> None:
    async with http(f"#!ipxe\nchain {url} ||\nsanboot\n".encode()) as script, liar(script) as ports:
        (report,) = await boots(ports, IPXE)
    assert report.result == "boots its own disk: iPXE starts disk 0x80"


async def test_the_failure_of_one_does_not_end_the_others() -> None:
    other = Machine(Kind.IPXE, b"\2\0\0\0\0\2")
    async with http(b"#!ipxe\nsanboot\n") as script, liar("tftp://nohost/x", script) as ports:
        reports = await boots(ports, IPXE, other)
    assert sorted(bool(report.reason) for report in reports) == [False, True]


async def test_a_host_without_sockets_is_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    def none_left(*_arguments: object, **_named: object) -> UdpChannel:
        raise OSError(errno.EMFILE, "Too many open files")

    async with liar() as ports:
        attachment = HostAttachment(IPv4Address(HOST), ports)
        monkeypatch.setattr(socket, "socket", none_left)
        report = await boot.boot(IPXE, attachment)
    assert report.reason == "this host: Too many open files"


async def test_a_boot_without_an_end_names_its_stage(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(boot, "BOOT_SECONDS", 0.05)
    async with liar() as ports:
        (report,) = await boots(ports, IPXE)
    assert report.stages.failed == "iPXE offer"
    assert "did not end within 0 s" in report.reason


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"MZ", ""),
        (b"", "Exec format error: it is empty"),
        (b"#!", "does not begin with MZ"),
        (b"<html>", "it is a web page"),
    ],
)
async def test_uefi_starts_programs_only(body: bytes, reason: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timings, "UEFI_DISCOVER", (0.1, 1.0))
    async with http(body) as program, http(b"#!ipxe\nsanboot\n") as script, liar(program, script) as ports:
        (report,) = await boots(ports, Machine(Kind.UEFI_X64_HTTP, IPXE.mac))
    assert report.stages.failed == ("program" if reason else "")
    assert reason in report.reason


async def test_a_bios_does_not_start_an_empty_program(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timings, "BIOS_DISCOVER", (0.1, 1.0))
    async with liar("undionly.kpxe") as ports:
        (report,) = await boots(ports, Machine(Kind.BIOS, IPXE.mac))
    assert report.stages.failed == "program"
    assert report.reason == "undionly.kpxe: Exec format error: it is empty"
