"""``/metrics``: for whoever the HTTP server lets in, as everything that is only read."""

from aiohttp import hdrs, web

from iluvatar_pxe.web.context import WebContext
from iluvatar_pxe.web.metrics.census import CensusTaker

HEADERS = {hdrs.CONTENT_TYPE: "text/plain; version=0.0.4; charset=utf-8", hdrs.CACHE_CONTROL: "no-store"}
"""The text format (Prometheus, Exposition formats)."""


def routes(context: WebContext) -> list[web.RouteDef]:
    """Return where the metrics are."""
    taker = CensusTaker()

    async def show(_: web.Request) -> web.Response:
        from iluvatar_pxe.web.metrics.exposition import exposition  # noqa: PLC0415 - most daemons are not asked

        answer = web.Response(body=await exposition(context, taker), headers=HEADERS)
        answer.enable_compression()
        return answer

    return [web.get("/metrics", show)]
