"""Firmware of a stand-in that boots from the network: it does what iPXE does with the daemon's scripts, over HTTP."""

import re
from dataclasses import dataclass
from urllib.parse import urlencode

import aiohttp
from support.talos.machine import Machine

_COUNTDOWN = re.compile(r"Press any key within (?P<seconds>\d+) seconds?")
_KERNEL = re.compile(r"^kernel .*?(?P<url>http:\S+) initrd=initramfs (?P<arguments>.*?) \|\|", re.MULTILINE)
_INITRD = re.compile(r"^initrd .*?(?P<url>http:\S+) \|\|", re.MULTILINE)
_FROM_DISK = re.compile(r"\A(?:(?!^(?:chain|prompt)\b).)*^(?:sanboot|exit)\b", re.MULTILINE | re.DOTALL)
"""Its last word is the disk, and not what remains if nobody answers any more."""
_SECONDS = 20.0


@dataclass(frozen=True)
class Netboot:
    """Boots as the daemon at ``server`` (``http://ADDRESS:PORT``) says, and asks again while it says to wait."""

    server: str
    again_seconds: float = 5.0

    async def __call__(self, machine: Machine) -> str | None:
        while True:
            script = await self._script(machine)
            kernel = _KERNEL.search(script)
            if kernel and await self._loads(machine, kernel["url"], *_INITRD.findall(script)):
                return kernel["arguments"]
            if machine.hardware.system_disk is not None and _FROM_DISK.search(script):
                return None
            await machine.clock.sleep(self.again_seconds)

    async def _script(self, machine: Machine) -> str:
        """Return what the daemon says to boot, once a countdown is over; nothing while it does not answer."""
        hardware = machine.hardware
        asked = {
            "mac": hardware.mac,
            "net0": hardware.mac,
            "uuid": hardware.uuid,
            "serial": hardware.serial,
            "manufacturer": hardware.manufacturer,
            "product": hardware.product,
            "arch": "x86_64",
            "platform": "efi",
        }
        script = await self._get(machine, f"{self.server}/ipxe?{urlencode(asked)}")
        if countdown := _COUNTDOWN.search(script):
            await machine.clock.sleep(float(countdown["seconds"]))
            confirm = f"{self.server}/ipxe/confirm?{urlencode({'mac': hardware.mac})}"
            script = await self._get(machine, confirm)
        return script

    async def _loads(self, machine: Machine, *urls: str) -> bool:
        """Load kernel and initramfs, and say whether both came."""
        return all([await self._get(machine, url) for url in urls])

    async def _get(self, machine: Machine, url: str) -> str:
        connector = aiohttp.TCPConnector(local_addr=(machine.address, 0))
        timeout = aiohttp.ClientTimeout(total=_SECONDS)
        try:
            async with (
                aiohttp.ClientSession(connector=connector, timeout=timeout) as session,
                session.get(url) as response,
            ):
                return await response.text() if response.ok else ""
        except (aiohttp.ClientError, TimeoutError):
            return ""
