"""The real HTTP server on loopback, in a thread of its own, and a client that sends any octets."""

import asyncio
import socket
import threading
from collections.abc import Callable, Coroutine, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any, Self, TypeVar

from aiohttp.web import RouteDef
from support.booters import booters_of
from support.interfaces import read_interface
from support.ports import free_port
from support.waiting import PATIENCE

from iluvatar_pxe.admin.health import Health
from iluvatar_pxe.assets.store import AssetStore
from iluvatar_pxe.events import EventLog
from iluvatar_pxe.fleet.models import Fleet
from iluvatar_pxe.inventory.inventory import Inventory
from iluvatar_pxe.machines.boots import Stage
from iluvatar_pxe.machines.model import Machine
from iluvatar_pxe.machines.sighting import Firmware, Sighting
from iluvatar_pxe.provisioning.cloud_init import CloudInit
from iluvatar_pxe.provisioning.configurations import Configurations
from iluvatar_pxe.provisioning.pi_reports import PiReports
from iluvatar_pxe.provisioning.seed_tickets import SeedTickets
from iluvatar_pxe.servers.http.connections import LIMITS, Limits
from iluvatar_pxe.servers.http.server import HttpServer
from iluvatar_pxe.settings.model import HttpSettings
from iluvatar_pxe.tls.certificates import Certificates
from iluvatar_pxe.wire.pxe import CpuArch

MakeCloudInit = Callable[[SeedTickets, PiReports], CloudInit]
CLIENT = IPv4Address("127.0.0.1")
T = TypeVar("T")


@dataclass(frozen=True)
class Response:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def is_one_line(self) -> bool:
        """Say whether the body is one line of plain text that begins with the status."""
        line = self.body.decode("ascii").removesuffix("\n")
        return line.isprintable() and line.startswith(str(self.status))


