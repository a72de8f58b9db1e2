"""What the network can provoke is logged a line at a time, and only a whole file is a stage of a boot."""

import logging
import math
from collections.abc import Iterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs
from support.fleets import KERNEL
from support.waiting import wait_until
from support.web import Web, web

from iluvatar_pxe import ratelimit
from iluvatar_pxe.assets.source import FileSource
from iluvatar_pxe.errors import AssetError
from iluvatar_pxe.machines.boots import Stage
from iluvatar_pxe.machines.model import Machine
from iluvatar_pxe.ratelimit import RateLimiter
from iluvatar_pxe.servers.http.faults import quiet_logger

MAC = "52:54:00:77:00:02"
EVENTS = ("http.aborted", "http.asset", "http.failed", "http.malformed", "loop.failed")


@pytest.fixture(autouse=True)
def once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let each kind of line be logged once only: the first second does not end."""
    monkeypatch.setattr(
        ratelimit._complaints, "_limiters", {event: RateLimiter(math.inf) for event in EVENTS}
    )


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Web]:
    with web(tmp_path) as running:
        running.put(KERNEL, bytes(range(256)) * 65536)
        yield running


@pytest.mark.parametrize(("error", "event"), [(AssetError, "http.asset"), (RuntimeError, "http.failed")])
def test_a_failure_is_logged_once_in_a_while(
    served: Web, monkeypatch: pytest.MonkeyPatch, error: type[Exception], event: str
) -> None:
    async def broken(_name: str) -> FileSource:
        raise error("broken")

    monkeypatch.setattr(served.store, "open", broken)
    with capture_logs() as logs:
        assert [served.get(f"/assets/{KERNEL}").status >= 400 for _ in range(5)] == [True] * 5
    assert [line["event"] for line in logs] == [event]


def test_downloads_that_break_off_are_logged_once_in_a_while(
    served: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ratelimit._complaints, "_limiters", {"http.aborted": RateLimiter(math.inf)})
    limiter = ratelimit._complaints._limiters["http.aborted"]
    with capture_logs() as logs:
        for _ in range(3):
            with served.connect() as sock:
                sock.sendall(f"GET /assets/{KERNEL} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
                assert sock.recv(100)
        wait_until(lambda: limiter._refused == 2, "the lines that are not written")
    assert [line["event"] for line in logs] == ["http.aborted"]


def test_what_asyncio_says_is_one_line_once_in_a_while(served: Web) -> None:
    error = OSError(24, "Too many open files")
    context = {"message": "socket.accept() out of system resource", "exception": error, "socket": "x"}
    with capture_logs() as logs:
        for _ in range(5):
            served._loop.default_exception_handler(context)
        logging.getLogger("asyncio").info("chatter")
    assert [(line["event"], line["log_level"], line["why"]) for line in logs] == [
        (
            "loop.failed",
            "error",
            "socket.accept() out of system resource: OSError(24, 'Too many open files')",
        )
    ]


def test_what_asyncio_says_without_an_exception_is_its_first_line() -> None:
    quiet_logger()
    with capture_logs() as logs:
        logging.getLogger("asyncio").error("Task was destroyed but it is pending!\ntask: <Task>")
    assert [line["why"] for line in logs] == ["Task was destroyed but it is pending!"]


def test_only_a_whole_file_is_a_stage(served: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    served.boots(MAC)
    noted: list[tuple[Stage, str]] = []

    def note(_machine: Machine, stage: Stage, name: str, **_: float) -> None:
        noted.append((stage, name))

    monkeypatch.setattr(served.booter.journal, "fetched", note)
    assert served.get(f"/assets/{KERNEL}", Range="bytes=0-0").status == 206
    assert served.get(f"/assets/{KERNEL}", "HEAD").status == 200
    etag = served.get(f"/assets/{KERNEL}", "HEAD").headers["etag"]
    assert served.get(f"/assets/{KERNEL}", If_None_Match=etag).status == 304
    assert noted == []
    assert served.get(f"/assets/{KERNEL}").status == 200
    wait_until(lambda: noted, "the stage")
    assert noted == [(Stage.KERNEL, KERNEL)]
