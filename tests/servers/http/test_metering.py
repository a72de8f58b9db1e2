"""What requests come to is counted, whoever answers them, and however: at once, piece by piece, or not at all."""

import socket
from collections.abc import Iterator

import pytest
from aiohttp import web as aiohttp
from support.fleets import KERNEL
from support.waiting import wait_until
from support.web import Web, web

from iluvatar_pxe.fleet.models import Fleet
from iluvatar_pxe.meters import ProtocolMeter

PIECE, PIECES = b"x" * 1000, 5
FILE = bytes(100_000)


async def at_once(_: aiohttp.Request) -> aiohttp.Response:
    return aiohttp.Response(body=PIECE)


async def by_pieces(request: aiohttp.Request) -> aiohttp.StreamResponse:
    response = aiohttp.StreamResponse()
    await response.prepare(request)
    for _ in range(PIECES):
        await response.write(PIECE)
    return response


async def stream(request: aiohttp.Request) -> aiohttp.StreamResponse:
    response = aiohttp.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)
    return response


async def taken(request: aiohttp.Request) -> aiohttp.Response:
    await request.read()
    return aiohttp.Response(status=204)


async def broken(_: aiohttp.Request) -> aiohttp.Response:
    raise ValueError


async def asking(request: aiohttp.Request) -> aiohttp.Response:
    raise aiohttp.HTTPUnauthorized(text=f"{request.path}: a token is needed")


ROUTES = [
    aiohttp.get("/at-once", at_once),
    aiohttp.get("/by-pieces", by_pieces),
    aiohttp.get("/stream", stream),
    aiohttp.post("/taken", taken),
    aiohttp.get("/broken", broken),
    aiohttp.get("/asking", asking),
]


class Metered:
    """A server, and what its meter has counted since this was made."""

    def __init__(self, served: Web, meter: ProtocolMeter) -> None:
        self.served = served
        self.meter = meter
        self._sent, self._received, self._requests = meter.sent, meter.received, meter.requests
        self._faults, self._transfers = meter.faults.copy(), meter.transfers.copy()
        self._timed = sum(meter.seconds.counts)

    @property
    def sent(self) -> int:
        return self.meter.sent - self._sent

    @property
    def received(self) -> int:
        return self.meter.received - self._received

    @property
    def timed(self) -> int:
        return sum(self.meter.seconds.counts) - self._timed

    @property
    def requests(self) -> int:
        return self.meter.requests - self._requests

    @property
    def faults(self) -> dict[str, int]:
        return dict(self.meter.faults - self._faults)

    @property
    def transfers(self) -> dict[str, int]:
        return dict(self.meter.transfers - self._transfers)


@pytest.fixture(scope="module")
def counted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Web, ProtocolMeter]]:
    with web(tmp_path_factory.mktemp("web"), Fleet(), routes=ROUTES) as running:
        running.put(KERNEL, FILE)
        yield running, running.server.meter


@pytest.fixture
def metered(counted: tuple[Web, ProtocolMeter]) -> Metered:
    return Metered(*counted)


def test_an_answer_at_once(metered: Metered) -> None:
    metered.served.get("/at-once")
    assert (metered.requests, metered.sent, metered.timed) == (1, len(PIECE), 1)
    assert not metered.faults


def test_an_answer_by_pieces(metered: Metered) -> None:
    metered.served.get("/by-pieces")
    assert PIECES * len(PIECE) <= metered.sent < PIECES * len(PIECE) + 1000, "with its header and chunks"


def test_a_stream_is_no_slow_answer(metered: Metered) -> None:
    metered.served.get("/stream")
    assert (metered.requests, metered.timed) == (1, 0)


def test_a_file(metered: Metered) -> None:
    metered.served.get(f"/assets/{KERNEL}")
    assert len(FILE) <= metered.sent < len(FILE) + 1000
    assert metered.transfers == {"done": 1}
    assert metered.meter.running == 0


def test_a_file_that_its_client_gives_up(metered: Metered) -> None:
    metered.served.put("large", bytes(64 << 20))
    with socket.create_connection(("127.0.0.1", metered.served.port)) as client:
        client.sendall(b"GET /assets/large HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        wait_until(lambda: metered.meter.running == 1 and client.recv(1000), "its beginning")
    wait_until(lambda: metered.transfers == {"aborted": 1} and not metered.meter.running, "its end")
    assert metered.sent < 64 << 20


def test_only_the_head_of_a_file(metered: Metered) -> None:
    metered.served.get(f"/assets/{KERNEL}", "HEAD")
    assert metered.sent < 1000
    assert not metered.transfers


def test_a_body(metered: Metered) -> None:
    metered.served.post("/taken", PIECE)
    assert metered.received == len(PIECE)


@pytest.mark.parametrize(
    ("path", "faults"), [("/nothing", {"404": 1}), ("/broken", {"500": 1}), ("/asking", {})]
)
def test_a_refusal_is_a_fault_but_not_a_question(metered: Metered, path: str, faults: dict[str, int]) -> None:
    metered.served.get(path)
    assert metered.faults == faults
    assert metered.timed == 1
