"""What can be done to machines' power: one action after the other for each machine, each within its time."""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from ipaddress import IPv4Address
from pathlib import Path
from weakref import WeakValueDictionary

import structlog

from iluvatar_pxe.errors import PowerError
from iluvatar_pxe.fleet.power import Ipmi, Program, Redfish, Webhook
from iluvatar_pxe.fleet.power import Power as Declared
from iluvatar_pxe.host.interfaces import Interface
from iluvatar_pxe.power import apart, ipmi, programs
from iluvatar_pxe.power.action import Action
from iluvatar_pxe.power.credentials import headers_of, login_of, opened
from iluvatar_pxe.power.waking import interfaces_to, wake

SECONDS = 40.0
"""For one request, its wait for others included."""
CYCLE_PAUSE = 10.0
"""Seconds without power: capacitors hold a small board for several."""
_AT_ONCE = 4
"""Processes; each takes as much memory as half of the daemon."""

_log = structlog.get_logger()


class Power:
    """Belongs to one event loop."""

    def __init__(
        self,
        interfaces: Callable[[], Sequence[Interface]],
        texts: Callable[[], Mapping[str, str]],
        commands: Path,
        *,
        seconds: float = SECONDS,
        pause: float = CYCLE_PAUSE,
    ) -> None:
        """``interfaces`` returns those that are served, ``texts`` the fleet's opened files by path.

        ``commands`` is the directory with the owner's programs; ``seconds`` and ``pause`` as SECONDS and CYCLE_PAUSE.
        """
        self._interfaces = interfaces
        self._texts = texts
        self._commands = commands
        self._seconds = seconds
        self._pause = pause
        self._places = asyncio.Semaphore(_AT_ONCE)
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def wake(
        self, name: str, macs: Iterable[str], address: IPv4Address | None, by: str
    ) -> tuple[str, ...]:
        """Send a machine's magic packets; return the names of the interfaces. Raises PowerError.

        ``address`` is where it was seen last.
        """
        chosen, packets = interfaces_to(address, self._interfaces()), tuple(macs)
        await asyncio.to_thread(wake, packets, chosen)
        names = tuple(one.name for one in chosen)
        _log.info("power.wake", machine=name, macs=packets, interfaces=names, by=by)
        return names

    async def switch(
        self, name: str, declared: Declared, actions: Sequence[Action], by: str, *, is_uefi: bool
    ) -> str:
        """Do these one after the other; return ``on`` or ``off`` where the last is STATUS. Raises PowerError.

        ``is_uefi``: the machine's firmware is UEFI, or not known.
        """
        what = " and ".join(actions)
        turn = self._turns.setdefault(name, asyncio.Lock())
        try:
            async with asyncio.timeout(self._seconds), turn, self._places:
                said = await self._switch(name, declared, actions, is_uefi=is_uefi)
        except TimeoutError as error:
            why = f"did not end within {self._seconds:g} s, and may have been done or not"
            raise self._failed(name, declared, what, by, why) from error
        except PowerError as error:
            raise self._failed(name, declared, what, by, str(error)) from error
        if actions != (Action.STATUS,):
            _log.info("power.switched", machine=name, action=what, by_way_of=declared.kind, by=by)
        return said

    def _failed(self, name: str, declared: Declared, what: str, by: str, why: str) -> PowerError:
        _log.warning("power.failed", machine=name, action=what, by_way_of=declared.kind, by=by, why=why)
        return PowerError(f"{name}: power {what} by {declared.kind}: {why}")

    async def _switch(
        self, name: str, declared: Declared, actions: Sequence[Action], *, is_uefi: bool
    ) -> str:
        way, texts = declared.way, self._texts()
        said = ""
        match way:
            case Redfish():
                login, ca = login_of(way.credentials, texts), opened(way.ca, texts) if way.ca else None
                job = apart.redfish_job(way, ca, login, actions)
                said = await apart.switch(job, apart.secrets_of(login))
            case Webhook():
                headers, ca = headers_of(way.credentials, texts), opened(way.ca, texts) if way.ca else None
                job = apart.webhook_job(way, ca, headers, actions, self._pause)
                said = await apart.switch(job, tuple(headers.values()))
            case Ipmi():
                login = login_of(way.credentials, texts)
                for action in actions:
                    said = await ipmi.switch(way, login, action, is_uefi=is_uefi)
            case Program():
                secret = opened(way.credentials, texts) if way.credentials else ""
                for action in actions:
                    said = await programs.switch(way, secret, action, name, self._commands)
        return said
