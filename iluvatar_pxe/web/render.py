"""Templates become pages: everything is escaped, and a browser loads nothing from elsewhere."""

import asyncio
from pathlib import Path
from typing import Any

from aiohttp import web
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from iluvatar_pxe.admin.boot_parts import Part
from iluvatar_pxe.web.visitor import visitor
from iluvatar_pxe.web.words import FILTERS, server_time

_TEMPLATES = Path(__file__).parent / "templates"
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}
"""Of every page. With the policy ``no-referrer`` browsers would not say whose page a form is of (Fetch, 3.2.5). What a machine says of itself stays text even if it gets by the escaping (W3C, CSP Level 3)."""


_PIECES = 64
"""Of a page that are rendered at once: about 0.2 ms of a PC's processor, and 1 ms of a Raspberry Pi's."""


def environment() -> Environment:
    """Return the environment of the page's templates; each is read when it is used first. ``visitor()`` is who looks."""
    made = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.filters.update(FILTERS)
    made.globals |= {"visitor": visitor, "now": server_time, "parts": tuple(Part)}
    return made


class Renderer:
    """Renders pages and the fragments that replace parts of them."""

    def __init__(self) -> None:
        self._environment = environment()

    def text(self, template: str, **values: Any) -> str:
        """Return a template as HTML."""
        return self._environment.get_template(template).render(values)

    async def text_in_turns(self, template: str, **values: Any) -> str:
        """Return a template as HTML; whoever boots is answered between its pieces."""
        pieces = []
        for number, piece in enumerate(self._environment.get_template(template).generate(values), 1):
            pieces.append(piece)
            if number % _PIECES == 0:
                await asyncio.sleep(0)
        return "".join(pieces)

    def page(self, template: str, *, status: int = 200, **values: Any) -> web.Response:
        """Return a template as an answer."""
        return html_response(self.text(template, **values), status)


def html_response(text: str, status: int = 200) -> web.Response:
    """Return a page's text as an answer."""
    return web.Response(text=text, status=status, content_type="text/html", headers=HEADERS)
