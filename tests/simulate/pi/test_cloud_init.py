"""What a simulated Pi's system makes of its kernel's arguments, and where it fails as a real one does."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from ipaddress import IPv4Address

import pytest
from aiohttp import web
from support.ports import free_port

from iluvatar_pxe.errors import NoAnswerError, SimulateError
from iluvatar_pxe.simulate.downloads import HttpClient
from iluvatar_pxe.simulate.link.attachment import HostAttachment, Ports
from iluvatar_pxe.simulate.machine import Kind, Machine
from iluvatar_pxe.simulate.pi import cloud_init
from iluvatar_pxe.simulate.pi.cloud_init import Seed, boot_system, seed_of
from iluvatar_pxe.simulate.play import Play
from iluvatar_pxe.simulate.stages import Stages

STARTED = "the kernel is started with all its files"
DONE = "the system of ainur-01 has its documents and its secrets"


@pytest.mark.parametrize(
    ("line", "seed"),
    [
        ("root=LABEL=writable quiet", None),
        ("ds=none", None),
        ("ds=nocloud;i=x", None),
        ("ds=nocloud-net;s=http://10.0.0.2/x/;i=one", Seed("http://10.0.0.2/x/", "one")),
        ("ds=nocloud;seedfrom=http://10.0.0.2/x quiet", Seed("http://10.0.0.2/x/", "")),
        ("ds=nocloud;s=http://a/ ds=nocloud;s=http://b/;instance-id=2", Seed("http://b/", "2")),
    ],
)
def test_where_the_documents_are(line: str, seed: Seed | None) -> None:
    assert seed_of(line) == seed


@dataclass
class Server:
    """A daemon that gives what a test says; ``asked`` are paths, each with what was sent."""

    play: Play
    base: str
    documents: dict[str, tuple[int, str]] = field(default_factory=dict)
    swaps: list[int] = field(default_factory=lambda: [200])
    """The statuses of the answers to each swap."""
    phone_home: int = 200
    asked: list[tuple[str, str]] = field(default_factory=list)

    async def answer(self, request: web.Request) -> web.Response:
        path = request.path.removeprefix("/seed/")
        self.asked.append((path, (await request.read()).decode()))
        assert request.headers["User-Agent"] == "Cloud-Init/26.1 iluvatar-simulate"
        if path == "swap":
            status = self.swaps.pop(0)
            text = json.dumps({"receipt": "r", "files": [{}, {}]})
            return web.Response(status=status, text=text if status == 200 else f"{status}: not yet\nmore")
        status, text = self.documents.get(path, (self.phone_home if path == "phone-home" else 200, ""))
        return web.Response(status=status, text=text)

    async def boot(self) -> str:
        return await boot_system(self.play, f"quiet ds=nocloud-net;s={self.base}/;i=one")


@pytest.fixture
async def server(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Server]:
    monkeypatch.setattr(cloud_init, "SWAP_PAUSE", 0.01)
    monkeypatch.setattr(cloud_init, "SWAPS", 3)
    attachment = HostAttachment(IPv4Address("127.0.0.1"), Ports())
    stages, http = Stages(asyncio.get_running_loop().time), HttpClient(attachment)
    port = free_port()
    base = f"http://127.0.0.1:{port}/seed"
    found = Server(Play(Machine(Kind.PI5, bytes(6)), attachment, stages, http), base)
    node = json.dumps({"url": base})
    user = {
        "fqdn": "ainur-01.lab",
        "write_files": [{"path": "/etc/iluvatar/node.json", "content": node}],
        "reporting": {"iluvatar": {"type": "webhook", "endpoint": f"{base}/report"}},
        "phone_home": {"url": f"{base}/phone-home"},
    }
    found.documents["meta-data"] = (200, "instance-id: one\nlocal-hostname: ainur-01\n")
    found.documents["user-data"] = (200, f"#cloud-config\n{json.dumps(user)}")
    application = web.Application()
    application.router.add_route("*", "/seed/{name}", found.answer)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    yield found
    await http.close()
    await runner.cleanup()


async def test_it_asks_in_cloud_inits_order_and_swaps_its_ticket_in_two_phases(server: Server) -> None:
    server.documents["network-config"] = (404, "404: none")
    assert await server.boot() == DONE
    paths = [path for path, _ in server.asked]
    documents = ["network-config", "meta-data", "user-data", "vendor-data"]
    assert paths == [*documents, "report", "swap", "stored", "report", "phone-home"]
    sent = dict(server.asked)
    assert json.loads(sent["stored"]) == {"receipt": "r"}
    assert sent["phone-home"] == "instance_id=one&hostname=ainur-01&fqdn=ainur-01.lab"
    assert server.play.stages.failed == ""


async def test_it_waits_for_its_turn_and_gives_up_with_the_daemons_words(server: Server) -> None:
    server.swaps = [503, 503, 200]
    assert await server.boot() == DONE
    server.swaps = [503, 503, 503]
    with pytest.raises(SimulateError, match=r"^swap: the HTTP server answers 503: not yet$"):
        await server.boot()
    server.swaps = [410]
    with pytest.raises(SimulateError, match="410: not yet"):
        await server.boot()


@pytest.mark.parametrize(
    ("name", "answer", "why"),
    [
        ("meta-data", (503, "503: later\n"), "meta-data: the HTTP server answers 503: later"),
        ("user-data", (404, ""), "user-data: the HTTP server answers 404"),
        ("user-data", (200, "cloud-config\n"), "user-data: does not begin with #cloud-config"),
        ("user-data", (200, "#cloud-config\n[1]\n"), "user-data: is no mapping"),
        ("user-data", (200, "#cloud-config\na: [\n"), "user-data: is no YAML"),
        ("user-data", (200, "#cloud-config\nwrite_files: []\n"), "node.json: is no mapping"),
        ("meta-data", (200, "instance-id: two\n"), "meta-data: has instance-id two, not one"),
        ("stored", (403, "403: no receipt\n"), "stored: the HTTP server answers 403: no receipt"),
        ("phone-home", (403, "403: another\n"), "phone-home: the HTTP server answers 403: another"),
    ],
)
async def test_what_is_wrong_is_named(server: Server, name: str, answer: tuple[int, str], why: str) -> None:
    server.documents[name] = answer
    with pytest.raises(SimulateError, match=why):
        await server.boot()


async def test_reports_change_nothing(server: Server) -> None:
    server.documents["report"] = (403, "403: no\n")
    assert await server.boot() == DONE


async def test_without_a_datasource_it_has_only_its_kernel(server: Server) -> None:
    assert await boot_system(server.play, "quiet ds=none") == STARTED
    with pytest.raises(NoAnswerError, match="HTTP: "):
        await boot_system(server.play, f"ds=nocloud;s=http://127.0.0.1:{free_port()}/x/")
