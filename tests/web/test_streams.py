"""Streams of events: what is new is sent to each, and one that nobody reads costs nobody else anything."""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from aiohttp import web as aiohttp
from structlog.testing import capture_logs
from support.streams import read_to
from support.waiting import PATIENCE, wait_until
from support.web import Web, web

from iluvatar_pxe.changed import Changed
from iluvatar_pxe.web.streams import Feed, StreamLimits, Streams, sse

ASK = b"GET /stream HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
FULL = "x" * 32_000


class Site:
    """A server with one stream of ``news``, which are told by ``tell``."""

    def __init__(self, limits: StreamLimits) -> None:
        self.changed = Changed()
        self.streams = Streams(self.changed, limits=limits)
        self.news: list[str] = []
        self.route = aiohttp.get("/stream", self._show, allow_head=False)
        self.web: Web

    async def _show(self, request: aiohttp.Request) -> aiohttp.StreamResponse:
        return await self.streams.send(request, self._endless if "flood" in request.query else self._feed())

    def _endless(self) -> str:
        return sse(FULL)

    def _feed(self) -> Feed:
        told = 0

        def feed() -> str:
            nonlocal told
            fresh = self.news[told:]
            told = len(self.news)
            return "".join(fresh)

        return feed

    def tell(self, text: str) -> None:
        async def add() -> None:
            self.news.append(sse(text))
            self.changed.tell()

        self.web.call(add())

    def stream(self, client: str = "127.0.0.2", ask: bytes = ASK, receive_buffer: int = 0) -> socket.socket:
        sock = self.web.connect(client, receive_buffer)
        sock.sendall(ask)
        return sock


@contextmanager
def site(directory: Path, **limits: float) -> Iterator[Site]:
    made = Site(StreamLimits(**{"period": 0.0, "heartbeat": 2 * PATIENCE, **limits}))  # type: ignore[arg-type]
    with web(directory, routes=[made.route]) as made.web:

        async def begin() -> asyncio.Task[None]:
            return asyncio.create_task(made.streams.run())

        async def end(task: asyncio.Task[None]) -> None:
            made.streams.close()
            task.cancel()
            await asyncio.wait([task])

        task = made.web.call(begin())
        try:
            yield made
        finally:
            made.web.call(end(task))


def is_let_in(served: Site) -> bool:
    with served.stream() as sock:
        return read_to(sock, b"\n").startswith(b"HTTP/1.1 200")


def test_an_event_has_a_line_for_each_line_of_its_data() -> None:
    assert sse("a\nb\r\nc\rd", kind="row", mark="7") == (
        "id: 7\nevent: row\ndata: a\ndata: b\ndata: c\ndata: d\n\n"
    )


def test_what_is_new_arrives_and_is_kept_by_nobody(tmp_path: Path) -> None:
    with site(tmp_path) as served, served.stream() as sock:
        head = read_to(sock, b"retry")
        served.tell("first")
        read_to(sock, b"data: first\n\n")
        served.tell("second")
        assert b"first" not in read_to(sock, b"data: second\n\n")
    assert b"Content-Type: text/event-stream" in head
    assert b"Cache-Control: no-store" in head


def test_a_silent_stream_shows_that_it_is_there(tmp_path: Path) -> None:
    with site(tmp_path, heartbeat=0.05) as served, served.stream() as sock:
        read_to(sock, b": still here\n\n")


@pytest.mark.parametrize(
    ("limits", "client", "status"), [({"each": 2}, 2, b"429"), ({"total": 2}, 3, b"503")], ids=["each", "all"]
)
def test_one_too_many_is_refused_in_one_line(
    tmp_path: Path, limits: dict[str, float], client: int, status: bytes
) -> None:
    with site(tmp_path, **limits) as served, ExitStack() as stack:
        held = [stack.enter_context(served.stream()) for _ in range(2)]
        for sock in held:
            read_to(sock, b"retry")
        with served.stream(f"127.0.0.{client}") as refused:
            answer = read_to(refused, b"streams, the most for")
        assert answer.startswith(b"HTTP/1.1 " + status)
        assert b"Retry-After: " in answer
        held[0].close()
        wait_until(lambda: is_let_in(served), "the room that the closed one made")


def test_a_stream_that_nobody_reads_ends_when_its_buffer_is_full(tmp_path: Path) -> None:
    flood = ASK.replace(b"/stream", b"/stream?flood")
    with site(tmp_path, unread=0.2) as served, ExitStack() as stack, capture_logs() as logs:
        reader = stack.enter_context(served.stream("127.0.0.3"))
        read_to(reader, b"retry")
        for _ in range(8):
            stack.enter_context(served.stream(ask=flood, receive_buffer=4096))
        wait_until(lambda: "http.stream-unread" in {line["event"] for line in logs}, "a full buffer")
        wait_until(lambda: len(served.streams) == 1, "the end of the streams that nobody reads")
        served.tell("still served")
        read_to(reader, b"still served")


@pytest.mark.long
def test_a_thousand_streams_that_nobody_reads_are_noticed_by_nobody_else(tmp_path: Path) -> None:
    flood = ASK.replace(b"/stream", b"/stream?flood")
    with site(tmp_path, unread=1.0) as served, ExitStack() as stack, capture_logs() as logs:
        reader = stack.enter_context(served.stream("127.0.0.3"))
        read_to(reader, b"retry")
        for number in range(1000):
            stack.enter_context(served.stream(f"127.0.1.{number % 40}", flood, 4096))
            if number % 100 == 0:
                assert served.web.get("/healthz").status == 200
        served.tell("still served")
        read_to(reader, b"still served")
        wait_until(lambda: len(served.streams) == 1, "the end of the streams that nobody reads")
    assert {line["event"] for line in logs} <= {"http.stream-unread", "http.unserved", "http.crowded"}


def test_a_stream_ends_with_a_last_word_and_none_begins_then(tmp_path: Path) -> None:
    with site(tmp_path) as served, served.stream() as sock:
        read_to(sock, b"retry")

        async def close() -> None:
            served.streams.close()

        served.web.call(close())
        assert b"event: closing\ndata: the daemon stops\n\n" in read_to(sock, b"0\r\n\r\n")
        with served.stream() as late:
            assert read_to(late, b"\n").startswith(b"HTTP/1.1 503")
