"""The web site that is loaded when somebody looks at it."""

import asyncio
import sys
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from support.page_site import PageSite

from iluvatar_pxe.app.late_site import LateSite
from iluvatar_pxe.servers.http.late_routes import LateRoutes

STREAM = "/api/v1/events"


async def test_one_that_is_loaded_while_the_daemon_stops_begins_no_stream(tmp_path: Path) -> None:
    site = LateSite(PageSite(tmp_path).context)
    app = web.Application()
    app.router.register_resource(LateRoutes(site.routes))
    async with TestClient(TestServer(app)) as client:
        site.close()
        answer = await client.get(STREAM)
        assert (answer.status, await answer.text()) == (503, "the daemon stops")


async def test_it_runs_from_the_first_load_that_succeeds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = LateSite(PageSite(tmp_path).context)
    running = asyncio.create_task(site.run())
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "iluvatar_pxe.web.site", None)  # so that importing it fails
        with pytest.raises(ImportError):
            await site.routes()
    assert not running.done()
    assert list(await site.routes())
    await asyncio.sleep(0)
    assert site._site
    assert not running.done(), "it goes on"
    running.cancel()
