"""What is loaded late is loaded once, when nothing else has the path, and is then as any other route."""

import asyncio

from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from iluvatar_pxe.servers.http.late_routes import LateRoutes


async def test_it_is_loaded_once_and_when_nothing_else_has_the_path() -> None:
    loads = 0

    async def text(request: web.Request) -> web.Response:
        return web.Response(text=request.match_info.get("name", "early"))

    async def load() -> list[web.RouteDef]:
        nonlocal loads
        loads += 1
        await asyncio.sleep(0)
        return [web.get("/late/{name}", text), web.post("/", text)]

    app = web.Application()
    app.add_routes([web.get("/early", text)])
    app.router.register_resource(LateRoutes(load))
    async with TestClient(TestServer(app)) as client:
        assert await (await client.get("/early")).text() == "early"
        assert loads == 0
        answers = await asyncio.gather(*(client.get(f"/late/{name}") for name in "abc"))
        assert [await one.text() for one in answers] == ["a", "b", "c"]
        refused = [await client.get("/"), await client.get("/none"), await client.post("/early")]
        assert [(one.status, one.headers.get("Allow")) for one in refused] == [
            (405, "POST"),
            (404, None),
            (405, "GET,HEAD"),
        ]
        assert loads == 1


async def test_a_failure_to_load_is_every_requests_own_and_the_next_one_tries_again() -> None:
    loads = 0

    async def text(_: web.Request) -> web.Response:
        return web.Response(text="late")

    async def load() -> list[web.RouteDef]:
        nonlocal loads
        loads += 1
        await asyncio.sleep(0)
        if loads <= 2:
            raise ImportError
        return [web.get("/late", text)]

    app = web.Application()
    app.add_routes([web.get("/early", text)])
    app.router.register_resource(LateRoutes(load))
    async with TestClient(TestServer(app)) as client:
        answers = await asyncio.gather(*(client.get("/late") for _ in range(3)))
        assert sorted(one.status for one in answers) == [200, 500, 500]
        assert (await client.get("/early")).status == 200
        assert (await client.get("/late")).status == 200
    assert loads == 3
