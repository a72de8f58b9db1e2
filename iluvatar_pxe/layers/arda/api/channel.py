"""Calls of one machine's Talos API: bounded in time and size, and with our own errors."""

import asyncio
import socket
import ssl
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Protocol, TypeVar

from google.protobuf.message import Message
from grpclib.client import Channel, Handler, ServiceMethod, Stream
from grpclib.exceptions import GRPCError, StreamTerminatedError
from grpclib.protocol import H2Protocol
from msgspec import Struct

from iluvatar_pxe.errors import TalosError, TalosForeignError, TalosIdentityError, TalosMaintenanceError
from iluvatar_pxe.layers.arda.api import faults
from iluvatar_pxe.layers.arda.api.protos.common_pb2 import Metadata
from iluvatar_pxe.layers.arda.api.tls import (
    CONNECT_SECONDS,
    anybody,
    identify,
    identity_of,
    of_cluster,
    unreachable,
)
from iluvatar_pxe.layers.credentials import Credentials
from iluvatar_pxe.layers.grpclib_internals import INVALID, GrpcProtocol, Settled

LARGEST_MESSAGE = 32 << 20
"""Bytes, in both directions, as Talos has it."""
READ_SECONDS, WRITE_SECONDS = 10.0, 60.0
"""For calls that read, and for those that change something; what drains takes longer."""
_KEEPALIVE = ((socket.TCP_KEEPIDLE, 60), (socket.TCP_KEEPINTVL, 15), (socket.TCP_KEEPCNT, 4))
"""Seconds until the kernel asks a silent machine, between its questions, and how many go unanswered.

Talos' server refuses HTTP/2's own PING where it comes more often than every five minutes.
"""
_FOREIGN = (
    "Talos of another cluster is installed there, or something else answers; "
    "wipe its disk with iluvatar-pxe machines reinstall NAME --wipe"
)
_WRONG_TIME = (9, 10)
"""OpenSSL's codes for a certificate that is not valid yet, or no longer."""

Request = TypeVar("Request", bound=Message)
Answer = TypeVar("Answer", bound=Message)


class Wrapped(Protocol):
    """A message of Talos inside its answer."""

    @property
    def metadata(self) -> Metadata:
        """What another node would say that has passed the answer on."""
        ...


Part = TypeVar("Part", bound=Wrapped)


class Target(Struct, frozen=True):
    """A machine that is asked; ``label`` is its name in errors."""

    address: str
    port: int
    label: str
    credentials: Credentials | None


class TalosChannel(Channel):
    """A connection that is made again when it is needed; each time it is checked who answers."""

    def __init__(self, target: Target) -> None:
        """Raises TalosIdentityError where the credentials cannot be used."""
        own = target.credentials
        context = of_cluster(own, target.label) if own else anybody()
        super().__init__(target.address, target.port, ssl=context)
        self._target = target
        self.lost: BaseException | None = None
        """Why the last connection was lost."""

    def _protocol_factory(self) -> H2Protocol:
        return GrpcProtocol(
            Handler(), self._config, self._h2_config, most=LARGEST_MESSAGE, lost=self._note_loss
        )

    async def _create_connection(self) -> H2Protocol:
        self.lost = None
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                protocol = await super()._create_connection()
        except ssl.SSLCertVerificationError as error:
            raise await self._unverified(error) from error
        except (OSError, TimeoutError) as error:
            raise unreachable(self._target.label, error) from error
        assert isinstance(protocol, GrpcProtocol)  # noqa: S101 - made above
        try:
            self._check(protocol)
        except TalosError:
            protocol.processor.close()
            raise
        return protocol

    def _check(self, protocol: GrpcProtocol) -> None:
        transport = protocol.transport
        connection: socket.socket = transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option, value in _KEEPALIVE:
            connection.setsockopt(socket.IPPROTO_TCP, option, value)
        if self._target.credentials is None:
            shown = transport.get_extra_info("ssl_object").getpeercert(binary_form=True)
            if not identity_of(shown, self._target.label).is_maintenance:
                raise TalosIdentityError(
                    f"{self._target.label}: is not in maintenance mode; ask it with the cluster's credentials"
                )

    def _note_loss(self, reason: BaseException | None) -> None:
        self.lost = reason

    async def _unverified(self, error: ssl.SSLCertVerificationError) -> TalosError:
        """Return what it means that the machine's certificate is not one of the cluster."""
        label, credentials = self._target.label, self._target.credentials
        identity = await identify(self._target.address, port=self._target.port)
        if identity.is_maintenance:
            return TalosMaintenanceError(
                f"{label}: waits in maintenance mode; give it its configuration, or look why it took none"
            )
        if credentials and not identity.is_of(credentials.ca):
            return TalosForeignError(f"{label}: its certificate is not of this cluster's CA: {_FOREIGN}")
        remedy = (
            "compare its clock with the daemon's" if error.verify_code in _WRONG_TIME else "check its address"
        )
        return TalosIdentityError(
            f"{label}: its certificate is not accepted: {error.verify_message}; {remedy}"
        )


