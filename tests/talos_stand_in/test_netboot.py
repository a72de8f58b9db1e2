"""Firmware of the stand-in follows the daemon's iPXE scripts, as rendered from the daemon's own templates."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from aiohttp import web
from support.ports import free_port
from support.talos.clock import Clock
from support.talos.cluster import SPEED
from support.talos.hardware import Hardware
from support.talos.machine import Machine
from support.talos.netboot import Netboot
from support.talos.site import Site, loopback_addresses
from support.waiting import until

GOLDEN = Path(__file__).parents[1] / "replies/golden"
ARGUMENTS = "talos.platform=metal talos.config=http://a/c"


@dataclass
class Server:
    scripts: list[str] = field(default_factory=list)
    """Told one after the other; the last one again and again."""
    asked: list[tuple[str, str]] = field(default_factory=list)
    url: str = ""
    files: set[str] = field(default_factory=lambda: {"/vmlinuz", "/initrd"})

    @property
    def talos(self) -> str:
        """Return a script that starts Talos."""
        return (
            f"#!ipxe\nkernel --timeout 30000 {self.url}/vmlinuz initrd=initramfs {ARGUMENTS} || goto again\n"
            f"initrd --timeout 30000 --name initramfs {self.url}/initrd || goto again\n"
        )

    async def tell(self, request: web.Request) -> web.Response:
        self.asked.append((request.remote or "", request.path_qs))
        if request.path in ("/vmlinuz", "/initrd"):
            return web.Response(text="boot file", status=200 if request.path in self.files else 404)
        return web.Response(text=self.scripts.pop(0) if len(self.scripts) > 1 else self.scripts[0])


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    server, port = Server(), free_port()
    application = web.Application()
    application.router.add_get("/{path:.*}", server.tell)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    server.url = f"http://127.0.0.1:{port}"
    yield server
    await runner.cleanup()


async def _boot(machine: Machine) -> str | None:
    return await machine.firmware(machine)


@pytest.fixture
def machine(server: Server, tmp_path: Path) -> Machine:
    address = next(loopback_addresses())
    return Machine(
        Site(), Hardware("52:54:00:00:00:01"), address, tmp_path, Netboot(server.url), clock=Clock(SPEED)
    )


async def test_the_kernels_arguments_are_those_of_the_script(server: Server, machine: Machine) -> None:
    server.scripts = [server.talos]
    assert await machine.firmware(machine) == ARGUMENTS
    (source, asked), *loaded = server.asked
    assert source == machine.address
    assert asked.startswith("/ipxe?mac=52:54:00:00:00:01")
    assert [path for _, path in loaded] == ["/vmlinuz", "/initrd"]


async def test_what_cannot_be_loaded_is_asked_for_again(server: Server, machine: Machine) -> None:
    server.scripts, server.files = [server.talos], {"/vmlinuz"}
    booting = asyncio.create_task(_boot(machine))
    await until(lambda: [path for _, path in server.asked].count("/initrd") == 2)
    server.files.add("/initrd")
    assert await booting == ARGUMENTS


async def test_a_countdown_is_confirmed_and_a_hold_asked_again(server: Server, machine: Machine) -> None:
    hold, countdown = ((GOLDEN / f"{name}.ipxe").read_text() for name in ("hold-unlisted", "countdown"))
    server.scripts = [hold, countdown, server.talos]
    assert await machine.firmware(machine) == ARGUMENTS
    asked = [path.partition("?")[0] for _, path in server.asked]
    assert asked == ["/ipxe", "/ipxe", "/ipxe/confirm", "/vmlinuz", "/initrd"]


@pytest.mark.parametrize("name", ["local-bios", "local-efi"])
async def test_its_own_disk_is_booted_when_the_script_says_so(
    server: Server, machine: Machine, name: str
) -> None:
    machine.install(machine.hardware.disks[0], "", "v1.14.1")
    server.scripts = [(GOLDEN / "hold-unlisted.ipxe").read_text(), (GOLDEN / f"{name}.ipxe").read_text()]
    assert await machine.firmware(machine) is None
    assert len(server.asked) == 2
