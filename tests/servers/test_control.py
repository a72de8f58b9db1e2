"""The control socket: who may ask, what is refused, and whose socket it is."""

import asyncio
import http.client
import json
import os
import pwd
import socket
import stat
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request
from support.no_secrets import no_secrets
from support.rights import NOBODY, directory_for_nobody
from support.waiting import PATIENCE

from iluvatar_pxe.admin.command import CommandContext
from iluvatar_pxe.errors import (
    IluvatarError,
    InvalidDraftError,
    InventoryError,
    OperationError,
    RepositoryError,
    ServerError,
    UnknownMachineError,
)
from iluvatar_pxe.fleet.models import Fleet
from iluvatar_pxe.inventory.inventory import Inventory
from iluvatar_pxe.provisioning.assigner import DatabaseAssigner
from iluvatar_pxe.provisioning.enrolment import OwnWindow
from iluvatar_pxe.servers.control import IDLE_SECONDS, MOST_CONNECTIONS, ControlServer
from iluvatar_pxe.servers.control_protocol import CLAIM, caller
from iluvatar_pxe.servers.http import json_faults

ASK = """
import http.client, os, socket, sys
os.setgroups([])
os.setgid(int(sys.argv[2]))
os.setuid(int(sys.argv[2]))
connection = http.client.HTTPConnection("localhost", timeout=30)
connection.sock = socket.socket(socket.AF_UNIX)
connection.sock.connect(sys.argv[1])
connection.request("GET", "/api/v1/enrolment")
answer = connection.getresponse()
print(answer.status, answer.read().decode())
"""


def context_of(inventory: Inventory) -> CommandContext:
    return CommandContext(
        inventory=inventory,
        fleet_in_force=Fleet,
        assigner=DatabaseAssigner(inventory),
        window=OwnWindow(inventory),
        secrets=no_secrets(inventory),
    )


@asynccontextmanager
async def control(path: Path) -> AsyncIterator[ControlServer]:
    """Run a control server of an inventory of its own."""
    inventory = Inventory(f"sqlite:///{path.with_suffix('.db')}")
    await inventory.open()
    server = ControlServer(path, path.parent, context_of(inventory))
    await server.bind()
    try:
        yield server
    finally:
        await server.close()
        await inventory.close()


def connected(path: Path) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX)
    sock.settimeout(PATIENCE)
    sock.connect(str(path))
    return sock


def asked(path: Path, method: str, target: str, body: str | None = None, **headers: str) -> tuple[int, Any]:
    """Return status and document."""
    connection = http.client.HTTPConnection("localhost")
    connection.sock = connected(path)
    try:
        connection.request(method, target, body, headers)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


async def ask(
    path: Path, method: str, target: str, body: str | None = None, **headers: str
) -> tuple[int, Any]:
    return await asyncio.to_thread(asked, path, method, target, body, **headers)


async def test_it_answers_and_is_closed_to_others(tmp_path: Path) -> None:
    path = tmp_path / "run" / "control.sock"
    async with control(path):
        assert stat.S_IMODE(path.stat().st_mode) == 0o660
        status, answer = await ask(path, "GET", "/api/v1/enrolment")
        assert (status, answer["mode"], answer["open"], answer["opened_by"]) == (
            200,
            "window",
            True,
            "first start",
        )
    assert not path.exists(), "removed at a clean stop"


