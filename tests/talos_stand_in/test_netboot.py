"""Firmware of the stand-in follows the daemon's iPXE scripts, as rendered from the daemon's own templates."""

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

GOLDEN = Path(__file__).parents[1] / "replies/golden"
TALOS = "#!ipxe\nkernel --timeout 30000 http://a/vmlinuz initrd=initramfs talos.platform=metal talos.config=http://a/c || goto again\n"


@dataclass
class Server:
    scripts: list[str] = field(default_factory=list)
    """Told one after the other; the last one again and again."""
    asked: list[tuple[str, str]] = field(default_factory=list)
    url: str = ""

    async def tell(self, request: web.Request) -> web.Response:
        self.asked.append((request.remote or "", request.path_qs))
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


@pytest.fixture
def machine(server: Server, tmp_path: Path) -> Machine:
    address = next(loopback_addresses())
    return Machine(
        Site(), Hardware("52:54:00:00:00:01"), address, tmp_path, Netboot(server.url), clock=Clock(SPEED)
    )


async def test_the_kernels_arguments_are_those_of_the_script(server: Server, machine: Machine) -> None:
    server.scripts = [TALOS]
    assert await machine.firmware(machine) == "talos.platform=metal talos.config=http://a/c"
    ((source, asked),) = server.asked
    assert source == machine.address
    assert asked.startswith("/ipxe?mac=52:54:00:00:00:01")


async def test_a_countdown_is_confirmed_and_a_hold_asked_again(server: Server, machine: Machine) -> None:
    hold, countdown = ((GOLDEN / f"{name}.ipxe").read_text() for name in ("hold-unlisted", "countdown"))
    server.scripts = [hold, countdown, TALOS]
    assert await machine.firmware(machine) == "talos.platform=metal talos.config=http://a/c"
    assert [path.partition("?")[0] for _, path in server.asked] == ["/ipxe", "/ipxe", "/ipxe/confirm"]


@pytest.mark.parametrize("name", ["local-bios", "local-efi"])
async def test_its_own_disk_is_booted_when_the_script_says_so(
    server: Server, machine: Machine, name: str
) -> None:
    machine.install(machine.hardware.disks[0], "", "v1.14.1")
    server.scripts = [(GOLDEN / "hold-unlisted.ipxe").read_text(), (GOLDEN / f"{name}.ipxe").read_text()]
    assert await machine.firmware(machine) is None
    assert len(server.asked) == 2
