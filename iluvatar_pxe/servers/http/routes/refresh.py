"""``POST /api/v1/fleet/refresh``: a forge tells that somebody has pushed, signed with the secret that both know."""

import asyncio
import hashlib
import hmac
from collections.abc import Callable
from pathlib import Path

import structlog
from aiohttp import web

from iluvatar_pxe.ratelimit import complain

LARGEST_BODY = 25 << 20
"""Octets: GitHub's payloads are not larger."""
BODY_SECONDS = 30.0
SIGNATURES = ("X-Hub-Signature-256", "X-Forgejo-Signature", "X-Gitea-Signature", "X-Gogs-Signature")
"""Headers with HMAC-SHA256 of the body in hex: GitHub's (``sha256=`` before it), Forgejo's, Gitea's, Gogs'."""

_log = structlog.get_logger()


class Webhook:
    """Wakes whoever follows the fleet, for those who know the secret."""

    def __init__(self, secret_file: Path | None, wake: Callable[[], None]) -> None:
        self._secret_file = secret_file
        self._wake = wake

    @property
    def route(self) -> web.RouteDef:
        """Where it is called."""
        return web.post("/api/v1/fleet/refresh", self.receive)

    async def receive(self, request: web.Request) -> web.Response:
        """Check the signature, and have the fleet looked at."""
        mac = hmac.new(await self._secret(), digestmod=hashlib.sha256)
        await _feed(mac, request)
        given = next((request.headers[name] for name in SIGNATURES if name in request.headers), "")
        signature = given.removeprefix("sha256=").strip().lower()
        if not hmac.compare_digest(mac.hexdigest().encode(), signature.encode("utf-8", "replace")):
            complain("fleet.webhook", client=request.remote, why="missing or wrong signature")
            raise web.HTTPForbidden(
                text="the signature is missing or wrong; configure this server's secret in the forge"
            )
        self._wake()
        _log.info("fleet.webhook", client=request.remote)
        return web.json_response({"message": "the fleet will be fetched"}, status=202)

    async def _secret(self) -> bytes:
        if self._secret_file is None:
            raise web.HTTPNotFound(text="the webhook is disabled: [fleet] webhook_secret_file is not set")
        try:
            secret = (await asyncio.to_thread(self._secret_file.read_bytes)).strip()
        except OSError as error:
            complain("fleet.webhook", why=f"{self._secret_file}: {error.strerror}; make it readable")
            raise web.HTTPServiceUnavailable(
                text="this server cannot read its secret; see its log"
            ) from error
        if not secret:
            raise web.HTTPServiceUnavailable(text="this server's secret is empty")
        return secret


async def _feed(mac: "hmac.HMAC", request: web.Request) -> None:
    octets = 0
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for chunk in request.content.iter_any():
                octets += len(chunk)
                if octets > LARGEST_BODY:
                    raise web.HTTPRequestEntityTooLarge(LARGEST_BODY, octets)
                mac.update(chunk)
    except TimeoutError as error:
        raise web.HTTPRequestTimeout(text="the body is incomplete") from error