async def test_who_asks_is_recorded_with_what_sudo_says(tmp_path: Path) -> None:
    path = tmp_path / "control.sock"
    me = pwd.getpwuid(os.geteuid()).pw_name
    async with control(path):
        status, answer = await ask(
            path, "PUT", "/api/v1/enrolment", '{"seconds": 60}', **{CLAIM: "al\u00efce"}
        )
    assert (status, answer["opened_by"]) == (200, f"{me} (sudo: al?ce)")


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (UnknownMachineError("arda-01: no such machine"), 404),
        (OperationError("arda-01: is held"), 409),
        (InvalidDraftError("the change to commit is not valid"), 409),
        (InventoryError("the database is locked"), 503),
        (RepositoryError("the origin cannot be reached"), 503),
    ],
)
async def test_every_expected_error_is_one_line_for_who_asks(error: IluvatarError, status: int) -> None:
    async def handler(_: web.Request) -> web.StreamResponse:
        raise error

    answer = await json_faults.json_faults(make_mocked_request("PUT", "/"), handler)
    assert isinstance(answer, web.Response)
    assert answer.text
    assert (answer.status, json.loads(answer.text)) == (status, {"error": str(error)})


def test_a_user_without_a_name() -> None:
    assert caller(3_999_999_999, "") == "user 3999999999"


@pytest.mark.parametrize(
    ("method", "target", "body", "status", "error"),
    [
        ("PUT", "/api/v1/enrolment", "{", 400, "the body is not JSON; send an object"),
        ("PUT", "/api/v1/enrolment", "[" * 60_000, 400, "the body is not JSON; send an object"),
        ("PUT", "/api/v1/enrolment", "\xff", 400, "the body is not JSON; send an object"),
        ("PUT", "/api/v1/enrolment", "[]", 400, "the body is not a JSON object; send one"),
        ("PUT", "/api/v1/enrolment", "", 400, "seconds: Field required"),
        (
            "PUT",
            "/api/v1/enrolment",
            '{"seconds": 0}',
            400,
            "seconds: Input should be greater than or equal to 1",
        ),
        (
            "PUT",
            "/api/v1/enrolment",
            '{"seconds": 604801}',
            400,
            "seconds: Input should be less than or equal to 604800",
        ),
        (
            "PUT",
            "/api/v1/enrolment",
            '{"seconds": 1, "colour": 1}',
            400,
            "colour: Extra inputs are not permitted",
        ),
        (
            "POST",
            "/api/v1/machines/x/hold",
            '{"machine": 1, "why": 1}',
            400,
            "why: Input should be a valid string",
        ),
        (
            "POST",
            "/api/v1/machines/x/set",
            '{"name": "-x"}',
            400,
            "name: not a host name; use a-z, 0-9 and '-'",
        ),
        (
            "POST",
            "/api/v1/machines/x/set",
            '{"intent": "hold"}',
            400,
            "intent: use the command iluvatar-pxe machines hold",
        ),
        (
            "POST",
            "/api/v1/machines/x/split",
            '{"mac": "x"}',
            400,
            "mac: 'x' is not a MAC address such as 52:54:00:12:34:56",
        ),
        ("POST", "/api/v1/db/backup", '{"file": "x"}', 400, "file: use an absolute path"),
        (
            "POST",
            "/api/v1/machines/x%20%2F/hold",
            "{}",
            404,
            "x /: no machine has this name, MAC or ID; list them with `iluvatar-pxe machines list --all`",
        ),
        ("POST", "/api/v1/machines/x/dance", "{}", 404, "404: Not Found"),
        ("GET", "/", None, 404, "404: Not Found"),
        ("POST", "/api/v1/enrolment", "{}", 405, "405: Method Not Allowed"),
        ("PUT", "/api/v1/enrolment", " " * 65_537, 413, "Maximum request body size 65536 exceeded."),
    ],
)
async def test_what_cannot_be_done_is_one_line(
    tmp_path: Path, method: str, target: str, body: str | None, status: int, error: str
) -> None:
    path = tmp_path / "control.sock"
    async with control(path):
        octets = None if body is None else body.encode("latin-1").decode("latin-1")
        assert await ask(path, method, target, octets) == (status, {"error": error})


async def test_a_damaged_database_is_said(tmp_path: Path) -> None:
    path = tmp_path / "control.sock"
    path.with_suffix(".db").write_bytes(b"no database" * 1000)
    async with control(path):
        status, answer = await ask(path, "POST", "/api/v1/machines/x/hold", "{}")
        assert status == 503
        assert "it is damaged or not a database" in answer["error"]


