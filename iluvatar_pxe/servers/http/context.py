"""What HTTP handlers find in the application, and what they ask of a request."""

from collections.abc import Awaitable, Callable
from functools import lru_cache
from ipaddress import IPv4Address
from urllib.parse import parse_qsl

from aiohttp import hdrs, web
from msgspec import Struct

from iluvatar_pxe.admin.command import CommandContext
from iluvatar_pxe.admin.health import Health
from iluvatar_pxe.assets.source import Source
from iluvatar_pxe.catalogue.download import Digest
from iluvatar_pxe.provisioning.booter import Booter, Booters
from iluvatar_pxe.provisioning.countdowns import Countdowns
from iluvatar_pxe.replies.links import Links
from iluvatar_pxe.servers.http.sending import FileSender
from iluvatar_pxe.tls.certificates import Certificates
from iluvatar_pxe.wire.pxe import SIMULATED

BOOTERS = web.AppKey("booters", Booters)
COUNTDOWNS = web.AppKey("countdowns", Countdowns)
HEALTH = web.AppKey("health", Health)
CERTIFICATES = web.AppKey("certificates", Certificates)
SENDER = web.AppKey("sender", FileSender)
PLAIN_PORT = web.AppKey("plain_port", int)
COMMAND_CONTEXT = web.AppKey("command_context", CommandContext)
OFFERED = web.AppKey[Callable[[Digest], Awaitable[Source | None]]]("offered")
"""Opens a downloaded file by its checksum, for other daemons."""
BY = web.RequestKey("by", str)
"""Who asks, for the record; set by whoever knows."""

_MOST_ADDRESSES = 1024
"""Addresses that are remembered as they are written and as values."""
_MARK = SIMULATED.decode()


class Asker(Struct, frozen=True):
    """Who asks for a script: the ``client``'s address, its User-Agent, this server as it sees it, and what serves it."""

    client: IPv4Address
    agent: str
    links: Links
    booter: Booter
    countdowns: Countdowns


def asker_of(request: web.Request) -> Asker:
    """Return who asks."""
    agent = request.headers.get(hdrs.USER_AGENT, "")
    return Asker(client_of(request), agent, links_of(request), booter_of(request), request.app[COUNTDOWNS])


def booter_of(request: web.Request) -> Booter:
    """Return the booter that serves the one who asks."""
    return request.app[BOOTERS].facing(simulated=is_simulated(request.headers.get(hdrs.USER_AGENT, "")))


def is_simulated(agent: str) -> bool:
    """Say whether a client says that it is simulated, in its User-Agent."""
    return _MARK in agent


def links_of(request: web.Request) -> Links:
    """Return this server at the address by which the client reached it, without TLS: iPXE does not know the CA."""
    return Links(own_address_of(request), request.app[PLAIN_PORT])


def client_of(request: web.Request) -> IPv4Address:
    """Return the address a request comes from."""
    return address_of(request.remote or "0.0.0.0")  # noqa: S104


def own_address_of(request: web.Request) -> IPv4Address:
    """Return the address of this host by which the client reached it."""
    if request.transport is None:
        raise web.HTTPServiceUnavailable(text="the connection was closed")
    return address_of(request.transport.get_extra_info("sockname")[0])


@lru_cache(_MOST_ADDRESSES)
def address_of(text: str) -> IPv4Address:
    """Return an address that is written as text."""
    return IPv4Address(text)


def host_of(request: web.BaseRequest) -> str:
    """Return the server that a request names: in a target in absolute form, else in Host (RFC 9112, 3.2.2)."""
    if request.raw_path.startswith("/"):
        return request.headers.get(hdrs.HOST, "")
    return request.url.host or ""


def is_private(request: web.Request) -> bool:
    """Say whether nobody else can read the request: by TLS, or since it comes from this host.

    The kernel takes no packet from outside whose source is an address of its own, and of a host's connections to
    itself both ends have the address that was called (ip-route(8), table local).
    """
    client = client_of(request)
    return request.secure or client.is_loopback or client == own_address_of(request)


def query_of(text: str) -> dict[str, str]:
    """Return the keys of a query as iPXE writes it: its ``:uristring`` leaves ``+`` as it is, and never means a space."""
    return dict(parse_qsl(text.replace("+", "%2B")))


def script(text: str) -> web.Response:
    """Return an iPXE script, never to be cached."""
    return web.Response(text=text, headers={"Cache-Control": "no-store"})
