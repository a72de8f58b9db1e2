"""All that is used of grpclib and is not in its documentation. Look again when it is updated.

Each use says what goes wrong without it, and what shows that. ``CHECKED`` says with which version that was done.
"""

import asyncio
from collections.abc import Callable, Collection
from typing import Any, TypeVar

from google.protobuf.message import DecodeError
from grpclib._typing import IServable
from grpclib.config import Configuration
from grpclib.const import Status
from grpclib.exceptions import GRPCError, ProtocolError, StreamTerminatedError
from grpclib.protocol import AbstractHandler, Connection, EventsProcessor, H2Protocol, Stream
from grpclib.server import Server
from h2.config import H2Configuration
from h2.events import RequestReceived
from h2.exceptions import H2Error
from h2.settings import SettingCodes

CHECKED = {"grpclib": ("0.4.9",)}

K = TypeVar("K")
V = TypeVar("V")

INVALID = (AssertionError, DecodeError, H2Error, KeyError, NotImplementedError, ProtocolError, ValueError)
"""What grpclib raises where the other side's bytes are no valid HTTP/2, gRPC or protobuf.

Symptom: a frame, header or message that grpclib does not expect raises whatever the code happens to meet.
Evidence: ``tests/layers/arda/api/test_liars.py``.
"""


class BoundedStream(Stream):
    """A stream that reads no message larger than ``most`` bytes.

    Symptom: a message announces its length, up to 4 GiB, and grpclib keeps all of it in memory.
    Evidence: ``test_an_answer_that_is_too_large_is_refused_before_it_is_read``.
    """

    most: int
    _is_terminated = False

    async def recv_data(self, size: int) -> bytes:
        """Read ``size`` bytes; raises GRPCError where that is too much, or where the stream ends before."""
        if size > self.most:
            raise GRPCError(
                Status.RESOURCE_EXHAUSTED, f"a message of {size} bytes, and {self.most} are allowed"
            )
        return await super().recv_data(size)

    def __terminated__(self, reason: str) -> None:
        """Cancel the task that uses the stream, once.

        Symptom: where the connection is closed from here, grpclib cancels the task a second time, and nobody can tell
        that from a cancellation from outside.
        Evidence: ``test_a_lost_connection_leaves_no_cancellation_behind``.
        """
        if not self._is_terminated:
            self._is_terminated = True
            super().__terminated__(reason)


class _BoundedConnection(Connection):
    """A connection of bounded streams.

    Symptom: on one that is lost as soon as it is made, grpclib begins a stream with ``_transport``, which it has deleted.
    Evidence: ``test_a_connection_that_is_lost_at_once_is_a_lost_one``.
    """

    most: int

    def create_stream(self, **kwargs: Any) -> Stream:
        if not hasattr(self, "_transport"):
            raise StreamTerminatedError("Connection lost")
        stream = BoundedStream(self, self._connection, self._transport, **kwargs)
        stream.most = self.most
        return stream


class _Tolerant(dict[K, V]):
    """Handlers by type of event; for others, one that does nothing."""

    def __init__(self, handlers: dict[K, V], other: V) -> None:
        super().__init__(handlers)
        self._other = other

    def __missing__(self, key: K) -> V:
        return self._other


class GrpcProtocol(H2Protocol):
    """A connection on which the other side may send anything.

    Symptom: frames of unknown types, which RFC 9113 5.5 has ignored, and bytes that h2 does not expect raise in
    asyncio's callback, which logs each with a traceback. grpclib drops the reason why a connection was lost, which is the
    TLS alert of a server that does not accept our certificate.
    Evidence: ``tests/layers/arda/api/test_liars.py``, ``tests/servers/talos/test_event_sink.py``.
    Uses ``H2Protocol`` with its attributes, and ``EventsProcessor.processors``.
    """

    def __init__(
        self,
        handler: AbstractHandler,
        config: Configuration,
        h2_config: H2Configuration,
        *,
        most: int,
        streams: int | None = None,
        lost: Callable[[BaseException | None], None] = lambda _: None,
    ) -> None:
        """``most``: bytes of a message; ``streams``: how many the other side may open; ``lost`` gets the reason."""
        super().__init__(handler, config, h2_config)
        self._most = most
        self._streams = streams
        self._lost = lost

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        super().connection_made(transport)
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - what create_connection makes
        self.transport = transport
        h2 = self.connection._connection  # noqa: SLF001
        if self._streams is not None:
            h2.update_settings({SettingCodes.MAX_CONCURRENT_STREAMS: self._streams})
        connection = _BoundedConnection(h2, transport, config=self.config)
        connection.most = self._most
        connection.flush()
        self.connection = connection
        self.processor = EventsProcessor(self.handler, connection)
        self.processor.processors = _Tolerant(self.processor.processors, lambda _: None)
        self.processor.processors[RequestReceived] = self._accept

    def data_received(self, data: bytes) -> None:
        """Take bytes in; what is not HTTP/2 ends the connection."""
        try:
            super().data_received(data)
        except (*INVALID, AttributeError):  # AttributeError: grpclib flushes what it has just closed
            self.processor.close("Protocol error")

    def _accept(self, event: RequestReceived) -> None:
        """Accept a stream; h2 keeps to a limit of its own only once the other side has acknowledged it."""
        if self._streams is not None and len(self.processor.streams) >= self._streams:
            self.processor.close("Too many streams")
        else:
            self.processor.process_request_received(event)

    def connection_lost(self, exc: BaseException | None) -> None:
        """End all streams."""
        self._lost(exc)
        super().connection_lost(exc)


Connect = Callable[[AbstractHandler, Configuration, H2Configuration], H2Protocol]


class CustomServer(Server):
    """A server with connections of another class.

    Symptom: grpclib's server counts no connections, and reads messages of any size.
    Evidence: ``tests/servers/talos/test_event_sink.py``.
    Uses ``Server._protocol_factory``, ``_config`` and ``_h2_config``.
    """

    def __init__(self, handlers: Collection[IServable], connect: Connect, config: Configuration) -> None:
        """``connect`` makes a connection."""
        super().__init__(handlers, config=config)
        self._connect = connect

    def connection(self) -> H2Protocol:
        """Return a new connection, for a transport that others have accepted."""
        return self._protocol_factory()

    def _protocol_factory(self) -> H2Protocol:
        handler = super()._protocol_factory().handler
        return self._connect(handler, self._config, self._h2_config)


class Settled:
    """A part of a call, after which the task is as if grpclib had never cancelled it.

    Symptom: grpclib cancels the task to raise StreamTerminatedError in it, and never takes that back. ``asyncio.timeout``
    and ``TaskGroup`` then take the next cancellation for one from outside.
    Evidence: ``test_a_lost_connection_leaves_no_cancellation_behind``.
    """

    def __enter__(self) -> None:
        """Begin."""
        self._task = asyncio.current_task()
        self._before = self._task.cancelling() if self._task else 0

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        """Take the cancellation back; raises CancelledError where there was another one meanwhile."""
        if isinstance(error, StreamTerminatedError) and self._task and self._is_cancelled():
            self._task.uncancel()
            if self._is_cancelled():
                raise asyncio.CancelledError from error

    def _is_cancelled(self) -> bool:
        return self._task is not None and self._task.cancelling() > self._before
