"""The TLS port's current certificate, renewed when the time, addresses, domain or files change."""

import asyncio
import os
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import structlog

from iluvatar_pxe.errors import TlsError
from iluvatar_pxe.problem import Problem
from iluvatar_pxe.settings.model import HttpSettings
from iluvatar_pxe.tls.authority import Authority
from iluvatar_pxe.tls.credential import Credential
from iluvatar_pxe.tls.names import LOOPBACK, Names
from iluvatar_pxe.tls.sources import Source, StandIn, open_source

CHECK_SECONDS = 60.0
"""Interval between checks: a Raspberry Pi's clock may jump by years once it has reached a time server."""

Clock = Callable[[], datetime]

_log = structlog.get_logger()


def utc_now() -> datetime:
    """Return the time by the system's clock."""
    return datetime.now(UTC)


class Certificates:
    """The certificate in use. New connections get a new one at once; those that are open keep theirs."""

    def __init__(self, open_: Callable[[], Source], host: str, domain: str, clock: Clock) -> None:
        """Begin with a certificate for loopback, of a stand-in where ``open_`` or what it opens fails. Blocks."""
        self._problem = Problem(lambda text: _log.error("tls.failed", problem=text))
        self._open = open_
        self._clock = clock
        self._turn = asyncio.Lock()
        self._news = asyncio.Event()
        try:
            self._source: Source = open_()
            self.shown = self._source.make(LOOPBACK, clock())
        except TlsError as error:
            self._problem.set(str(error))
            self._source = StandIn.make_one(host, domain, clock())
            self.shown = self._source.make(LOOPBACK, clock())

    @classmethod
    def load(
        cls, settings: HttpSettings, directory: Path, domain: str, clock: Clock = utc_now
    ) -> "Certificates":
        """Begin with what ``[http]`` names, or with the own CA, which is kept in ``directory``. Blocks.

        ``domain`` is the fleet's, for which the CA is made if there is none yet.
        """
        host = os.uname().nodename
        return cls(lambda: open_source(settings, directory, host, domain, clock()), host, domain, clock)

    @property
    def authority(self) -> Authority | None:
        """The own CA; None where a certificate is given, or a stand-in is shown."""
        return self._source.authority

    @property
    def ends(self) -> dict[str, datetime]:
        """When the certificate that is shown ends, and that of the own CA where there is one."""
        shown = {"server": self.shown.expires}
        return shown | ({"authority": self.authority.expires} if self.authority else {})

    @property
    def document(self) -> str:
        """The own CA's certificate in PEM; empty where there is none."""
        return self.authority.document.decode() if self.authority else ""

    @property
    def problem(self) -> str | None:
        """Return why there is no newer certificate although there should be, in one line, or None."""
        return self._problem.text

    async def renew(self, names: Names) -> None:
        """Show another certificate if it is time, or if one of these names is not in it; if that fails, this one stays."""
        async with self._turn:
            try:
                fresh = await asyncio.to_thread(self._next, names)
            except TlsError as error:
                self._problem.set(str(error))
                return
            self._problem.set(self._source.trouble_with(names))
            if fresh is not self.shown:
                self.shown = fresh
                self._news.set()

    async def run(self, names: Callable[[], Names]) -> None:
        """Log which certificate is shown, and keep it good, until cancelled."""
        while True:
            self._news.clear()
            _log.info("tls", fingerprint=self.shown.fingerprint, expires=self.shown.expires.isoformat())
            while not self._news.is_set():
                with suppress(TimeoutError):
                    async with asyncio.timeout(CHECK_SECONDS):
                        await self._news.wait()
                await self.renew(names())

    def _next(self, names: Names) -> Credential:
        now = self._clock()
        if isinstance(self._source, StandIn):
            source = self._open()
            credential = source.make(names, now)
            self._source = source
            return credential
        return self.shown if self._source.is_good(self.shown, names, now) else self._source.make(names, now)
