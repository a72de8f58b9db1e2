"""Which resolvers questions are forwarded to now: those that are set, and those that this host asks itself."""

import asyncio
import errno
import os
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from ipaddress import IPv4Address
from pathlib import Path
from types import MappingProxyType
from typing import Literal

import structlog
from msgspec import Struct

from iluvatar_pxe.dns.forwarding import Forward, resolvers_of
from iluvatar_pxe.host.durable import write_file
from iluvatar_pxe.host.routes import ROUTES, parse_default_routes
from iluvatar_pxe.problem import Problem
from iluvatar_pxe.settings.upstream import DNS_PORT, Address, Upstream, parse_address
from iluvatar_pxe.wire.dns.name import ROOT, Name, name_of

REFRESH_SECONDS = 5.0
"""Between two looks at the host's files."""
MEMORY = "dns-upstreams"
"""File of the state directory: what ``auto`` was, an address a line."""

_MOST = 3
"""Resolvers that ``auto`` stands for; the C library takes no more of resolv.conf (resolv.conf(5), MAXNS)."""
_LONGEST_FILE = 1 << 20
_RESOLVED = (IPv4Address("127.0.0.53"), IPv4Address("127.0.0.54"))
"""systemd-resolved's stubs (systemd-resolved.service(8))."""
_NAMESERVER = re.compile(r"nameserver[ \t]+([^;#\s]+)")
"""The keyword begins a line, and a comment may follow the address: so does the C library read it."""
_SEARCH = re.compile(r"(?:search|domain)[ \t]+([^;#]+)")
_NONE = "no resolver but this daemon itself is known, and nothing is forwarded; name one in [dns] upstream"

_log = structlog.get_logger()


class HostFiles(Struct, frozen=True):
    """Where a host says which resolvers and gateways it uses."""

    resolv_conf: Path = Path("/etc/resolv.conf")
    resolved: Path = Path("/run/systemd/resolve/resolv.conf")
    network_manager: Path = Path("/run/NetworkManager/no-stub-resolv.conf")
    routes: Path = ROUTES


HOST_FILES = HostFiles()


def _warn(problem: str) -> None:
    _log.warning("dns.upstreams", problem=problem)


