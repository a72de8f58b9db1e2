"""What is used of aiohttp and asyncio beside their documentation is still there, in the versions that were looked at."""

import asyncio
import inspect
import os
import signal
import sys
from asyncio.sslproto import SSLProtocol
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from support.waiting import until

from iluvatar_pxe.servers import library_internals
from iluvatar_pxe.servers.library_internals import CHECKED, CustomRunner, close_pipes

VERSIONS = {"aiohttp": aiohttp.__version__, "Python": ".".join(map(str, sys.version_info[:3]))}
HERE = library_internals.__name__


@pytest.mark.parametrize("library", CHECKED)
def test_this_version_was_looked_at(library: str) -> None:
    version = VERSIONS[library]
    assert version.rpartition(".")[0] in CHECKED[library], (
        f"{library} {version}: nobody has looked whether what {HERE} uses of it still does what it says there"
    )


@pytest.mark.parametrize(
    ("owner", "name"),
    [
        (web.AppRunner, "_make_server"),
        (web.BaseRunner, "_make_server"),
        (web.FileResponse, "_sendfile"),
        (web.RequestHandler, "_close"),
        (web.RequestHandler, "_force_close"),
        (web.RequestHandler, "_loop"),
        (web.RequestHandler, "_messages"),
        (web.RequestHandler, "_next_keepalive_close_time"),
        (web.RequestHandler, "_request_count"),
        (web.RequestHandler, "_waiter"),
        (SSLProtocol, "max_size"),
    ],
)
def test_what_is_replaced_or_read_is_there(owner: type, name: str) -> None:
    assert hasattr(owner, name), f"{VERSIONS}: {owner.__name__} has no {name} any more; see {HERE}"


async def test_a_server_tells_what_its_connections_are_made_with() -> None:
    made: Any = web.Server(lambda _: pytest.fail("not asked"), keepalive_timeout=7.0)
    for name in ("_loop", "_kwargs"):
        assert hasattr(made, name), f"{VERSIONS}: web.Server has no {name} any more; see {HERE}"
    assert (made._loop, made._kwargs) == (asyncio.get_running_loop(), {"keepalive_timeout": 7.0})


def test_the_arguments_of_what_sends_a_file() -> None:
    known = list(inspect.signature(web.FileResponse._sendfile).parameters)
    assert known == ["self", "request", "fobj", "offset", "count"], (
        f"{VERSIONS}: it takes {known}; see {HERE}"
    )


def test_the_arguments_of_tls() -> None:
    known = list(inspect.signature(SSLProtocol).parameters)
    used = ["loop", "app_protocol", "sslcontext", "waiter"]
    named = {"server_side", "ssl_handshake_timeout", "ssl_shutdown_timeout"}
    assert known[:4] == used, f"{VERSIONS}: SSLProtocol takes {known}; see {HERE}"
    assert named <= {*known}, f"{VERSIONS}: SSLProtocol takes {known}; see {HERE}"


async def test_connections_are_of_the_class_that_is_wanted() -> None:
    made: list[dict[str, Any]] = []

    class Connection(web.RequestHandler):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            made.append(kwargs)
            super().__init__(*args, **kwargs)

    runner = CustomRunner(web.Application(), Connection, lambda handler: handler, keepalive_timeout=7.0)
    await runner.setup()
    assert runner.server
    assert isinstance(runner.server(), Connection), f"{VERSIONS}: see CustomRunner in {HERE}"
    assert made[0]["keepalive_timeout"] == 7.0
    await runner.cleanup()


async def test_a_pipe_that_another_process_holds_can_be_closed() -> None:
    process = await asyncio.create_subprocess_exec(
        "sh", "-c", "sleep 60 & echo $!", stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout
    left_behind = int(await process.stdout.readline())
    try:
        await until(lambda: process.returncode is not None)
        assert hasattr(process, "_transport"), f"{VERSIONS}: Process has no _transport any more; see {HERE}"
        close_pipes(process)
        async with asyncio.timeout(10):
            assert await process.stdout.read() == b""
    finally:
        os.kill(left_behind, signal.SIGKILL)
