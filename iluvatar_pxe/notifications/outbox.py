"""What one recipient is still to be told, and the task that tells it: bounded, with retries, and in nobody's way."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from iluvatar_pxe.changed import Changed, Subscription
from iluvatar_pxe.notifications.digest import Digest, Message
from iluvatar_pxe.notifications.news import News
from iluvatar_pxe.notifications.outcome import Outcome
from iluvatar_pxe.notifications.pace import Pace
from iluvatar_pxe.problem import Problem

_log = structlog.get_logger()


class Outbox:
    """Belongs to one event loop. While a service fails, what is new joins the message that could not be delivered."""

    def __init__(
        self, name: str, send: Callable[[Message], Awaitable[Outcome]], domain: Callable[[], str], pace: Pace
    ) -> None:
        """``send`` makes one attempt; ``domain`` returns the fleet's."""
        self.name = name
        self._send = send
        self._domain = domain
        self._pace = pace
        self._digest = Digest()
        self._added = Changed()
        self._failing = Problem(
            lambda why: _log.warning("notification.delayed", recipient=name, why=why),
            lambda: _log.info("notification.works-again", recipient=name),
        )

    @property
    def problem(self) -> str | None:
        """Why the last attempt failed, or None."""
        return self._failing.text

    def add(self, news: News) -> None:
        """Have it told."""
        self._digest.add(news)
        self._added.tell()

    async def run(self) -> None:
        """Tell what is added, until cancelled."""
        pause = self._pace.between
        with Subscription(self._added) as added:
            while True:
                await added.wait()
                if self._digest:
                    await self._calm(added)
                    await self._tell()
                    await asyncio.sleep(pause)
                    pause = min(2 * pause, self._pace.rarest) if self._digest else self._pace.between

    async def _calm(self, added: Subscription) -> None:
        """Return when nothing more comes for a moment."""
        try:
            async with asyncio.timeout(self._pace.longest):
                while await _is_told(added, self._pace.calm):
                    pass
        except TimeoutError:
            return

    async def _tell(self) -> None:
        """Deliver all there is, or give it up."""
        for pause in (*self._pace.retries, None):
            taken, self._digest = self._digest, Digest()
            outcome = await self._send(taken.message(self._domain()))
            if not outcome.fault:
                self._failing.clear()
                _log.info("notification.sent", recipient=self.name, news=sum(taken.counts.values()))
                return
            taken.merge(self._digest)
            self._digest = taken
            self._failing.set(outcome.fault)
            if outcome.is_final or pause is None:
                break
            await asyncio.sleep(pause)
        lost, self._digest = self._digest, Digest()
        _log.error(
            "notification.lost", recipient=self.name, news=sum(lost.counts.values()), why=outcome.fault
        )


async def _is_told(added: Subscription, seconds: float) -> bool:
    try:
        async with asyncio.timeout(seconds):
            await added.wait()
    except TimeoutError:
        return False
    return True
