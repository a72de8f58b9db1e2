"""The page *Assets*: which boot files are there, and which are coming."""

from typing import Any

from aiohttp import web

from iluvatar_pxe.admin.asset_words import is_stuck, state_words, trouble
from iluvatar_pxe.admin.assets import AssetsStatus
from iluvatar_pxe.admin.data import Data
from iluvatar_pxe.boot.words import shortened
from iluvatar_pxe.web.context import WebContext
from iluvatar_pxe.web.render import Renderer

MOVING_SECONDS, RESTING_SECONDS = 2, 30
"""How often a browser asks again: while files come, and while none does."""


def routes(context: WebContext, renderer: Renderer) -> list[web.RouteDef]:
    """Return this page's routes."""

    async def show(_: web.Request) -> web.Response:
        files = (await AssetsStatus().carry_out(context.commands, "the page"))["files"]
        return renderer.page("assets.html", **page_of(files))

    return [web.get("/assets", show)]


def page_of(files: list[Data]) -> dict[str, Any]:
    """Return what the template shows: what is not there comes first."""
    rows = [_row(one) for one in files]
    coming = [one for one in rows if not one["ready"]]
    is_moving = any(not one["stuck"] for one in coming) or any(one["state"] == "verifying" for one in rows)
    return {
        "coming": coming,
        "there": [one for one in rows if one["ready"]],
        "size": sum(one["size"] or 0 for one in rows if one["ready"]),
        "seconds": MOVING_SECONDS if is_moving else RESTING_SECONDS,
    }


def _row(file: Data) -> Data:
    return file | {
        "short": shortened(file["name"]),
        "words": state_words(file),
        "why": trouble(file),
        "stuck": is_stuck(file),
    }
