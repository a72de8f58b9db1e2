"""Servers of a cluster of stand-ins that ask for tasks by their own program, and the daemons that answer them by HTTP."""

import asyncio
import json
import ssl
import threading
from collections.abc import AsyncIterator, Iterable
from concurrent.futures import Future
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiohttp import web
from support.k3s.fatal import FatalError
from support.k3s.founding import K3sSite, Pi
from support.node_programs import program
from support.tls import Given

from iluvatar_pxe.errors import ConfigurationError

_TICK_SECONDS = 0.2
"""Between two looks of the timer, which a node has every minute."""
_really_run = program("tasks").prepare.run
_here = threading.local()
"""``node`` is the one whose program runs in this thread."""


@dataclass(frozen=True)
class Https:
    """Where HTTPS is served, with a certificate that is its own CA."""

    certificate: Path
    port: int


class Node:
    """A machine with its program."""

    def __init__(self, pi: Pi, urls: list[str]) -> None:
        self.pi, self.root = pi, pi.machine.root
        self._loop = asyncio.get_running_loop()
        self._program = program("tasks")
        self._program.prepare.run = _run
        self._reset: Future[None] | None = None
        told = {
            "name": pi.name,
            "unit": "k3s.service",
            "version": "v1.36.3+k3s1",
            "assets": [],
            "url": urls[0],
        }
        self._lay("etc/iluvatar/node.json", json.dumps({**told, "daemons": urls}))
        self._lay("proc/sys/kernel/random/boot_id", "1\n")
        pi.machine.before_k3s = self._before_k3s

    async def ticks(self) -> None:
        """Run the timer, until cancelled."""
        while True:
            if self.pi.machine.is_on:
                await self._run(before_k3s=False)
            await asyncio.sleep(_TICK_SECONDS)

    async def _before_k3s(self) -> None:
        await self._run(before_k3s=True)

    async def _run(self, *, before_k3s: bool) -> None:
        """Run the program, until the power is cut; what it says is in the machine's journal."""
        running = asyncio.ensure_future(asyncio.to_thread(self._in_thread, before_k3s))
        try:
            await asyncio.shield(running)
        except asyncio.CancelledError:
            if self._reset:
                self._reset.cancel()
            await asyncio.wait([running])
            running.exception()
            raise
        except (self._program.prepare.Trouble, OSError, ValueError) as why:
            self.pi.machine.journal.append(f"tasks: {why}")

    def _in_thread(self, before_k3s: bool) -> None:  # noqa: FBT001
        _here.node = self
        self._program.main(self.root, before_k3s=before_k3s)

    def does(self, command: tuple[str, ...]) -> None:
        """Do what the program runs; raises FatalError."""
        if command[0] == "systemctl":
            self._loop.call_soon_threadsafe(self.pi.machine.restart)
            return
        assert command[3:5] == ("server", "--cluster-reset")
        options = dict(option.removeprefix("--").split("=") for option in command[5:])
        snapshot = options.get("cluster-reset-restore-path", "").removeprefix(str(self.root))
        reset = self.pi.machine.cluster_reset(snapshot, Path(options["config"]))
        self._reset = asyncio.run_coroutine_threadsafe(reset, self._loop)
        self._reset.result()

    def _lay(self, path: str, text: str) -> None:
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_text(text)


def _run(*command: str, text: str = "") -> str:
    node: Node | None = getattr(_here, "node", None)
    if node is None:  # another test's program, which has the same module
        return str(_really_run(*command, text=text))
    try:
        node.does(command)
    except FatalError as error:
        raise node._program.prepare.Trouble(str(error)) from error
    return ""


@asynccontextmanager
async def with_tasks(site: K3sSite, pis: Iterable[Pi]) -> AsyncIterator[Https]:
    """Have machines ask the daemons for tasks while the block runs; a daemon that is down does not answer.

    Yields where the first daemon serves HTTPS.
    """
    async with _daemons(site) as (urls, https):
        nodes = [Node(pi, urls) for pi in pis]
        ticking = [asyncio.create_task(node.ticks()) for node in nodes]
        try:
            yield https
        finally:
            for task in ticking:
                task.cancel()
            for ended in await asyncio.gather(*ticking, return_exceptions=True):
                if not isinstance(ended, asyncio.CancelledError) and isinstance(ended, BaseException):
                    raise ended


@asynccontextmanager
async def _daemons(site: K3sSite) -> AsyncIterator[tuple[list[str], Https]]:
    async def answer(request: web.Request) -> web.Response:
        founder = site.daemons[int(request.match_info["which"])]
        if founder.task is None:
            raise web.HTTPServiceUnavailable
        code = request.headers["Authorization"]
        try:
            body, code = await founder.clusters.k3s.node_tasks.answer("node", await request.read(), code)
        except ConfigurationError as error:
            raise web.HTTPForbidden(text=str(error)) from error
        return web.Response(body=body, headers={"Authentication-Info": code})

    async def content(request: web.Request) -> web.Response:
        assert request.secure
        tasks = site.daemons[0].clusters.k3s.node_tasks
        code = request.headers["Authorization"]
        return web.Response(body=await tasks.content("node", await request.read(), code))

    application = web.Application()
    application.router.add_post("/k3s/content", content)
    application.router.add_post("/{which}/k3s/tasks", answer)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0)
    await runner.setup()
    server = web.TCPSite(runner, "127.0.0.1", 0)
    await server.start()
    given = Given.make(site.directory, "https")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(given.certificate, given.key)
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    addresses: list[Any] = runner.addresses
    try:
        urls = [f"http://127.0.0.1:{addresses[0][1]}/{number}" for number in range(len(site.daemons))]
        yield urls, Https(given.certificate, addresses[1][1])
    finally:
        with suppress(asyncio.CancelledError):
            await runner.cleanup()
