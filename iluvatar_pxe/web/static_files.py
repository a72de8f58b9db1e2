"""Style and scripts of the page, which a browser keeps until they change."""

import hashlib
from pathlib import Path

from aiohttp import web

_DIRECTORY = Path(__file__).parent / "static"
_KINDS = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_HEADERS = {"Cache-Control": "no-cache", "X-Content-Type-Options": "nosniff"}


class StaticFiles:
    """All files of the page in memory: they are at most 150 KB."""

    def __init__(self) -> None:
        self._files = {path.name: (path.read_bytes(), _KINDS[path.suffix]) for path in _DIRECTORY.iterdir()}
        self._tags = {name: hashlib.sha256(text).hexdigest()[:16] for name, (text, _) in self._files.items()}

    def routes(self) -> list[web.RouteDef]:
        """Return where they are served."""
        return [web.get("/static/{name}", self._serve)]

    async def _serve(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        if name not in self._files:
            raise web.HTTPNotFound
        body, kind = self._files[name]
        tag = self._tags[name]
        if any(one.value == tag for one in request.if_none_match or ()):
            answer = web.Response(status=304, headers=_HEADERS)
        else:
            answer = web.Response(body=body, content_type=kind, headers=_HEADERS)
            answer.enable_compression()
        answer.etag = tag
        return answer
