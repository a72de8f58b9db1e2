"""The daemon's client of one member of etcd, by etcd's own API: for clusters whose machines have no other way to it."""

import asyncio
import ssl
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import TypeVar

from google.protobuf.message import Message
from grpclib.client import Channel, Handler, ServiceMethod
from grpclib.exceptions import GRPCError, StreamTerminatedError
from grpclib.protocol import H2Protocol

from iluvatar_pxe.errors import EtcdError
from iluvatar_pxe.layers.credentials import Credentials
from iluvatar_pxe.layers.etcd.model import Alarm, EtcdAlarm, EtcdStatus
from iluvatar_pxe.layers.etcd.protos import etcd_pb2
from iluvatar_pxe.layers.etcd.protos.etcd_grpc import MaintenanceStub
from iluvatar_pxe.layers.etcd.snapshot_check import DamagedSnapshotError, SnapshotCheck
from iluvatar_pxe.layers.grpclib_internals import INVALID, GrpcProtocol, Settled
from iluvatar_pxe.layers.load_key import load_key
from iluvatar_pxe.layers.one_line import one_line

PORT = 2379
LARGEST_MESSAGE = 4 << 20
"""Bytes; etcd sends a snapshot in pieces of 32 KiB."""
CONNECT_SECONDS, READ_SECONDS, STALL_SECONDS = 10.0, 10.0, 60.0
_LATER = "it is tried again"

Request = TypeVar("Request", bound=Message)
Answer = TypeVar("Answer", bound=Message)


class EtcdApi:
    """All calls raise EtcdError: one line that names the machine, and says what to do."""

    def __init__(self, channel: Channel, label: str) -> None:
        """Use ``connect``."""
        self._maintenance = MaintenanceStub(channel)
        self._label = label

    @classmethod
    @asynccontextmanager
    async def connect(
        cls, address: str, credentials: Credentials, *, name: str, port: int = PORT
    ) -> "AsyncIterator[EtcdApi]":
        """Give a client of the member at an IP address; ``name`` is the machine's in errors."""
        channel = _Channel(address, port, ssl=_context(credentials))
        try:
            yield cls(channel, f"{name} ({address})")
        finally:
            channel.close()

    async def status(self) -> EtcdStatus:
        """Return what this member says of itself."""
        found = await self._unary(self._maintenance.Status, etcd_pb2.StatusRequest())
        return EtcdStatus(
            member_id=found.header.member_id,
            leader=found.leader,
            is_learner=found.isLearner,
            db_size=found.dbSize,
            db_size_in_use=found.dbSizeInUse,
            raft_index=found.raftIndex,
            raft_applied_index=found.raftAppliedIndex,
            raft_term=found.raftTerm,
            version=found.version,
            errors=tuple(map(one_line, found.errors)),
        )

    async def alarms(self) -> tuple[EtcdAlarm, ...]:
        """Return the alarms of all members."""
        found = await self._unary(self._maintenance.Alarm, etcd_pb2.AlarmRequest())
        known = {alarm.value: alarm for alarm in Alarm}
        return tuple(EtcdAlarm(one.memberID, known.get(one.alarm, Alarm.NONE)) for one in found.alarms)

    async def snapshot(self) -> AsyncGenerator[bytes, None]:
        """Yield a snapshot in pieces; raises EtcdError at its end where it is not whole.

        So nothing is a snapshot before the last piece has come. Close it where it is not read to its end.
        """
        check = SnapshotCheck()
        request = etcd_pb2.SnapshotRequest()
        try:
            async with aclosing(self._answers(self._maintenance.Snapshot, request, STALL_SECONDS)) as pieces:
                async for piece in pieces:
                    check.take(piece.blob)
                    yield piece.blob
            check.finish()
        except DamagedSnapshotError as error:
            raise self._error("Snapshot", str(error)) from error

    async def _unary(self, method: ServiceMethod[Request, Answer], request: Request) -> Answer:
        async with aclosing(self._answers(method, request, READ_SECONDS)) as answers:
            async for answer in answers:
                return answer
        raise self._error(method.name, "no answer")

    async def _answers(
        self, method: ServiceMethod[Request, Answer], request: Request, stall: float
    ) -> AsyncGenerator[Answer, None]:
        """Yield the answers of a call, none of which may take longer than ``stall`` seconds."""
        call = method.name.rpartition("/")[2]
        try:
            async with method.open() as stream:
                async with asyncio.timeout(stall):
                    with Settled():
                        await stream.send_message(request, end=True)
                while True:
                    async with asyncio.timeout(stall):
                        with Settled():
                            answer = await stream.recv_message()
                            if answer is None:
                                await stream.recv_trailing_metadata()
                                return
                    yield answer
        except GRPCError as error:
            raise self._error(call, one_line(error.message or error.status.name)) from error
        except ssl.SSLCertVerificationError as error:
            raise EtcdError(
                f"{self._label}: the certificate of its etcd is not accepted: {error.verify_message}; compare its clock "
                "with the daemon's, and its cluster"
            ) from error
        except (OSError, TimeoutError, StreamTerminatedError) as error:
            raise self._error(call, one_line(str(error)) or f"no answer for {stall:.0f} s") from error
        except INVALID as error:
            raise self._error(call, "the answer is no valid message") from error

    def _error(self, call: str, why: str) -> EtcdError:
        return EtcdError(f"{self._label}: etcd: {call}: {why}; {_LATER}")


class _Channel(Channel):
    """A connection whose messages have a bound."""

    def _protocol_factory(self) -> H2Protocol:
        return GrpcProtocol(Handler(), self._config, self._h2_config, most=LARGEST_MESSAGE)

    async def _create_connection(self) -> H2Protocol:
        async with asyncio.timeout(CONNECT_SECONDS):
            return await super()._create_connection()


def _context(credentials: Credentials) -> ssl.SSLContext:
    """Return TLS that accepts the cluster's members only; raises EtcdError."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["h2"])
    try:
        context.load_verify_locations(cadata=credentials.ca)
        load_key(context, credentials)
    except (ssl.SSLError, ValueError) as error:
        raise EtcdError(
            "the daemon's own certificate for etcd cannot be used; check the cluster's secrets"
        ) from error
    return context
