"""Answers to machines that ask for their script again, without aiohttp: the same octets, and the same is recorded.

They are for plain requests only (``wire/http_head``), and for those that are not refused.
"""

import time
from email.utils import formatdate
from functools import lru_cache
from ipaddress import IPv4Address

from aiohttp.http import SERVER_SOFTWARE

from iluvatar_pxe.machines.boots import Stage
from iluvatar_pxe.meters import ProtocolMeter
from iluvatar_pxe.provisioning.booter import Booters
from iluvatar_pxe.provisioning.countdowns import Countdowns
from iluvatar_pxe.replies.links import Links
from iluvatar_pxe.servers.http.context import Asker, address_of, is_simulated
from iluvatar_pxe.servers.http.gate import Gate
from iluvatar_pxe.servers.http.routes.scripts import first_script, repeated_script
from iluvatar_pxe.wire.http_head import Head

_OWN, _FIRST = "/ipxe", "/boot.ipxe"
_BEFORE = b"HTTP/1.1 200 OK\r\nCache-Control: no-store\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: "


class RepeatedScripts:
    """Makes these answers; ``port`` is the plain one."""

    def __init__(
        self, booters: Booters, countdowns: Countdowns, gate: Gate, meter: ProtocolMeter, port: int
    ) -> None:
        self._booters = booters
        self._countdowns = countdowns
        self._gate = gate
        self._meter = meter
        self._port = port

    def answer(self, head: Head, client: str, here: IPv4Address) -> bytes | None:
        """Answer a request, see ``QuickAnswer``."""
        started = time.perf_counter()
        path, mark, query = head.target.partition("?")
        is_own = bool(mark) and path == _OWN
        is_script = is_own or head.target == _FIRST
        if not is_script or self._gate.refusal(client, head.host, secure=False):
            return None
        asker = Asker(
            address_of(client),
            head.agent,
            Links(here, self._port),
            self._booters.facing(simulated=is_simulated(head.agent)),
            self._countdowns,
        )
        text = (
            repeated_script(asker, path, query) if is_own else first_script(asker, path, Stage.FIRST_SCRIPT)
        )
        if text is None:
            return None
        body = text.encode()
        self._meter.requests += 1
        self._meter.seconds.observe(time.perf_counter() - started)
        self._meter.sent += len(body)
        return b"%b%d%b%b" % (_BEFORE, len(body), _after(int(time.time())), body)


@lru_cache(1)
def _after(second: int) -> bytes:
    """Return the rest of the header, as it is in this second of the epoch."""
    return f"\r\nDate: {formatdate(second, usegmt=True)}\r\nServer: {SERVER_SOFTWARE}\r\n\r\n".encode("ascii")
