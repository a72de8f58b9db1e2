"""aiohttp with nothing around it, which answers every path with the same text: ``python -m bench.bare_aiohttp PORT FILE``.

What a server of this library can reach here, whatever it is asked.
"""

import asyncio
import sys
from pathlib import Path

from aiohttp import web


def main() -> None:
    port, file = sys.argv[1:]
    asyncio.run(serve(int(port), Path(file).read_text()))


async def serve(port: int, text: str) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(text=text, headers={"Cache-Control": "no-store"})

    app = web.Application()
    app.router.add_get("/{path:.*}", answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, None, port).start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    main()
