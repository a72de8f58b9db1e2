"""A publisher of files on loopback, with and without TLS, that misbehaves in each way that is asked of it."""

import asyncio
import hashlib
import sys
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing, contextmanager
from dataclasses import dataclass, field
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO, Literal

import pysequoia
from aiohttp import web
from support.in_thread import InThread
from support.ports import free_port
from support.publisher_tls import Authority, Fault

_CHUNK = 64 * 1024
HTML = b"<!DOCTYPE html>\n<html><head><title>Sign in</title></head><body>Hotel Wi-Fi</body></html>\n"


@dataclass(kw_only=True)
class Offer:
    """One file, and what is wrong with the answers. Faults end after ``times`` answers, unless that is None."""

    content: bytes | Path = b""
    then: bytes | Path | None = None
    """What the file is from the second answer on: it has changed in between."""
    times: int | None = None

    ranges: bool = True
    """False: ``Range`` is ignored, and the whole file is sent."""
    etag: Literal["strong", "weak", "constant"] | None = "strong"
    """``constant``: it stays when the content changes, which is a lie."""
    modified: str | None = None
    """``Last-Modified``."""
    then_modified: str | None = None
    """``Last-Modified`` from the second answer on."""
    if_range: bool = True
    """False: ``If-Range`` is ignored, and a part of what is there now is sent."""
    tagged_parts: bool = True
    """False: parts have no ``ETag``."""
    encoding: str | None = None
    """``Content-Encoding``: some publishers label archives so."""
    sized: bool = True
    """False: no ``Content-Length``, but chunks."""

    claims: int | None = None
    """A ``Content-Length`` that is not the content's."""
    truncate: int | None = None
    """Hang up after so many bytes of the body."""
    stall: int | None = None
    """Send no more after so many bytes of the body, and stay connected, until ``go_on`` is called."""
    html: bool = False
    """Answer 200 with a page of HTML."""
    status: int | None = None
    """Answer with this error."""
    retry_after: str | None = None
    redirect: str | None = None
    """``Location`` of a 302, as it is sent."""
    expiring: bool = False
    """Redirect to an address that is valid for one request."""

    rate: float | None = None
    """Bytes per second."""
    builds: float = 0.0
    """Seconds after the first request in which no byte of an answer is sent: the image factory builds."""

    answers: int = 0
    """How many there were."""
    _ready_at: float | None = None

    def body(self) -> bytes | Path:
        return self.then if self.then is not None and self.answers > 1 else self.content

    @property
    def dated(self) -> str | None:
        return self.then_modified if self.then_modified and self.answers > 1 else self.modified

    @property
    def misbehaves(self) -> bool:
        return self.times is None or self.answers <= self.times

    async def build(self) -> None:
        """Wait until the file is built, which goes on when the client leaves."""
        now = asyncio.get_running_loop().time()
        if self._ready_at is None:
            self._ready_at = now + self.builds
        await asyncio.sleep(self._ready_at - now)


@dataclass(frozen=True)
class Asked:
    """A request as it came; header names in lower case."""

    method: str
    path: str
    headers: dict[str, str]
    tls: bool

    @property
    def start(self) -> int:
        """The first byte that it asked for."""
        return int(self.headers.get("range", "bytes=0-").removeprefix("bytes=").partition("-")[0])


@dataclass
class Publisher(InThread):
    """``offers`` are files by their path; ``asked`` has every request."""

    authority: Authority
    host: str = "127.0.0.1"
    port: int = field(default_factory=free_port)
    tls_port: int = field(default_factory=free_port)
    offers: dict[str, Offer] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)
    sent: int = 0
    """Bytes of bodies."""
    _tokens: dict[str, str] = field(default_factory=dict)

    def offer(self, path: str, content: bytes | Path = b"", **how: Any) -> str:
        """Offer a file at ``path``, which begins with ``/``, and return its address."""
        self.offers[path] = Offer(content=content, **how)
        return self.url(path)

    def offer_sums(self, path: str, *names: str, wrong: bool = False, algorithm: str = "sha256") -> str:
        """Offer a list of checksums of the files at the paths ``names``; return its address."""
        lines = []
        for name in names:
            data = b"wrong" if wrong else _whole(self.offers[name].content)
            lines.append(f"{hashlib.new(algorithm, data).hexdigest()} *{name.rpartition('/')[2]}\n")
        return self.offer(path, "".join(lines).encode())

    def offer_signature(self, path: str, of: str, key: pysequoia.Tsk, *, wrong: bool = False) -> str:
        """Offer a detached OpenPGP signature of the file at ``of``, or of another file if it is wrong."""
        data = b"wrong" if wrong else _whole(self.offers[of].content)
        mode = pysequoia.SignatureMode.DETACHED
        return self.offer(path, pysequoia.sign(key.signer(), data, mode=mode))

    def url(self, path: str, *, tls: bool = False) -> str:
        return f"https://localhost:{self.tls_port}{path}" if tls else f"http://{self.host}:{self.port}{path}"

    def asked_for(self, path: str) -> list[Asked]:
        return [asked for asked in self.asked if asked.path == path]

    def go_on(self) -> None:
        """Send the rest of all that stalls."""
        self._loop.call_soon_threadsafe(self._goes_on.set)

    async def _start(self) -> None:
        self._goes_on, self._closing = asyncio.Event(), False
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._answer)
        self._runner = web.AppRunner(app, handler_cancellation=True, access_log=None, shutdown_timeout=1)
        await self._runner.setup()
        await web.TCPSite(self._runner, self.host, self.port).start()
        context = self.authority.server_context()
        await web.TCPSite(self._runner, self.host, self.tls_port, ssl_context=context).start()

    async def _stop(self) -> None:
        self._closing = True
        self._goes_on.set()
        await self._runner.cleanup()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.asked.append(Asked(request.method, request.raw_path, headers, request.secure))
        path = self._tokens.pop(request.raw_path, None)
        by_token = path is not None
        offer = self.offers.get(path or request.raw_path)
        if offer is None:
            status = 403 if request.raw_path.startswith("/once/") else 404
            return web.Response(status=status, text="no such file\n")
        if offer.expiring and not by_token:
            return self._redirect_once(request)
        offer.answers += 1
        await offer.build()
        if offer.misbehaves and (answer := _fault(offer)):
            return answer
        return await self._send(request, offer)

    def _redirect_once(self, request: web.Request) -> web.Response:
        address = f"/once/{len(self.asked)}{request.path}"
        self._tokens[address] = request.raw_path
        return web.Response(status=302, headers={"Location": address})

    async def _send(self, request: web.Request, offer: Offer) -> web.StreamResponse:
        content = offer.body()
        size = content.stat().st_size if isinstance(content, Path) else len(content)
        etag = _etag(offer, content)
        start = _start_of(request, offer, etag)
        if start is not None and not offer.tagged_parts:
            etag = None
        if start is not None and start >= size:
            return web.Response(status=416, headers={"Content-Range": f"bytes */{size}"})
        response = _head(offer, etag, start, size)
        await response.prepare(request)
        if request.method != "HEAD":
            await self._send_body(request, response, offer, partial(_read, content, start or 0))
        return response

    async def _send_body(
        self, request: web.Request, response: web.StreamResponse, offer: Offer, read: Any
    ) -> None:
        bounds = [bound for bound in (offer.truncate, offer.stall) if bound is not None and offer.misbehaves]
        left = min(bounds, default=sys.maxsize)
        async with aclosing(read(offer.rate)) as chunks:
            async for chunk in chunks:
                await self._write(response, chunk[:left])
                if len(chunk) < left:
                    left -= len(chunk)
                elif offer.stall is None or await self._is_closed():
                    break
                else:
                    await self._write(response, chunk[left:])
                    left = sys.maxsize
        is_short = offer.misbehaves and (offer.truncate is not None or offer.claims is not None)
        if is_short and request.transport:
            request.transport.close()

    async def _write(self, response: web.StreamResponse, part: bytes) -> None:
        await response.write(part)
        self.sent += len(part)

    async def _is_closed(self) -> bool:
        """Wait until what stalls is to go on, or not any more."""
        await self._goes_on.wait()
        return self._closing