class Caller:
    """Makes calls, one at a time or several at once."""

    def __init__(self, target: Target, channel: TalosChannel) -> None:
        self.label = target.label
        self._channel = channel

    async def unary(self, method: ServiceMethod[Request, Answer], request: Request, seconds: float) -> Answer:
        """Return the one answer of a call within so many seconds; raises TalosError."""
        call = _name(method)
        try:
            async with asyncio.timeout(seconds), aclosing(self.answers(method, request, None)) as answers:
                found = [answer async for answer in answers]
        except TimeoutError as error:
            raise faults.of_silence(self.label, call, seconds) from error
        if len(found) != 1:
            raise faults.of_answer(self.label, call, f"{len(found)} answers where one was expected")
        return found[0]

    def only(self, call: str, messages: Sequence[Part]) -> Part:
        """Return the one message inside an answer; raises TalosError where there is none, or it is a failure."""
        if len(messages) != 1:
            raise faults.of_answer(self.label, call, f"{len(messages)} messages where one was expected")
        self.refuse_failure(call, messages[0].metadata)
        return messages[0]

    def refuse_failure(self, call: str, metadata: Metadata) -> None:
        """Raise TalosFailedError for a failure that a successful answer holds."""
        if metadata.error:
            raise faults.of_metadata(self.label, call, metadata.error)

    async def answers(
        self, method: ServiceMethod[Request, Answer], request: Request, stall: float | None
    ) -> AsyncGenerator[Answer, None]:
        """Yield the answers of a call, none of which may take longer than ``stall`` seconds; raises TalosError.

        Close it (``contextlib.aclosing``) where it is not read to its end: that ends the call.
        """
        call = _name(method)
        try:
            async with method.open() as stream:
                async with asyncio.timeout(stall):
                    with Settled():
                        await stream.send_message(request, end=True)
                while (answer := await _next(stream, stall)) is not None:
                    yield answer
        except GRPCError as error:
            raise faults.of_status(self.label, call, error) from error
        except StreamTerminatedError as error:
            raise faults.of_connection(self.label, call, error, self._channel.lost) from error
        except TimeoutError as error:
            raise faults.of_silence(self.label, call, stall or 0) from error
        except INVALID as error:
            raise faults.of_answer(self.label, call, "the answer is no valid message") from error


async def _next(stream: Stream[Request, Answer], stall: float | None) -> Answer | None:
    """Return the next answer; None after the last one, once the call's status is known to be OK."""
    async with asyncio.timeout(stall):
        with Settled():
            answer = await stream.recv_message()
            if answer is None:
                await stream.recv_trailing_metadata()
            return answer


def _name(method: ServiceMethod[Request, Answer]) -> str:
    return method.name.rpartition("/")[2]
