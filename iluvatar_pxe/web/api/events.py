"""``/api/v1/events``: what happens, as Server-Sent Events; who comes back is told what happened meanwhile."""

import json
import re
from collections.abc import Collection

from aiohttp import web

from iluvatar_pxe.admin.data import utc
from iluvatar_pxe.bounded import Recent
from iluvatar_pxe.events import Event, EventKind, EventLog
from iluvatar_pxe.fleet.lookup import find_machine
from iluvatar_pxe.web.api.commands import faults
from iluvatar_pxe.web.context import WebContext
from iluvatar_pxe.web.streams import Streams, sse

ROUTE = "/api/v1/events"
FILTERS = ("kind", "machine")
AT_ONCE = 100
"""Events between which others get their turn."""
MARK_EVERY = 500
"""Events that a filter may leave out before a stream tells how far it is: so many fewer are kept for who comes back."""
_MARK = re.compile(r"([0-9a-f]{8})-([0-9]{1,15})", re.ASCII)


def routes(context: WebContext, streams: Streams) -> list[web.RouteDef]:
    """Return the stream's route."""
    texts = EventTexts(context.events)

    async def follow(request: web.Request) -> web.StreamResponse:
        kinds, subject = _filters(request, context)
        feed = EventFeed(context.events, texts, request.headers.get("Last-Event-ID"), kinds, subject)
        return await streams.send(request, feed)

    return [web.get(ROUTE, follow, allow_head=False)]


class EventTexts:
    """Events as they are sent: each is written once for all streams."""

    def __init__(self, log: EventLog) -> None:
        self._log = log
        self._texts: Recent[int, str] = Recent(2 * AT_ONCE)

    def of(self, event: Event) -> str:
        """Return an event as it is sent."""
        text = self._texts.get(event.number)
        if text is None:
            text = sse(json.dumps(event_data(event)), kind=event.kind, mark=self.mark(event.number))
            self._texts.put(event.number, text)
        return text

    def mark(self, number: int) -> str:
        """Return the id of an event; it names the log, since each daemon counts from 1."""
        return f"{self._log.epoch}-{number}"


class EventFeed:
    """What one stream has not been told yet: all later than ``last_id``, or than now where that is None."""

    def __init__(
        self,
        log: EventLog,
        texts: EventTexts,
        last_id: str | None,
        kinds: Collection[EventKind] = (),
        subject: str = "",
    ) -> None:
        """``kinds`` and ``subject`` are what is told; empty: everything. An id that is unknown here means a reset."""
        self._log = log
        self._texts = texts
        self._kinds = frozenset(kinds)
        self._subject = subject
        self._told = log.last if last_id is None else self._number(last_id)
        self._marked = self._told

    def __call__(self) -> str:
        """Return what happened since the last call, up to ``AT_ONCE`` events."""
        if self._told is None or not self._log.has_all_after(self._told):
            return self._reset()
        texts = []
        for event in self._log.after(self._told):
            self._told = event.number
            if self._tells(event):
                texts.append(self._texts.of(event))
                self._marked = event.number
            if len(texts) == AT_ONCE:
                break
        return "".join(texts) or self._mark()

    def _tells(self, event: Event) -> bool:
        return (not self._kinds or event.kind in self._kinds) and self._subject in {"", event.subject}

    def _number(self, last_id: str) -> int | None:
        """Return the number that an id of this log has; None for any other."""
        found = _MARK.fullmatch(last_id)
        if not found or found[1] != self._log.epoch or int(found[2]) > self._log.last:
            return None
        return int(found[2])

    def _reset(self) -> str:
        self._told = self._marked = self._log.last
        why = json.dumps({"why": "events were missed; read anew what they are about"})
        return sse(why, kind="reset", mark=self._texts.mark(self._told))

    def _mark(self) -> str:
        """Tell how far this is where a filter has left out much; a browser keeps an id without data."""
        if self._told is None or self._marked is None or self._told - self._marked < MARK_EVERY:
            return ""
        self._marked = self._told
        return f"id: {self._texts.mark(self._told)}\n\n"


def event_data(event: Event) -> dict[str, object]:
    """Return an event as plain data."""
    return {
        "at": utc(event.at),
        "kind": event.kind.value,
        "subject": event.subject,
        "words": event.words,
        "facts": dict(event.facts),
    }


def _filters(request: web.Request, context: WebContext) -> tuple[list[EventKind], str]:
    """Return the kinds and the machine's id that a stream is about; raises HTTPException."""
    if unknown := sorted(set(request.query) - set(FILTERS)):
        raise web.HTTPBadRequest(text=f"{unknown[0][:40]}: unknown; use {' or '.join(FILTERS)}")
    try:
        kinds = [EventKind(one) for one in request.query.getall("kind", [])]
    except ValueError as error:
        raise web.HTTPBadRequest(text=f"kind: use one of {', '.join(EventKind)}") from error
    machine = request.query.get("machine", "")
    if not machine:
        return kinds, ""
    with faults():
        context.commands.check_inventory()
        return kinds, str(find_machine(machine[:100], context.inventory.snapshot, context.fleet).id)
