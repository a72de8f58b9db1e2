"""Whatever answers in a machine's place, a call ends in time with one error of ours, and nothing else."""

import asyncio
import random
import ssl
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager

import pytest
from grpclib.client import Handler
from grpclib.config import Configuration
from grpclib.exceptions import StreamTerminatedError
from h2.config import H2Configuration
from support.ports import free_port
from support.small_talos import HERE, MAINTENANCE, NOW

from iluvatar_pxe.errors import TalosAnswerError, TalosError
from iluvatar_pxe.layers.arda.api import channel, client
from iluvatar_pxe.layers.arda.api.client import TalosApi
from iluvatar_pxe.layers.arda.api.resources import MACHINE_STATUS
from iluvatar_pxe.layers.grpclib_internals import GrpcProtocol

SETTINGS = bytes.fromhex("000000040000000000")
ROUNDS = 300


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3) + bytes([kind, flags]) + stream.to_bytes(4) + payload


def message(length: int, body: bytes, compressed: int = 0) -> bytes:
    return bytes([compressed]) + length.to_bytes(4) + body


HEADERS = frame(1, 4, 1, b"\x88\x0f\x10\x10application/grpc")
"""Status 200 and the content type, without Huffman."""
LIES = {
    "nothing": b"",
    "text": b"HTTP/1.1 400 Bad Request\r\n\r\n",
    "settings only": SETTINGS,
    "unknown frame": SETTINGS + frame(0xFA, 0, 0, b"x") + frame(0xFA, 0, 1, b"x"),
    "goaway": SETTINGS + frame(7, 0, 0, bytes(8)),
    "reset": SETTINGS + frame(3, 0, 1, bytes(4)),
    "headers that are none": SETTINGS + frame(1, 4, 1, b"\xff\xff\xff"),
    "no status": SETTINGS + frame(1, 4, 1, b"\x40\x01a\x01b"),
    "not ascii": SETTINGS + frame(1, 4, 1, b"\x88\x40\x01a\x01\xff"),
    "another content": SETTINGS + frame(1, 4, 1, b"\x88\x0f\x10\x09text/html"),
    "no answer": SETTINGS + HEADERS + frame(0, 1, 1, b""),
    "half a message": SETTINGS + HEADERS + frame(0, 1, 1, message(9, b"x")),
    "half a length": SETTINGS + HEADERS + frame(0, 1, 1, b"\x00\x00"),
    "an empty frame inside": SETTINGS
    + HEADERS
    + frame(0, 0, 1, b"\x00")
    + frame(0, 0, 1, b"")
    + frame(0, 1, 1, b"\x00"),
    "a huge message": SETTINGS + HEADERS + frame(0, 0, 1, message(0xFFFFFFFF, b"x")),
    "compressed": SETTINGS + HEADERS + frame(0, 1, 1, message(1, b"x", 1)),
    "no protobuf": SETTINGS + HEADERS + frame(0, 1, 1, message(2, b"\xff\xff")),
    "no trailers": SETTINGS + HEADERS + frame(0, 1, 1, message(0, b"")),
    "a push": SETTINGS + frame(5, 4, 1, (2).to_bytes(4) + b"\x82\x87\x84"),
    "another stream": SETTINGS + frame(0, 0, 3, b"x"),
}


@asynccontextmanager
async def liar(lie: bytes, *, stays: bool) -> AsyncIterator[int]:
    """Answer each connection with the same bytes, once it has sent something."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.read(10)
            writer.write(lie)
            await writer.drain()
            if stays:
                await reader.read(-1)
        except (OSError, ssl.SSLError):
            pass
        finally:
            writer.transport.abort()

    port = free_port()
    async with await asyncio.start_server(answer, HERE, port, ssl=MAINTENANCE):
        yield port


async def asked(port: int) -> None:
    """Make a call of each kind."""
    task = asyncio.current_task()
    assert task
    async with TalosApi.connect(HERE, None, port=port) as api:
        with pytest.raises(TalosError):
            await api.version()
        with pytest.raises(TalosError):
            await api.state.list(MACHINE_STATUS)
        async with aclosing(api.dmesg()) as lines:
            with pytest.raises(TalosError):
                async for _ in lines:
                    pass
        assert task.cancelling() == 0


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (client, channel):
        monkeypatch.setattr(module, "READ_SECONDS", 0.2)
    monkeypatch.setattr("iluvatar_pxe.layers.arda.api.state.READ_SECONDS", 0.2)


@pytest.mark.parametrize("stays", [True, False])
@pytest.mark.parametrize("lie", list(LIES))
async def test_a_lie_is_one_error(lie: str, stays: bool, caplog: pytest.LogCaptureFixture) -> None:  # noqa: FBT001
    async with liar(LIES[lie], stays=stays) as port:
        await asked(port)
    assert [
        record for record in caplog.records if record.name != "asyncio" or record.levelname == "ERROR"
    ] == []


async def test_a_connection_that_is_lost_at_once_is_a_lost_one() -> None:
    """Before the call that it was made for begins."""
    async with liar(b"", stays=True) as port:
        _, protocol = await asyncio.get_running_loop().create_connection(
            lambda: GrpcProtocol(
                Handler(), Configuration().__for_client__(), H2Configuration(client_side=True), most=1
            ),
            HERE,
            port,
        )
        protocol.processor.close()
        with pytest.raises(StreamTerminatedError):
            protocol.processor.connection.create_stream()


async def test_what_is_well_formed_is_read() -> None:
    trailers = frame(1, 5, 1, b"\x00\x0bgrpc-status\x010")
    truth = SETTINGS + HEADERS + frame(0xFA, 0, 1, b"x") + frame(0, 0, 1, message(0, b"")) + trailers
    async with liar(truth, stays=True) as port, TalosApi.connect(HERE, None, port=port) as api:
        with pytest.raises(TalosAnswerError, match="0 messages where one was expected"):
            await api.version()


async def test_bytes_by_chance_are_errors() -> None:
    for seed in range(ROUNDS // 10):
        await _noise(seed)


@pytest.mark.long
async def test_bytes_by_chance_are_errors_for_long() -> None:
    for seed in range(ROUNDS):
        await _noise(NOW.toordinal() * ROUNDS + seed)


async def _noise(seed: int) -> None:
    chance = random.Random(seed)
    kinds = [chance.choice([0, 1, 1, 3, 4, 5, 6, 7, 8, 9, 20]) for _ in range(chance.randrange(1, 8))]
    frames = [
        frame(
            kind, chance.randrange(64), chance.choice([0, 1, 1, 2, 3]), chance.randbytes(chance.randrange(30))
        )
        for kind in kinds
    ]
    begin = chance.choice([SETTINGS, SETTINGS + HEADERS])
    async with liar(begin + b"".join(frames), stays=False) as port:
        await asked(port)
