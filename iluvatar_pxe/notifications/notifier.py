"""Tells the recipients that the fleet names what happens, and never keeps anything waiting for that."""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from uuid import UUID

import structlog
from msgspec import Struct

from iluvatar_pxe.changed import Changed, Subscription
from iluvatar_pxe.errors import OperationError
from iluvatar_pxe.events import Event, EventLog
from iluvatar_pxe.fleet.models import Fleet
from iluvatar_pxe.fleet.notifications import Recipient
from iluvatar_pxe.host.durable import write_file
from iluvatar_pxe.machines.model import Machine, Snapshot
from iluvatar_pxe.notifications.addresses import address_for
from iluvatar_pxe.notifications.digest import Message
from iluvatar_pxe.notifications.first_daemon import FirstDaemon
from iluvatar_pxe.notifications.news import News, Teller, is_configured, news_of
from iluvatar_pxe.notifications.outbox import Outbox
from iluvatar_pxe.notifications.outcome import Outcome
from iluvatar_pxe.notifications.pace import PACE, Pace
from iluvatar_pxe.notifications.told import Told

_log = structlog.get_logger()


class NotifierContext(Struct, frozen=True):
    """What is told, and where it is read."""

    events: EventLog
    fleet: Callable[[], Fleet]
    fleet_changed: Changed
    snapshot: Callable[[], Snapshot]
    first: FirstDaemon
    deliver: Callable[[str, Message], Awaitable[Outcome]]
    """Makes one attempt to deliver a message to an address; see ``Delivery``."""
    file: Path
    """Where is kept what was told."""
    pace: Pace = PACE


class Notifier:
    """Belongs to one event loop. What was not delivered when it is stopped is not told any more."""

    def __init__(self, context: NotifierContext) -> None:
        self._context = context
        self._told = Told()
        self._telling = Changed()
        """Told when ``_told`` has changed."""
        self._read = 0
        """The number of the last event that was looked at."""
        self._outboxes: dict[str, tuple[Recipient, Outbox, asyncio.Task[None]]] = {}

    @property
    def lines(self) -> list[str]:
        """Who could not be told at the last attempt, and why, one line each."""
        problems = ((name, outbox.problem) for name, (_, outbox, _) in self._outboxes.items())
        return [f"{name}: {problem}" for name, problem in problems if problem]

    async def run(self) -> None:
        """Tell what happens, until cancelled."""
        context = self._context
        self._told = await asyncio.to_thread(_told_in, context.file)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._keep(self._told.document()))
            with Subscription(context.events.changed, context.fleet_changed) as news:
                while True:
                    await news.wait()
                    self._follow(context.fleet(), group)
                    await self._take()

    async def test(self, name: str | None) -> dict[str, Outcome]:
        """Send a message to a recipient, or to all, once; return how that ended, by name. Raises OperationError."""
        fleet = self._context.fleet()
        named = fleet.settings.notifications
        if not named:
            raise OperationError("fleet.yaml names no notifications; see docs/notifications.md")
        if name is not None and name not in named:
            raise OperationError(f"no notifications of that name; there are: {', '.join(named)}")
        chosen = [name] if name is not None else list(named)
        message = Message(
            f"{fleet.settings.domain}: test", f"A test of iluvatar-pxe on {os.uname().nodename}."
        )
        outcomes = await asyncio.gather(*(self._send(one, message) for one in chosen))
        return dict(zip(chosen, outcomes, strict=True))

    def _follow(self, fleet: Fleet, group: asyncio.TaskGroup) -> None:
        """Have an outbox for each recipient of the fleet; that of one who stays keeps what it has."""
        wanted = fleet.settings.notifications
        for name, (recipient, _, task) in list(self._outboxes.items()):
            if wanted.get(name) != recipient:
                task.cancel()
                del self._outboxes[name]
        for name, recipient in wanted.items():
            if name not in self._outboxes:
                self._outboxes[name] = (recipient, *self._outbox(name, group))

    def _outbox(self, name: str, group: asyncio.TaskGroup) -> tuple[Outbox, asyncio.Task[None]]:
        context = self._context
        made = Outbox(
            name,
            lambda message: self._send(name, message),
            lambda: context.fleet().settings.domain,
            context.pace,
        )
        return made, group.create_task(made.run())

    async def _send(self, name: str, message: Message) -> Outcome:
        address, fault = address_for(name, self._context.fleet())
        return Outcome(fault, is_final=True) if fault else await self._context.deliver(address, message)

    async def _take(self) -> None:
        """Look at the events since the last time, and hand out what is news."""
        events = self._context.events
        if not events.has_all_after(self._read):
            _log.warning("notification.missed", why="too many events at once")
        taken, self._read = events.after(self._read), events.last
        if not self._outboxes:
            return
        is_changed = False
        for event in taken:
            is_changed = await self._look_at(event) or is_changed
        if is_changed:
            self._telling.tell()

    async def _keep(self, written: bytes) -> None:
        """Write down what was told, at most once in a while, and at the end; ``written`` is there already."""
        with Subscription(self._telling) as telling:
            try:
                while True:
                    await telling.wait()
                    if (document := self._told.document()) != written:
                        await asyncio.to_thread(_write, self._context.file, document)
                        written = document
                        await asyncio.sleep(self._context.pace.keeping)
            finally:
                if (document := self._told.document()) != written:
                    await asyncio.to_thread(_write, self._context.file, document)

    async def _look_at(self, event: Event) -> bool:
        """Say whether what was told has changed."""
        if is_configured(event):
            self._told.configured(event.subject, time.time())
            return True
        news = news_of(event, self._machine(event), self._context.fleet())
        if news is None or not self._told.is_news(news, time.time()):
            return False
        if news.teller is not Teller.FIRST or await self._context.first.is_this():
            self._hand_out(news)
        return True

    def _machine(self, event: Event) -> Machine | None:
        with suppress(ValueError):  # its subject is no machine
            return self._context.snapshot().machine_with_id(UUID(event.subject))
        return None

    def _hand_out(self, news: News) -> None:
        for recipient, outbox, _ in self._outboxes.values():
            if news.kind in recipient.about:
                outbox.add(news)


def _told_in(file: Path) -> Told:
    """Return what was told before; nothing where that cannot be read. Blocks."""
    try:
        return Told.of(file.read_bytes())
    except FileNotFoundError:
        return Told()
    except (OSError, ValueError) as error:
        _log.warning("notification.forgotten", file=str(file), why=str(error))
        return Told()


def _write(file: Path, document: bytes) -> None:
    try:
        write_file(file, document)
    except OSError as error:
        _log.warning("notification.unkept", file=str(file), why=str(error.strerror))
