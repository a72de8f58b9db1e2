"""Answers to machines that ask for their script again, without aiohttp: the same octets, and the same is recorded.

They are for plain requests only (``wire/http_head``), and for those that are not refused.
"""

import time
from email.utils import formatdate
from functools import lru_cache

from aiohttp.http import SERVER_SOFTWARE

from iluvatar_pxe.machines.boots import Stage
from iluvatar_pxe.meters import ProtocolMeter
from iluvatar_pxe.provisioning.booter import Booters
from iluvatar_pxe.provisioning.countdowns import Countdowns
from iluvatar_pxe.replies.links import Links
from iluvatar_pxe.servers.http.context import Asker, address_of, is_simulated
from iluvatar_pxe.servers.http.gate import Gate
from iluvatar_pxe.servers.http.routes.scripts import first_script, repeated_script
from iluvatar_pxe.servers.http.standing import Question, Standing, Standings
from iluvatar_pxe.wire.http_head import Head

_OWN, _FIRST = "/ipxe", "/boot.ipxe"
_BEFORE = b"HTTP/1.1 200 OK\r\nCache-Control: no-store\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: "


class RepeatedScripts:
    """Makes these answers for real machines; ``port`` is the plain one."""

    def __init__(
        self, booters: Booters, countdowns: Countdowns, gate: Gate, meter: ProtocolMeter, port: int
    ) -> None:
        self._booter = booters.real
        self._standings = Standings(booters.real)
        self._countdowns = countdowns
        self._gate = gate
        self._meter = meter
        self._port = port

    def answer(self, head: Head, client: str, here: str) -> bytes | None:
        """Answer a request, see ``QuickAnswer``."""
        started = time.perf_counter()
        is_script = head.target == _FIRST or head.target.startswith(f"{_OWN}?")
        if not is_script or self._gate.refusal(client, head.host, secure=False):
            return None
        question = head, client, here
        standing = self._standings.find(question)
        body = self._again(standing) if standing else self._anew(question)
        if body is None:
            return None
        self._meter.requests += 1
        self._meter.seconds.observe(time.perf_counter() - started)
        self._meter.sent += len(body)
        return b"%b%d%b%b" % (_BEFORE, len(body), _after(int(time.time())), body)

    def clear(self) -> None:
        """Forget all of it: other interfaces are served from now on."""
        self._standings.clear()

    def _again(self, standing: Standing) -> bytes:
        """Return a script with its ticket."""
        ticket = self._booter.handout.ticket(standing.claim) if standing.claim else ""
        return ticket.encode().join(standing.pieces)

    def _anew(self, question: Question) -> bytes | None:
        """Do as is done for aiohttp; None where that is to refuse, to wait, or to decide."""
        head, client, here = question
        if is_simulated(head.agent):
            return None
        links = Links(address_of(here), self._port)
        asker = Asker(address_of(client), head.agent, links, self._booter, self._countdowns)
        path, _, query = head.target.partition("?")
        if path == _FIRST:
            text, machine = first_script(asker, path, Stage.FIRST_SCRIPT)
            if machine:
                self._standings.keep(question, asker, machine, text, None)
            return text.encode()
        repeated = repeated_script(asker, path, query)
        if repeated is None:
            return None
        text, decision = repeated
        if machine := decision.case.machine:
            self._standings.keep(question, asker, machine, text, decision)
        return text.encode()


@lru_cache(1)
def _after(second: int) -> bytes:
    """Return the rest of the header, as it is in this second of the epoch."""
    return f"\r\nDate: {formatdate(second, usegmt=True)}\r\nServer: {SERVER_SOFTWARE}\r\n\r\n".encode("ascii")
