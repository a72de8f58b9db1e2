"""A Raspberry Pi without a disk for its system: it boots from the network each time, and its data is on a partition.

No Linux runs: cloud-init's part is played as far as files are concerned, and our own program prepares k3s for real.
"""

import asyncio
import json
import os
import shutil
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import aiohttp
import yaml
from support.k3s.fatal import FatalError
from support.k3s.firmware import PiFirmware, PluggedIn
from support.k3s.machine import Machine
from support.k3s.site import Site

DOCUMENTS = ("meta-data", "user-data", "vendor-data", "network-config")
_URL = "iluvatar.url="
_SECONDS = 40.0
_PREPARE = "/usr/local/lib/iluvatar/prepare.py"
_RUN = """\
import importlib.util, socket, sys
from pathlib import Path
program, root, address = sys.argv[1:]
connect = socket.create_connection
socket.create_connection = lambda to, timeout, _source=None: connect(to, timeout, (address, 0))
spec = importlib.util.spec_from_file_location("prepare", program)
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
try:
    module.main(Path(root))
except (module.Trouble, OSError, ValueError, KeyError) as error:
    sys.exit(str(error) or type(error).__name__)
"""
"""Runs the program as its own last lines do, below another root, and by one of this host's many cards."""
_MOUNT = """\
#!/bin/sh
# A stand-in for mount: LABEL=NAME is a directory of this Pi, and what is mounted is a link.
if [ "$1" = --bind ]; then from=$2 to=$3; else from={data}/${{1#LABEL=}} to=$2; fi
mkdir -p "$from"
[ -L "$to" ] || {{ rmdir "$to" && ln -s "$from" "$to"; }}
"""


class Pi:
    """A Pi that lives in the test's event loop while it has power."""

    def __init__(self, site: Site, firmware: PiFirmware, directory: Path) -> None:
        self.firmware = firmware
        self.machines: list[Machine] = []
        """The system of each boot."""
        self._site, self._memory, self._disk = site, directory / "memory", directory / "disk"
        self._tools = directory / "tools"
        self._name, self._is_server = "", False
        self._life: asyncio.Task[None] | None = None
        self._tools.mkdir(parents=True)
        (self._tools / "mount").write_text(_MOUNT.format(data=self._disk))
        (self._tools / "mount").chmod(0o755)

    @property
    def is_on(self) -> bool:
        if self._life is not None and self._life.done() and not self._life.cancelled():
            self._life.result()  # a defect of the stand-in is no Pi that is off
        return self._life is not None and not self._life.done()

    @property
    def state(self) -> Mapping[str, object]:
        """Return what it is, as told to whoever looks."""
        system = self.machines[-1] if self.machines else None
        return {
            "mac": self.firmware.mac,
            "name": self._name,
            "server": self._is_server,
            "ready": bool(system and self.is_on and system.is_ready),
            "inits": sum(machine.inits for machine in self.machines),
            "boots": len(self.machines),
            "said": next((machine.journal[-1] for machine in reversed(self.machines) if machine.journal), ""),
        }

    async def power_on(self) -> None:
        assert not self.is_on
        self._life = asyncio.create_task(self._live(), name=f"Pi {self.firmware.mac}")

    async def power_cut(self) -> None:
        life, self._life = self._life, None
        if life is None:
            return
        life.cancel()
        with suppress(asyncio.CancelledError):
            await life

    def lose_disk(self) -> None:
        """Have another disk, with nothing on it."""
        assert not self.is_on
        shutil.rmtree(self._disk, ignore_errors=True)

    async def _live(self) -> None:
        arguments = await self.firmware.boot()
        (url,) = [word.removeprefix(_URL) for word in arguments if word.startswith(_URL)]
        shutil.rmtree(self._memory, ignore_errors=True)
        documents = await self._documents(url)
        await self._report(url, "init-network", "start")
        self._lay(documents)
        await self._report(url, "modules-final", "finish", result="SUCCESS")
        system = Machine(self._site, self._memory, self.firmware.address, prepare=self._prepare)
        self.machines.append(system)
        async with system:
            await asyncio.Event().wait()

    async def _report(self, url: str, name: str, event: str, **more: str) -> None:
        """Tell how far it is, as cloud-init does; nothing depends on it."""
        told = {"name": name, "event_type": event, "origin": "cloudinit", **more}
        with suppress(aiohttp.ClientError, TimeoutError, OSError):
            async with self._session() as session, session.post(f"{url}/report", json=told):
                pass

    def _session(self) -> aiohttp.ClientSession:
        attachment = PluggedIn(self.firmware.mac, self.firmware.card, self.firmware.address)
        timeout = aiohttp.ClientTimeout(total=_SECONDS)
        return aiohttp.ClientSession(connector=attachment.connector(), timeout=timeout)

    async def _documents(self, url: str) -> dict[str, str]:
        """Return the documents by name; what is refused is asked for again, as our provisioning system does."""
        found: dict[str, str] = {}
        async with self._session() as session:
            while missing := [name for name in DOCUMENTS if name not in found]:
                with suppress(aiohttp.ClientError, TimeoutError, OSError):
                    async with session.get(f"{url}/{missing[0]}") as response:
                        if response.ok:
                            found[missing[0]] = await response.text()
                            continue
                await self._site.pause()
        return found

    def _lay(self, documents: Mapping[str, str]) -> None:
        """Write the files that cloud-init writes."""
        user: dict[str, Any] = yaml.safe_load(documents["user-data"])
        files = {one["path"]: (one["content"], one["permissions"]) for one in user["write_files"]}
        files["/etc/hostname"] = (f"{user['hostname']}\n", "0644")
        for path, (text, mode) in files.items():
            place = self._memory / path.lstrip("/")
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(text)
            place.chmod(int(mode, 8))
        (self._memory / "usr/local/bin").mkdir(parents=True)
        self._name, self._is_server = user["hostname"], "/etc/systemd/system/k3s.service" in files

    async def _prepare(self) -> None:
        """Run our program as the unit's drop-in says; raises FatalError with its words."""
        (drop_in,) = (self._memory / "etc/systemd/system").glob("k3s*.service.d/10-iluvatar.conf")
        assert f"ExecStartPre=/usr/bin/python3 -I {_PREPARE}\n" in drop_in.read_text()
        program, root = self._memory / _PREPARE.lstrip("/"), self._memory
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", "-c", _RUN, str(program), str(root), self.firmware.address),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            env={**os.environ, "PATH": f"{self._tools}:{os.environ['PATH']}"},
        )
        try:
            _, said = await process.communicate()
        except asyncio.CancelledError:  # its power is gone
            process.kill()
            await process.wait()
            raise
        if process.returncode:
            raise FatalError(f"k3s.service: Control process exited: {said.decode().strip()}")


def line_of(pi: Pi) -> str:
    return json.dumps(pi.state) + "\n"
