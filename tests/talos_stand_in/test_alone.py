"""Stand-ins run in a process of their own, boot from the network, and say how far they are."""

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import cast

from aiohttp import web
from dnslib import RR, DNSRecord
from support.ports import free_port
from support.talos.cluster import Cluster
from support.talos.site import Site, loopback_addresses
from support.waiting import PATIENCE

from iluvatar_pxe.machines.states import Role

MAC = "52:54:00:00:00:01"
ROOT = Path(__file__).parents[2]


class Answers(asyncio.DatagramProtocol):
    """A DNS server that knows one name."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        question = DNSRecord.parse(data)
        reply = question.reply()
        if str(question.q.qname) == "api.arda.lab.":
            reply.add_answer(*RR.fromZone("api.arda.lab. 5 A 127.0.0.7\napi.arda.lab. 5 A 127.0.0.8"))
        self.transport.sendto(reply.pack(), addr)


async def test_a_process_of_its_own_tells_each_stage(cluster: Cluster, tmp_path: Path) -> None:
    cluster.served[MAC] = cluster.configuration(Role.CONTROLPLANE, "cp-1", "SERIAL1")
    port = free_port()

    async def script(_: web.Request) -> web.Response:
        kernel = f"http://127.0.0.1:{port}/k"
        text = f"kernel {kernel} initrd=initramfs talos.config={cluster.url}?m=${{mac}} || goto again"
        return web.Response(text=f"#!ipxe\n{text}\n")

    application = web.Application()
    application.router.add_get("/{path:.*}", script)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    address = next(loopback_addresses())
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "support.talos.alone", "--server", f"http://127.0.0.1:{port}"),
        *("--directory", str(tmp_path), f"{MAC}={address}"),
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}"},
    )
    try:
        assert process.stdout is not None
        told = {"etcd": ""}
        async with asyncio.timeout(PATIENCE):
            while told["etcd"] != "Preparing":
                told = json.loads(await process.stdout.readline())
        assert told == {
            "mac": MAC,
            "hostname": "cp-1",
            "stage": "BOOTING",
            "ready": False,
            "etcd": "Preparing",
            "bootstraps": 0,
            "config": f"{cluster.url}?m=${{mac}}",
            "wiped": 0,
            "boots": 2,
        }
    finally:
        process.kill()
        await process.wait()
        await runner.cleanup()


async def test_names_are_asked_of_the_dns_server_that_is_given() -> None:
    port = free_port()
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(Answers, local_addr=("127.0.0.1", port))
    try:
        site = Site(dns=f"127.0.0.1:{port}")
        assert sorted(await site.resolve("api.arda.lab")) == ["127.0.0.7", "127.0.0.8"]
        assert await site.resolve("other.lab") == []
    finally:
        transport.close()