def _fault(offer: Offer) -> web.Response | None:
    """Return the answer that is no file, if it is one."""
    if offer.status:
        headers = {"Retry-After": offer.retry_after} if offer.retry_after else {}
        return web.Response(status=offer.status, text="sorry\n", headers=headers)
    if offer.redirect is not None:
        return web.Response(status=302, headers={"Location": offer.redirect})
    if offer.html:
        return web.Response(body=HTML, content_type="text/html")
    return None


def _etag(offer: Offer, content: bytes | Path) -> str | None:
    if offer.etag is None:
        return None
    if offer.etag == "constant":
        return '"constant"'
    data = str(content).encode() if isinstance(content, Path) else content
    tag = f'"{hashlib.sha256(data).hexdigest()[:16]}"'
    return f"W/{tag}" if offer.etag == "weak" else tag


def _start_of(request: web.Request, offer: Offer, etag: str | None) -> int | None:
    """Return where a partial answer begins; None: the whole file is sent (RFC 9110, 13.1.5 and 14.2)."""
    asked, condition = request.headers.get("Range"), request.headers.get("If-Range")
    if not offer.ranges or asked is None:
        return None
    if not offer.if_range:
        condition = None
    if condition is not None and (condition.startswith("W/") or condition not in {etag, offer.dated}):
        return None
    return int(asked.removeprefix("bytes=").partition("-")[0])


def _head(offer: Offer, etag: str | None, start: int | None, size: int) -> web.StreamResponse:
    response = web.StreamResponse(status=200 if start is None else 206)
    response.content_type = "application/octet-stream"
    if etag:
        response.headers["ETag"] = etag
    if offer.dated:
        response.headers["Last-Modified"] = offer.dated
    if offer.encoding:
        response.headers["Content-Encoding"] = offer.encoding
    if offer.ranges:
        response.headers["Accept-Ranges"] = "bytes"
    if start is not None:
        response.headers["Content-Range"] = f"bytes {start}-{size - 1}/{size}"
    if offer.misbehaves and offer.claims is not None:
        response.content_length = offer.claims
    elif offer.sized:
        response.content_length = size - (start or 0)
    else:
        response.enable_chunked_encoding()
    return response


async def _read(content: bytes | Path, start: int, rate: float | None) -> AsyncGenerator[bytes, None]:
    """Yield the content in pieces, in time with ``rate``."""
    loop = asyncio.get_running_loop()
    piece = _CHUNK if rate is None else max(1, min(_CHUNK, int(rate / 20)))
    began, sent = loop.time(), 0
    with _open(content) as file:
        file.seek(start)
        while chunk := file.read(piece):
            yield chunk
            sent += len(chunk)
            if rate is not None:
                await asyncio.sleep(began + sent / rate - loop.time())


def _whole(content: bytes | Path) -> bytes:
    with _open(content) as file:
        return file.read()


def _open(content: bytes | Path) -> BinaryIO:
    return content.open("rb") if isinstance(content, Path) else BytesIO(content)


@contextmanager
def publisher(directory: Path, certificate: Fault | None = None) -> Iterator[Publisher]:
    """Publish files while the block runs; its certificate is good unless a fault is named.

    Clients trust its CA with ``SSL_CERT_FILE`` set to ``authority.file``.
    """
    with Publisher(Authority.make(directory, certificate)) as running:
        yield running
