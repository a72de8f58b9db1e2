"""``POST /api/v1/fleet/refresh``: a forge tells that somebody has pushed, signed with the secret that both know.

What has no signature is refused before its body is read. Whoever overhears a request can send it again, but has the
fleet looked at no more often than a short poll does.
"""

import asyncio
import hashlib
import hmac
import re
import time
from collections.abc import Callable
from pathlib import Path

import structlog
from aiohttp import hdrs, web
from aiohttp.http_exceptions import PayloadEncodingError

from iluvatar_pxe.bounded import Recent
from iluvatar_pxe.ratelimit import complain
from iluvatar_pxe.servers.http.faults import WEBHOOK

LARGEST_BODY = 25 << 20
"""Octets: GitHub's payloads are not larger."""
BODY_SECONDS = 30.0
REPLAY_SECONDS = 10.0
"""How long a request that was accepted does nothing if it comes again; a forge's payloads are never the same twice."""
MOST_REMEMBERED = 1024
"""Requests that are remembered for that long."""
SIGNATURES = ("X-Hub-Signature-256", "X-Forgejo-Signature", "X-Gitea-Signature", "X-Gogs-Signature")
"""Headers with HMAC-SHA256 of the body in hex: GitHub's (``sha256=`` before it), Forgejo's, Gitea's, Gogs'."""

_WRONG = "the signature is missing or wrong; configure this server's secret in the forge"
_SIGNATURE = re.compile(r"(?:sha256=)?([0-9a-f]{64})", re.ASCII | re.IGNORECASE)
_log = structlog.get_logger()


class Webhook:
    """Wakes whoever follows the fleet, for those who know the secret."""

    def __init__(
        self,
        secret_file: Path | None,
        wake: Callable[[], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._secret_file = secret_file
        self._wake = wake
        self._clock = clock
        self._accepted: Recent[str, float] = Recent(MOST_REMEMBERED)
        """By signature, when it was accepted last."""

    @property
    def route(self) -> web.RouteDef:
        """Where it is called."""
        return web.post(WEBHOOK, self.receive)

    async def receive(self, request: web.Request) -> web.Response:
        """Check the signature, and have the fleet looked at."""
        secret = await self._secret()
        try:
            signature = _signature(request)
            mac = hmac.new(secret, digestmod=hashlib.sha256)
            await _feed(mac, request)
            if not hmac.compare_digest(mac.hexdigest(), signature):
                raise web.HTTPForbidden(text=_WRONG)
        except web.HTTPException as error:
            complain("fleet.webhook", client=request.remote, why=error.text)
            raise
        if self._is_new(signature):
            self._wake()
            _log.info("fleet.webhook", client=request.remote)
        else:
            complain("fleet.webhook", client=request.remote, why="the same request came before; ignored")
        return web.json_response({"message": "the fleet will be fetched"}, status=202)

    def _is_new(self, signature: str) -> bool:
        """Take note of a request that was accepted; say whether it is no repetition of a recent one."""
        now, before = self._clock(), self._accepted.get(signature)
        if before is not None and now - before < REPLAY_SECONDS:
            return False
        self._accepted.put(signature, now)
        return True

    async def _secret(self) -> bytes:
        if self._secret_file is None:
            complain("fleet.webhook", why="it is disabled: [fleet] webhook_secret_file is not set")
            raise web.HTTPNotFound(text="the webhook is disabled: [fleet] webhook_secret_file is not set")
        try:
            secret = (await asyncio.to_thread(self._secret_file.read_bytes)).strip()
        except OSError as error:
            complain("fleet.webhook", why=f"{self._secret_file}: {error.strerror}; make it readable")
            raise web.HTTPServiceUnavailable(
                text="this server cannot read its secret; see its log"
            ) from error
        if not secret:
            complain("fleet.webhook", why=f"{self._secret_file}: is empty; write the forge's secret into it")
            raise web.HTTPServiceUnavailable(text="this server's secret is empty")
        return secret


def _signature(request: web.Request) -> str:
    """Return the signature that a request carries, in lower-case hex; raises HTTPForbidden where it is none."""
    given = next((request.headers[name] for name in SIGNATURES if name in request.headers), "")
    found = _SIGNATURE.fullmatch(given.strip())
    if not found:
        raise web.HTTPForbidden(text=_WRONG)
    return found[1].lower()


async def _feed(mac: "hmac.HMAC", request: web.Request) -> None:
    if request.headers.get(hdrs.CONTENT_ENCODING, "identity").lower() != "identity":
        raise web.HTTPUnsupportedMediaType(text="unsupported Content-Encoding; send the body as it is")
    _check_size(request.content_length or 0)
    octets = 0
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for chunk in request.content.iter_any():
                octets += len(chunk)
                _check_size(octets)
                mac.update(chunk)
    except TimeoutError as error:
        raise web.HTTPRequestTimeout(text=f"the body did not arrive within {BODY_SECONDS:g} s") from error
    except (PayloadEncodingError, web.RequestPayloadError) as error:
        raise web.HTTPBadRequest(text="the body is malformed") from error


def _check_size(octets: int) -> None:
    if octets > LARGEST_BODY:
        told = f"the body exceeds {LARGEST_BODY >> 20} MiB"
        raise web.HTTPRequestEntityTooLarge(LARGEST_BODY, octets, text=told)
