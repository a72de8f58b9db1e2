"""The stand-in for the daemon that the provisioning system asks: on loopback, and by ``installer.protocol`` only."""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from aiohttp import web
from support.arm64_machine import HOST
from support.in_thread import InThread

from iluvatar_pxe.layers.ainur.installer.hardware import Hardware, parse_hardware
from iluvatar_pxe.layers.ainur.installer.protocol import (
    HARDWARE,
    INSTALL,
    PROGRESS,
    Planned,
    Progress,
    parse_progress,
    plan_text,
)

_BASE = "/cloud-init/TICKET"
Planning = Callable[[Hardware], Planned]


@dataclass
class InstallerDaemon(InThread):
    """Plans by ``planning`` what is done with the hardware that was reported last."""

    files: Path
    """The folder that it serves."""
    documents: Mapping[str, str]
    planning: Planning
    breaks: Counter[str] = field(default_factory=Counter)
    """By a file's name, how many requests for its second or later part end in the middle."""
    progress: list[Progress] = field(default_factory=list)
    hardware: Hardware = field(default_factory=lambda: Hardware(0, ()))
    answered: int = 0
    """How many requests were answered."""

    def __post_init__(self) -> None:
        application = web.Application()
        application.on_response_prepare.append(self._count)
        application.router.add_post(f"{_BASE}/{HARDWARE}", self._hardware)
        application.router.add_get(f"{_BASE}/{INSTALL}", self._install)
        application.router.add_post(f"{_BASE}/{PROGRESS}", self._progress)
        application.router.add_get("/files/{name}", self._file)
        application.router.add_get(f"{_BASE}/{{document}}", self._document)
        self._runner = web.AppRunner(application)

    @property
    def url(self) -> str:
        return f"{self._root}{_BASE}/"

    def path(self, name: str) -> str:
        """Return that of a file's URL."""
        return f"/files/{name}"

    @property
    def _root(self) -> str:
        return f"http://{HOST}:{self._runner.addresses[0][1]}"

    async def _start(self) -> None:
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()

    async def _stop(self) -> None:
        await self._runner.cleanup()

    async def _count(self, _: web.Request, __: web.StreamResponse) -> None:
        self.answered += 1

    async def _hardware(self, request: web.Request) -> web.Response:
        self.hardware = parse_hardware(await request.text())
        return web.Response(text="taken\n")

    async def _install(self, _: web.Request) -> web.Response:
        return web.Response(text=plan_text(self.planning(self.hardware)))

    async def _progress(self, request: web.Request) -> web.Response:
        self.progress.append(parse_progress(await request.text()))
        return web.Response(text="taken\n")

    async def _document(self, request: web.Request) -> web.Response:
        return web.Response(text=self.documents[request.match_info["document"]])

    async def _file(self, request: web.Request) -> web.StreamResponse:
        name = request.match_info["name"]
        first = request.http_range.start
        if first and self.breaks[name] > 0:
            self.breaks[name] -= 1
            content = await asyncio.to_thread((self.files / name).read_bytes)
            return await self._break(request, content[first:])
        return web.FileResponse(self.files / name)

    async def _break(self, request: web.Request, content: bytes) -> web.StreamResponse:
        response = web.StreamResponse(status=206, headers={"Content-Length": str(len(content))})
        await response.prepare(request)
        await response.write(content[: len(content) // 2])
        assert request.transport
        request.transport.close()
        return response
