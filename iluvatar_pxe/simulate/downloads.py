"""Downloads as firmware makes them, by TFTP and by HTTP; bodies are counted and hashed, not kept."""

import asyncio
import re
from collections.abc import Mapping
from ipaddress import IPv4Address
from types import MappingProxyType
from urllib.parse import SplitResult, urlsplit

import aiohttp
from msgspec import Struct
from yarl import URL

from iluvatar_pxe.errors import NoAnswerError, NoFileError, SimulateError
from iluvatar_pxe.simulate.content import Content
from iluvatar_pxe.simulate.link.attachment import Attachment
from iluvatar_pxe.simulate.tftp_download import Download, Manner, Outcome

MARK = "iluvatar-simulate"
"""At the end of every User-Agent."""
_PIECE = 256 * 1024
_SIZE = re.compile(r"[0-9]{1,18}")
_ERRORS = {Outcome.MISSING: NoFileError, Outcome.SILENCE: NoAnswerError, Outcome.REFUSED: SimulateError}


async def by_tftp(attachment: Attachment, server: IPv4Address, name: str, manner: Manner) -> Content:
    """Fetch a file, or find out that it is there; raises NoFileError, NoAnswerError or SimulateError."""
    loop = asyncio.get_running_loop()
    channel = attachment.udp()
    try:
        download = Download(name, (str(server), attachment.ports.tftp), manner, loop.time())
        while True:
            for datagram, peer in download.datagrams_to_send():
                channel.send(datagram, peer)
            if (deadline := download.deadline()) is None:
                break
            heard = await channel.receive(deadline - loop.time())
            if heard:
                download.receive(*heard, loop.time())
            else:
                download.expire(loop.time())
    finally:
        channel.close()
    if error := _ERRORS.get(download.outcome or Outcome.DONE):
        raise error(f"{name}: {download.reason}")
    return download.content


class Answer(Struct, frozen=True):
    """Of an HTTP server: its status, and the beginning of its text."""

    status: int
    text: str


class HttpClient:
    """One machine's HTTP connections; ``close`` ends them."""

    def __init__(self, attachment: Attachment) -> None:
        self._attachment = attachment
        self._session: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        """Close what is open."""
        if self._session:
            await self._session.close()

    async def get(self, url: str, agent: str, seconds: float) -> Content:
        """Fetch a file; ``seconds`` without a byte are too many. Raises NoFileError, NoAnswerError or SimulateError."""
        content = Content()
        try:
            async with self._request("GET", url, agent, seconds) as response:
                _check(response)
                async for piece in response.content.iter_chunked(_PIECE):
                    content.add(piece)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise NoAnswerError(f"HTTP: {_words(error)}") from error
        return content

    async def head(self, url: str, agent: str, seconds: float) -> int:
        """Ask how long a file is, as HTTP Boot does first; raises as ``get``."""
        try:
            async with self._request("HEAD", url, agent, seconds) as response:
                _check(response)
                size = response.headers.get("Content-Length", "")
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise NoAnswerError(f"HTTP: {_words(error)}") from error
        if not _SIZE.fullmatch(size):
            raise SimulateError("the HTTP server does not say how long the file is")
        return int(size)

    async def ask(
        self, method: str, url: str, agent: str, seconds: float, body: bytes = b"", kind: str = ""
    ) -> Answer:
        """Send a body of a kind, and return the answer whatever its status; raises NoAnswerError or SimulateError."""
        content, headers = Content(), {"Content-Type": kind} if kind else {}
        try:
            async with self._request(method, url, agent, seconds, body, headers) as response:
                async for piece in response.content.iter_chunked(_PIECE):
                    content.add(piece)
                return Answer(response.status, content.text)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise NoAnswerError(f"HTTP: {_words(error)}") from error

    def _request(
        self,
        method: str,
        url: str,
        agent: str,
        seconds: float,
        body: bytes = b"",
        headers: Mapping[str, str] = MappingProxyType({}),
    ) -> "aiohttp.client._RequestContextManager":
        parts = split_url(url)
        if parts.scheme != "http":
            raise SimulateError(f"{url} is not an http:// URL")
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=self._attachment.connector(),
                skip_auto_headers=("Accept", "Accept-Encoding"),
                auto_decompress=False,
            )
        return self._session.request(
            method,
            URL(parts.geturl(), encoded=True),
            headers={"User-Agent": f"{agent} {MARK}", **headers},
            data=body or None,
            allow_redirects=False,
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=seconds, sock_read=seconds),
        )


def _check(response: aiohttp.ClientResponse) -> None:
    if 300 <= response.status < 400:
        raise SimulateError(f"the HTTP server redirects ({response.status}), which firmware does not follow")
    if response.status == 404:
        raise NoFileError("the HTTP server has no such file (404)")
    if response.status != 200:
        raise SimulateError(f"the HTTP server answers {response.status}")


def split_url(url: str) -> SplitResult:
    """Take an address apart; raises SimulateError unless its host is an IPv4 address and its port, if any, a port."""
    try:
        parts = urlsplit(url)
        _ = IPv4Address(parts.hostname or ""), parts.port
    except ValueError as error:
        raise SimulateError(
            f"{url}: needs an IPv4 address as its host, as firmware may have no DNS, and a valid port ({error})"
        ) from error
    return parts


def _words(error: Exception) -> str:
    """Return what an error says, on one line: aiohttp shows bad bytes below its message."""
    return " ".join(str(error).split()) or type(error).__name__