class Upstreams:
    """Follows the host's files. No state of them is an error; what cannot be read or written is logged once."""

    def __init__(
        self,
        wanted: Sequence[Upstream | Literal["auto"]],
        state: Path,
        *,
        port: int = DNS_PORT,
        files: HostFiles = HOST_FILES,
        forward: Forward = MappingProxyType({}),
    ) -> None:
        """``wanted`` is ``[dns] upstream``; ``state`` the state directory; ``port`` the one this daemon answers at.

        ``forward`` is ``[dns] forward``.
        """
        self.now: tuple[Upstream, ...] = ()
        """In the order of asking."""
        self.spare: tuple[Upstream, ...] = ()
        """Who is asked where only the one that asks is among those."""
        self.inner_domains: frozenset[Name] = frozenset(forward)
        """Those of ``[dns] forward``, and those that this host's network calls its own."""
        self._wanted = wanted
        self._wanted_forward = self._forward = forward
        self._memory = state / MEMORY
        self._last: list[Address] = []
        self._port = port
        self._files = files
        self._problem = Problem(_warn)
        self._problems: defaultdict[str, Problem] = defaultdict(lambda: Problem(_warn))
        """What cannot be read, written or asked, by subject."""
        self._turn = asyncio.Lock()

    @property
    def problem(self) -> str | None:
        """Return why there is none although some are wanted, or why a domain's is not asked, in one line, or None."""
        forward = {one for resolvers in self._wanted_forward.values() for one in resolvers}
        own = sorted(text for one in forward if (text := self._own_problem("forward", one).text))
        return self._problem.text or "; ".join(own) or None

    async def run(self, own: Callable[[], frozenset[IPv4Address]]) -> None:
        """Look every few seconds, until cancelled; ``own`` says at which addresses this daemon answers."""
        while True:
            await self.refresh(own())
            await asyncio.sleep(REFRESH_SECONDS)

    async def refresh(self, own: frozenset[IPv4Address]) -> None:
        """Look now; ``own`` is never among the upstreams."""
        async with self._turn:
            here = {Upstream(address, self._port) for address in own}
            now, self.spare = await asyncio.to_thread(self._look, here)
            searched = await asyncio.to_thread(self._read, self._files.resolv_conf)
            self.inner_domains = frozenset((*self._wanted_forward, *parse_search_domains(searched)))
            self._forward = {
                domain: tuple(one for one in resolvers if not self._is_own(one, here, "forward"))
                for domain, resolvers in self._wanted_forward.items()
            }
            self._problem.set(_NONE if self._wanted and not now else None)
            if now and now != self.now:
                _log.info("dns.upstreams", upstreams=[str(one) for one in now])
            self.now = now

    def for_question(self, client: str, name: Name, *, inside: bool = False) -> tuple[Upstream, ...]:
        """Return whom to ask for a client, an address: never itself, or questions would go in a circle.

        Two of these daemons, both handed out by a router, are each other's upstreams; the router then is what is left.
        Programs on this host are told apart from an upstream on it by nothing. With ``inside``, nobody outside of
        private networks is asked, unless ``[dns] forward`` says so.
        """
        given = resolvers_of(self._forward, name)
        sources: tuple[tuple[Upstream, ...], ...] = (self.now, self.spare) if given is None else (given,)
        if inside and given is None:
            now, spare = map(_private, sources)
            sources = (now, spare) if now else ()
        for upstreams in sources:
            others = (one for one in upstreams if str(one.address) != client or one.address.is_loopback)
            if found := tuple(others):
                return found
        return ()

    def _look(self, own: set[Upstream]) -> tuple[tuple[Upstream, ...], tuple[Upstream, ...]]:
        """Return the upstreams, and the spare ones: the gateways, where others would be asked by ``auto``."""
        found: list[Upstream] = []
        gateways: list[Address] = []
        for one in self._wanted:
            if not isinstance(one, Upstream):
                routes = parse_default_routes(self._read(self._files.routes))
                gateways = [route.gateway for route in routes if route.gateway]
                found += map(Upstream, self._auto(own, gateways))
            elif not self._is_own(one, own, "upstream"):
                found.append(one)
        spare = (one for one in map(Upstream, choose(own, gateways)) if one not in found)
        return tuple(dict.fromkeys(found)), tuple(spare)

    def _is_own(self, one: Upstream, own: set[Upstream], setting: str) -> bool:
        problem = f"{one} is this daemon itself; remove it from [dns] {setting}" if one in own else None
        self._own_problem(setting, one).set(problem)
        return problem is not None

    def _own_problem(self, setting: str, one: Upstream) -> Problem:
        return self._problems[f"{setting} {one}"]

    def _auto(self, own: set[Upstream], gateways: Sequence[Address]) -> list[Address]:
        files, memory = self._files, self._read(self._memory)
        listed = (files.resolv_conf, files.resolved, files.network_manager)
        if named := choose(own, behind_stubs(*(parse_nameservers(self._read(path)) for path in listed))):
            if own:  # else this host's own address is not known for one
                self._remember(named, memory)
            return named
        return choose(own, self._last or parse_memory(memory), gateways)

    def _read(self, path: Path) -> str:
        """Return what a file says; nothing where it is absent or cannot be read."""
        try:
            with path.open("rb") as file:
                data = file.read(_LONGEST_FILE + 1)
            if len(data) > _LONGEST_FILE:
                raise OSError(errno.EFBIG, os.strerror(errno.EFBIG))  # noqa: TRY301 - a fault like the others
        except FileNotFoundError:
            data = b""
        except OSError as error:
            problem = f"{path} cannot be read: {error.strerror}; make it a readable text file"
            self._problems[f"read {path}"].set(problem)
            return ""
        self._problems[f"read {path}"].clear()
        return data.decode(errors="replace")

    def _remember(self, addresses: list[Address], memory: str) -> None:
        self._last = addresses
        text = "".join(f"{address}\n" for address in addresses)
        problem = None
        if text != memory:
            try:
                write_file(self._memory, text.encode())
            except OSError as error:
                problem = f"{self._memory} cannot be written: {error.strerror}; let the daemon's user do so"
        self._problems[f"write {self._memory}"].set(problem)


def parse_nameservers(text: str) -> list[Address]:
    """Return the resolvers that a resolv.conf(5) names and that can be asked from any interface, in its order."""
    return _addresses(found[1] for line in text.split("\n") if (found := _NAMESERVER.match(line)))


def parse_search_domains(text: str) -> list[Name]:
    """Return the domains that a resolv.conf(5) completes names with: the last of these lines counts."""
    lines = [line[1] for line in map(_SEARCH.match, text.split("\n")) if line]
    found = []
    for word in lines[-1].split() if lines else ():
        with suppress(ValueError):
            found.append(name_of(word))
    return [name for name in found if name != ROOT]


def parse_memory(text: str) -> list[Address]:
    """Return the addresses that were remembered; lines that are none are passed over."""
    return _addresses(text.split("\n"))


def behind_stubs(
    named: Sequence[Address], resolved: Sequence[Address], network_manager: Sequence[Address]
) -> list[Address]:
    """Put what a local stub asks in its place: systemd-resolved's, or another's that NetworkManager has started."""
    found: list[Address] = []
    for address in named:
        if address in _RESOLVED:
            found += resolved
        elif address.is_loopback:
            found += network_manager or [address]
        else:
            found.append(address)
    return found


def choose(own: set[Upstream], *sources: Sequence[Address]) -> list[Address]:
    """Return the first of these that is not ``own`` alone, without that."""
    for source in sources:
        if others := [address for address in dict.fromkeys(source) if Upstream(address) not in own]:
            return others[:_MOST]
    return []


def _private(upstreams: Iterable[Upstream]) -> tuple[Upstream, ...]:
    return tuple(one for one in upstreams if one.address.is_private)


def _addresses(texts: Iterable[str]) -> list[Address]:
    found = []
    for text in texts:
        with suppress(ValueError):
            found.append(parse_address(text))
    return found
