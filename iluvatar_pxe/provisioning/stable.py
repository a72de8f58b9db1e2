"""Has ``stable`` chosen: publishers are asked which version that is, and the answer is pinned for the whole fleet."""

import asyncio
import random
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Protocol

import structlog

from iluvatar_pxe.assets.asking import ask, first_answer, json_of
from iluvatar_pxe.assets.factory import Factory, addresses_for
from iluvatar_pxe.catalogue.choosing import line
from iluvatar_pxe.catalogue.lock import STABLE, AssetsLock
from iluvatar_pxe.catalogue.names import TALOS
from iluvatar_pxe.catalogue.progress import Progress, State
from iluvatar_pxe.catalogue.resolve import with_mirrors
from iluvatar_pxe.catalogue.versions import CHANNELS, CONTRACTS, k3s_stable, newest_stable
from iluvatar_pxe.changed import Changed, Subscription
from iluvatar_pxe.errors import AssetError, FactoryError, FactoryRefusalError
from iluvatar_pxe.fleet.models import Fleet
from iluvatar_pxe.problem import Problem
from iluvatar_pxe.provisioning.applied import Applied

FIRST_PAUSE, LONGEST_PAUSE = 5.0, 900.0
"""Seconds until a publisher is asked again, and most between two times; each pause is twice the one before."""

_NOBODY = Progress(
    state=State.MISSING, trouble="nobody asks while [assets] fetch is false, or without a daemon"
)
_log = structlog.get_logger()


class Chooser(Protocol):
    """Keeps what ``stable`` means, for every daemon of the fleet."""

    @property
    def lock(self) -> AssetsLock:
        """All that is pinned."""
        ...

    async def choose(self, stable: Mapping[str, str]) -> None:
        """Pin it, by entries of the catalogue."""
        ...


class Stable:
    """Has ``stable`` chosen where the fleet wants it and no commit says what it is: once, and never anew."""

    def __init__(
        self,
        applied: Applied,
        unresolved: Callable[[], Sequence[str]],
        pins: Chooser,
        signals: Sequence[Changed],
        *,
        fetch: bool,
    ) -> None:
        """``unresolved`` names the entries; ``signals`` are told when that may differ. Without ``fetch`` nobody is asked."""
        self._applied = applied
        self._unresolved = unresolved
        self._pins = pins
        self._signals = signals
        self._fetch = fetch
        self._failed: dict[str, Progress] = {}
        self._problem = Problem(lambda why: _log.warning("assets.not_chosen", why=why))

    @property
    def open(self) -> dict[str, Progress]:
        """How far the choice is, by the entries of which no version is chosen."""
        asked = Progress(state=State.QUEUED)
        return {
            entry: self._failed.get(entry, asked) if self._fetch else _NOBODY for entry in self._unresolved()
        }

    async def run(self) -> None:
        """Ask as soon as something is to be chosen, and again after longer and longer pauses, until cancelled."""
        failures = 0
        with Subscription(*self._signals) as changed:
            while True:
                failures = 0 if await self._choose() else failures + 1
                pause = min(FIRST_PAUSE * 2 ** min(failures - 1, 10), LONGEST_PAUSE)
                jitter = random.uniform(0.8, 1.2)  # noqa: S311 - no secret
                with suppress(TimeoutError):
                    async with asyncio.timeout(pause * jitter if failures else None):
                        await changed.wait()

    async def _choose(self) -> bool:
        """Choose what is to be chosen; say whether nobody has to be asked again."""
        if self._fetch:
            failed: dict[str, Progress] = {}
            for entry in self._unresolved():
                try:
                    version = await asyncio.to_thread(_stable, entry, self._applied.fleet)
                except (AssetError, OSError) as error:
                    failed[entry] = Progress(state=State.WAITING, trouble=_reason(error))
                else:
                    _log.info("assets.chosen", entry=entry, stable=version)
                    await self._pins.choose({entry: version})
            self._failed = failed
            self._apply()
        troubles = [line(entry, one) for entry, one in self.open.items() if one.trouble]
        self._problem.set(troubles[0] if troubles else None)
        return not self._failed

    def _apply(self) -> None:
        """Have machines boot what was chosen also where no commit can say it: the fleet is a plain directory."""
        pinned = self._applied.fleet.pinned(self._pins.lock)
        if pinned.layers != self._applied.fleet.layers:
            self._applied.fleet = pinned


def _reason(error: Exception) -> str:
    """Return what went wrong; what a refusal advises is about schematics."""
    return str(error).rpartition("; ")[0] if isinstance(error, FactoryRefusalError) else str(error)


def _stable(entry: str, fleet: Fleet) -> str:
    """Ask for the stable version of an entry of the catalogue; blocks, raises FactoryError."""
    if entry != TALOS:
        urls = with_mirrors([CHANNELS[entry]], fleet.settings.assets.mirrors)
        return first_answer(urls, partial(_of_channel, entry))
    factory = Factory(addresses_for(fleet))
    version = newest_stable(factory.versions(), factory.broken())
    if version is None:
        releases = " and ".join(f"{major}.{minor}" for major, minor in sorted(CONTRACTS))
        raise FactoryError(f"no version of Talos {releases} without faults is listed")
    return version


def _of_channel(entry: str, url: str) -> str:
    address, _, path = url.rpartition("/")
    version = k3s_stable(json_of(address, ask(address, path, f"channels of {entry}")))
    if version is None:
        raise FactoryError(f"{address}: its channels of {entry} name no {STABLE} version")
    return version
