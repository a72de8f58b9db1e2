"""Machines that run their own programs below their roots: before each start of k3s, and by a timer that ticks quickly.

The daemon's HTTP is its real handler of tasks; systemctl is a stand-in, whose words are carried out on the machine.
"""

import asyncio
import hashlib
import json
import os
import shutil
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from aiohttp import web
from support.k3s.fatal import FatalError
from support.k3s.founding import K3sSite, Pi
from support.node_programs import PROGRAMS, program
from support.talos.stopping import listening

from iluvatar_pxe.layers.ainur.cloud_config import IMAGES, k3s_assets
from iluvatar_pxe.layers.ainur.node_tasks import Facts
from iluvatar_pxe.machines.states import Role
from iluvatar_pxe.servers.http.routes.node_tasks import answer_of

_RUN = """\
import importlib.util, sys
from pathlib import Path
name, root, *words = sys.argv[1:]
spec = importlib.util.spec_from_file_location("program", name)
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
trouble = getattr(module, "Trouble", None) or module.prepare.Trouble
try:
    module.main(Path(root), **{word: True for word in words})
except (trouble, OSError, ValueError, KeyError) as error:
    sys.exit(str(error) or type(error).__name__)
"""
"""Runs a program as its own last lines do, below another root."""
_UNITS = {Role.SERVER: "k3s.service", Role.AGENT: "k3s-agent.service"}
_PAUSE = 0.2
_first_end = program("tasks").first_end


@dataclass
class Tasked:
    """Nodes of a site that ask its daemons for tasks."""

    site: K3sSite
    assets: dict[str, bytes]
    """By name, what daemons serve."""
    url: str = ""
    restarted: list[str] = field(default_factory=list)
    """Names of the nodes whose k3s was restarted, in this order."""

    _starts: dict[str, asyncio.Event] = field(default_factory=dict)
    """By name of a node, set once its k3s begins to start."""

    @property
    def sums(self) -> Mapping[str, str]:
        return {name: hashlib.sha256(content).hexdigest() for name, content in self.assets.items()}

    def start(self) -> None:
        """Start all daemons that do not run."""
        for founder in self.site.daemons:
            if founder.task is None:
                founder.start()
                founder.clusters.k3s.node_tasks.sums = lambda: self.sums

    def lay(self, pi: Pi, version: str) -> None:
        """Give a machine its programs, and k3s of a version; it has the latter already."""
        root = pi.machine.root
        told = {
            "name": pi.name,
            "unit": _UNITS[pi.role],
            "version": version,
            "not_before": 0,
            "clocks": [self.url],
            "data": None,
            "daemons": [self.url],
            "url": f"{self.url}/cloud-init/T",
            "assets": k3s_assets(version, self.sums),
        }
        write(root / "etc/iluvatar/node.json", json.dumps(told))
        for path in ("etc/iluvatar/swapped", "run/iluvatar-clock"):
            write(root / path, "")
        write(root / "usr/local/bin/k3s", self.assets[f"k3s/{version}/k3s-arm64"].decode())
        name = "k3s-airgap-images-arm64.tar.zst"
        write(root / IMAGES.lstrip("/") / name, self.assets[f"k3s/{version}/{name}"].decode())
        tools = root.with_name(f"{pi.name}-tools")
        write(tools / "systemctl", f'#!/bin/sh\necho "$*" >> {tools}/called\n')
        (tools / "systemctl").chmod(0o755)
        pi.machine.before_k3s = lambda: self._before_k3s(pi)

    async def run(self, pi: Pi, program: str, *words: str) -> str:
        """Run a program of a machine, and return what it ends with."""
        root = pi.machine.root
        write(
            root / "proc/sys/kernel/random/boot_id",
            self.site.pis[pi.name].machine.site.boots[pi.machine.address],
        )
        tools = root.with_name(f"{pi.name}-tools")
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", "-c", _RUN, str(PROGRAMS / program), str(root), *words),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            env={**os.environ, "PATH": f"{tools}:{os.environ['PATH']}"},
        )
        try:
            _, said = await process.communicate()
        except asyncio.CancelledError:
            process.kill()
            await process.wait()
            raise
        return said.decode().strip() if process.returncode else ""

    async def _before_k3s(self, pi: Pi) -> None:
        if said := await self.run(pi, "prepare.py"):
            raise FatalError(f"k3s.service: Control process exited: {said}")
        await self.run(pi, "tasks.py", "before_k3s")
        self._starts.setdefault(pi.name, asyncio.Event()).set()

    async def tick(self, pi: Pi) -> None:
        """Do what the timer does, and what it asks of systemd."""
        called = pi.machine.root.with_name(f"{pi.name}-tools") / "called"
        await self.run(pi, "tasks.py")
        words = called.read_text().splitlines() if called.exists() else []
        called.unlink(missing_ok=True)
        for line in words:
            self._starts.setdefault(pi.name, asyncio.Event()).clear()
            if line == f"restart --no-block {_UNITS[pi.role]}":
                self.restarted.append(pi.name)
                pi.machine.restart()
            elif line == "reboot":
                self.restarted.append(f"{pi.name} reboots")
                await pi.machine.power_off()
                shutil.rmtree(pi.machine.root / "run")
                await pi.machine.power_on()
            else:
                raise AssertionError(line)
            await self._starts[pi.name].wait()

    async def ticks(self) -> None:
        """Have the timers of all machines run, until cancelled; a tick that would change nothing is left out."""
        while True:
            for pi in self.site.pis.values():
                if pi.machine.is_on and self._has_news(pi):
                    await self.tick(pi)
            await asyncio.sleep(_PAUSE)

    def _has_news(self, pi: Pi) -> bool:
        """Say whether a machine has something to tell, or is to be told something."""
        required, ends = (pi.machine.root / "run/reboot-required").exists(), _first_end(pi.machine.root)
        tasks = [one.clusters.k3s.node_tasks for one in self.site.daemons if one.task]
        heard = [one.facts.get(pi.name) for one in tasks]
        return any(one.given(pi.name) for one in tasks) or any(
            one is None or one.reboot_required is not required or _end_of(one) != ends for one in heard
        )

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Answer as the first daemon that runs."""
        running = [one for one in self.site.daemons if one.task]
        if not running:
            return web.Response(status=503)
        if request.path == "/k3s/tasks":
            return await answer_of(running[0].clusters.k3s.node_tasks, request)
        name = request.path.removeprefix("/assets/")
        if name not in self.assets:
            return web.Response(status=404)
        return web.Response(body=self.assets[name])


@asynccontextmanager
async def tasked(site: K3sSite, assets: dict[str, bytes]) -> AsyncIterator[Tasked]:
    """Serve what nodes ask for, and have their timers run while the block does."""
    found = Tasked(site, assets)
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", found.answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0)
    try:
        async with listening(runner, "127.0.0.1", 0) as port:
            found.url = f"http://127.0.0.1:{port}"
            yield found
    finally:
        for pi in site.pis.values():
            shutil.rmtree(pi.machine.root.with_name(f"{pi.name}-tools"), ignore_errors=True)


def _end_of(facts: Facts) -> float | None:
    return facts.ends.timestamp() if facts.ends else None


def write(file: Path, text: str) -> None:
    """Write a file, and the folder that it lies in."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