class Web:
    """One HTTP server with a fleet, boot files, an inventory and the time of its tickets."""

    def __init__(
        self,
        directory: Path,
        fleet: Fleet,
        settings: HttpSettings,
        configurations: Configurations | None = None,
        cloud_init: MakeCloudInit | None = None,
        **options: Any,
    ) -> None:
        self.now = 0.0
        self.port = settings.port
        self.tls_port = settings.tls_port
        self.assets = directory / "assets"
        self.problems: dict[str, str | None] = {"database": None, "fleet": None}
        self.failures: list[dict[str, Any]] = []
        """What reached the event loop's last resort: nothing may."""
        self.store = AssetStore(self.assets)
        self.events = EventLog()
        self.inventory = Inventory(f"sqlite:///{directory / 'inventory.db'}", events=self.events)
        self.neighbours: dict[IPv4Address, str] = {}
        """Stands in for the kernel's neighbour table, which has no loopback in it."""
        self.routed: set[IPv4Address] = set()
        """Addresses that are taken for those of other networks."""
        self.macs_here: tuple[str, ...] = ()
        """MACs that are taken for those of this host's NICs."""
        self.booters = booters_of(
            fleet,
            self.inventory,
            self.store,
            self.neighbours.get,
            now=lambda: self.now,
            is_own=CLIENT.__eq__,
            is_routed=self.routed.__contains__,
            macs_here=lambda _: self.macs_here,
            configurations=configurations,
            cloud_init=cloud_init,
        )
        self.booter = self.booters.real
        checks = {name: partial(self.problems.get, name) for name in self.problems}
        health = Health(parts=checks, programs=lambda: {"bios-x86_64": "none: see docs/firmware.md"})
        self.certificates = Certificates.load(settings, directory / "tls", fleet.settings.domain)
        self._make = partial(HttpServer, settings, self.booters, health, self.certificates, **options)
        self._loop = asyncio.new_event_loop()
        self._loop.set_exception_handler(self._note_failure)
        self._thread = threading.Thread(target=self._loop.run_forever)

    def __enter__(self) -> Self:
        self._thread.start()
        self.call(self._start())
        return self

    def __exit__(self, *_: object) -> None:
        self.call(self.server.close(PATIENCE))
        self.call(self._loop.shutdown_default_executor())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _note_failure(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        self.failures.append(context)

    async def _start(self) -> None:
        await self.store.refresh()
        self.server = self._make()
        assert not await self.server.serve([read_interface("lo")])

    def call(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine in the server's event loop."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(PATIENCE)

    def put(self, name: str, content: bytes) -> Path:
        """Put a boot file into the assets directory, and let the store see it."""
        path = self.assets / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        self.call(self.store.refresh())
        return path

    def boots(
        self, mac: str, stage: Stage = Stage.DISCOVER, firmware: Firmware = Firmware.UEFI_PXE
    ) -> Machine:
        """Let a machine be seen at the client's address, by DHCP and by the kernel."""
        self.neighbours[CLIENT] = mac

        async def observe() -> Machine:
            sighting = Sighting(
                mac=mac, firmware=firmware, arch=CpuArch.X86_64, address=CLIENT, from_nowhere=True
            )
            return self.inventory.observe(sighting, stage)

        return self.call(observe())

    def get(self, target: str, method: str = "GET", **headers: str) -> Response:
        """Ask for ``target``, which is sent as it is; ``Host`` names the server unless ``headers`` do."""
        lines = {"Host": f"127.0.0.1:{self.port}", "Connection": "close"}
        lines |= {name.replace("_", "-"): value for name, value in headers.items()}
        head = "".join(f"{name}: {value}\r\n" for name, value in lines.items() if value)
        return self.send(f"{method} {target} HTTP/1.1\r\n{head}\r\n".encode("utf-8", "surrogateescape"))

    def post(self, target: str, body: bytes, **headers: str) -> Response:
        """Send a body to ``target``."""
        lines = {"Host": f"127.0.0.1:{self.port}", "Connection": "close", "Content-Length": str(len(body))}
        lines |= {name.replace("_", "-"): value for name, value in headers.items()}
        head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        return self.send(f"POST {target} HTTP/1.1\r\n{head}\r\n".encode() + body)

    def get_from(self, source: IPv4Address, target: str) -> Response:
        """Ask for ``target`` from another address of loopback."""
        request = f"GET {target} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
        return self.send(request.encode(), source=str(source))

    def send(self, octets: bytes, *, hang_up: bool = False, source: str = "127.0.0.1") -> Response:
        """Send ``octets``, and that there are no more if ``hang_up``; return what comes until the server closes."""
        with self.connect(source) as sock:
            answer = bytearray()
            try:
                sock.sendall(octets)
                if hang_up:
                    sock.shutdown(socket.SHUT_WR)
                while chunk := sock.recv(1 << 20):
                    answer += chunk
            except ConnectionError:
                pass  # the server need not listen to the end of nonsense
        return response_of(bytes(answer))

    def connect(
        self, source: str = "127.0.0.1", receive_buffer: int = 0, *, tls: bool = False
    ) -> socket.socket:
        """Return a connection to the plain port, or one to the port with TLS before its handshake."""
        sock = socket.socket()
        sock.settimeout(PATIENCE)
        if receive_buffer:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        sock.bind((source, 0))
        sock.connect(("127.0.0.1", self.tls_port if tls else self.port))
        return sock


def response_of(octets: bytes) -> Response:
    """Take apart the first response of a connection that was closed after it; status 0: there was none."""
    if not octets:
        return Response(0, {}, b"")
    head, _, body = octets.partition(b"\r\n\r\n")
    status, *lines = head.decode("latin-1").split("\r\n")
    fields = (line.partition(": ") for line in lines)
    return Response(int(status.split(" ")[1]), {name.lower(): value for name, _, value in fields}, body)


@contextmanager
def web(
    directory: Path,
    fleet: Fleet | None = None,
    *,
    idle: float = 30.0,
    limits: Limits = LIMITS,
    configurations: Configurations | None = None,
    cloud_init: MakeCloudInit | None = None,
    routes: Iterable[RouteDef] = (),
    **settings: Any,
) -> Iterator[Web]:
    """Serve ``fleet`` from ``directory``, on a free port of loopback; fails when the event loop saw a failure."""
    (directory / "assets").mkdir(exist_ok=True)
    ports = {"port": free_port(), "tls_port": free_port()}
    made = Web(
        directory,
        fleet or Fleet(),
        HttpSettings(**ports, **settings),
        configurations,
        cloud_init,
        idle=idle,
        limits=limits,
        routes=routes,
    )
    with made as running:
        yield running
    assert not made.failures