def ask_as_nobody(path: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", ASK, str(path), str(NOBODY)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to be somebody else")
async def test_another_user_is_refused() -> None:
    with directory_for_nobody() as directory:
        path = directory / "control.sock"
        async with control(path):
            closed = await asyncio.to_thread(ask_as_nobody, path)
            assert "PermissionError" in closed.stderr, "the socket's mode says so already"
            path.chmod(0o666)
            refused = await asyncio.to_thread(ask_as_nobody, path)
    error = "only root and the daemon's user are allowed; try it with sudo"
    assert refused.stdout == f'403 {{"error": "{error}"}}\n'


async def test_too_many_connections_are_closed_and_others_live(tmp_path: Path) -> None:
    path = tmp_path / "control.sock"
    async with control(path):
        inside = [connected(path) for _ in range(MOST_CONNECTIONS)]
        loop = asyncio.get_running_loop()
        try:
            outside = connected(path)
            outside.settimeout(0)
            with outside:
                async with asyncio.timeout(IDLE_SECONDS / 2):
                    assert await loop.sock_recv(outside, 1) == b"", "closed at once"
            inside.pop().close()
            async with asyncio.timeout(PATIENCE):
                assert (await retried(path))[0] == 200
        finally:
            for sock in inside:
                sock.close()


async def retried(path: Path) -> tuple[int, Any]:
    """Ask until a place is free: the server learns of a closed connection a moment later."""
    while True:
        try:
            return await ask(path, "GET", "/api/v1/enrolment")
        except ConnectionError:
            await asyncio.sleep(0)


async def test_a_request_that_takes_too_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_faults, "REQUEST_SECONDS", 0.01)
    path = tmp_path / "control.sock"
    async with control(path):
        with connected(path) as sock:
            sock.sendall(b"PUT /api/v1/enrolment HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
            octets = await asyncio.to_thread(sock.recv, 1000)
    assert octets.startswith(b"HTTP/1.1 504 ")
    assert b'{"error": "not done within 0.01 s; see the daemon\'s log"}' in octets


async def test_a_dead_daemons_socket_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "control.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    async with control(path):
        assert (await ask(path, "GET", "/api/v1/enrolment"))[0] == 200


async def test_a_live_daemons_socket_stays(tmp_path: Path) -> None:
    path = tmp_path / "control.sock"
    async with control(path):
        other = ControlServer(path, path.parent, context_of(Inventory(f"sqlite:///{tmp_path / 'other.db'}")))
        with pytest.raises(ServerError) as caught:
            await other.bind()
        await other.close()
        assert (await ask(path, "GET", "/api/v1/enrolment"))[0] == 200
    text = f"{path}: another daemon listens there; stop it or set another [control] socket"
    assert str(caught.value) == text


async def test_a_socket_that_is_anothers_now_is_not_removed(tmp_path: Path) -> None:
    path = tmp_path / "control.sock"
    async with control(path):
        path.unlink()
        path.touch()
    assert path.exists()


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("file", "not a socket; remove it or set another [control] socket"),
        ("file/control.sock", "cannot listen there: File exists; set another [control] socket"),
        ("a" * 108, "cannot listen there: AF_UNIX path too long; set another [control] socket"),
    ],
)
async def test_a_place_where_no_socket_can_be(tmp_path: Path, name: str, error: str) -> None:
    (tmp_path / "file").write_text("mine")
    path = tmp_path / name
    server = ControlServer(path, path.parent, context_of(Inventory(f"sqlite:///{tmp_path / 'x.db'}")))
    with pytest.raises(ServerError) as caught:
        await server.bind()
    await server.close()
    assert str(caught.value) == f"{path}: {error}"
    assert (tmp_path / "file").read_text() == "mine"
