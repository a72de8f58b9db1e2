"""What a machine's Talos API knows of etcd."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

from google.protobuf.empty_pb2 import Empty

from iluvatar_pxe.layers.arda.api import faults
from iluvatar_pxe.layers.arda.api.channel import READ_SECONDS, WRITE_SECONDS, Caller, TalosChannel
from iluvatar_pxe.layers.arda.api.model import EtcdMember, of_number
from iluvatar_pxe.layers.arda.api.protos import machine_pb2
from iluvatar_pxe.layers.arda.api.protos.machine_grpc import MachineServiceStub
from iluvatar_pxe.layers.etcd.model import Alarm, EtcdAlarm, EtcdStatus
from iluvatar_pxe.layers.etcd.snapshot_check import DamagedSnapshotError, SnapshotCheck
from iluvatar_pxe.layers.one_line import one_line

DRAIN_SECONDS = 360.0
"""Talos tries for five minutes to leave, and to drain the node."""
_SNAPSHOT_STALL = 60.0


class Etcd:
    """Calls that only a control plane has: on workers they raise TalosUnsupportedError."""

    def __init__(self, call: Caller, channel: TalosChannel) -> None:
        self._call = call
        self._machine = MachineServiceStub(channel)

    async def members(self, *, local: bool = False) -> tuple[EtcdMember, ...]:
        """Return the members, as this machine's own etcd knows them with ``local``.

        No answer does not prove that there is no etcd.
        """
        request = machine_pb2.EtcdMemberListRequest(query_local=local)
        answer = await self._call.unary(self._machine.EtcdMemberList, request, READ_SECONDS)
        found = self._call.only("EtcdMemberList", answer.messages)
        return tuple(
            EtcdMember(
                id=one.id,
                hostname=one.hostname,
                peer_urls=tuple(one.peer_urls),
                client_urls=tuple(one.client_urls),
                is_learner=one.is_learner,
            )
            for one in found.members
        )

    async def status(self) -> EtcdStatus:
        """Return what this machine's member says of itself."""
        answer = await self._call.unary(self._machine.EtcdStatus, Empty(), READ_SECONDS)
        found = self._call.only("EtcdStatus", answer.messages).member_status
        return EtcdStatus(
            member_id=found.member_id,
            leader=found.leader,
            is_learner=found.is_learner,
            db_size=found.db_size,
            db_size_in_use=found.db_size_in_use,
            raft_index=found.raft_index,
            raft_applied_index=found.raft_applied_index,
            raft_term=found.raft_term,
            version=found.storage_version or found.protocol_version,
            errors=tuple(map(one_line, found.errors)),
        )

    async def alarms(self) -> tuple[EtcdAlarm, ...]:
        """Return the alarms of all members."""
        answer = await self._call.unary(self._machine.EtcdAlarmList, Empty(), READ_SECONDS)
        found = self._call.only("EtcdAlarmList", answer.messages)
        return tuple(
            EtcdAlarm(one.member_id, of_number(Alarm, one.alarm) or Alarm.NONE) for one in found.member_alarms
        )

    async def snapshot(self) -> AsyncGenerator[bytes, None]:
        """Yield a snapshot in pieces; raises TalosAnswerError at its end where it is not whole.

        So nothing is a snapshot before the last piece has come. Close it where it is not read to its end.
        """
        check = SnapshotCheck()
        request = machine_pb2.EtcdSnapshotRequest()
        pieces = self._call.answers(self._machine.EtcdSnapshot, request, _SNAPSHOT_STALL)
        try:
            async with aclosing(pieces):
                async for piece in pieces:
                    self._call.refuse_failure("EtcdSnapshot", piece.metadata)
                    check.take(piece.bytes)
                    yield piece.bytes
            check.finish()
        except DamagedSnapshotError as error:
            raise faults.of_answer(self._call.label, "EtcdSnapshot", str(error)) from error

    async def remove(self, member_id: int) -> None:
        """Remove a member that is gone; raises TalosNotFoundError, or TalosFailedError where quorum would be lost."""
        request = machine_pb2.EtcdRemoveMemberByIDRequest(member_id=member_id)
        answer = await self._call.unary(self._machine.EtcdRemoveMemberByID, request, WRITE_SECONDS)
        self._call.only("EtcdRemoveMemberByID", answer.messages)

    async def forfeit(self) -> str:
        """Give up leadership; return the new leader's host name, empty where this machine was not the leader.

        Raises TalosFailedError where there is no other member.
        """
        request = machine_pb2.EtcdForfeitLeadershipRequest()
        answer = await self._call.unary(self._machine.EtcdForfeitLeadership, request, WRITE_SECONDS)
        return self._call.only("EtcdForfeitLeadership", answer.messages).member

    async def leave(self) -> None:
        """Leave the cluster, and delete this machine's data of etcd."""
        request = machine_pb2.EtcdLeaveClusterRequest()
        answer = await self._call.unary(self._machine.EtcdLeaveCluster, request, DRAIN_SECONDS)
        self._call.only("EtcdLeaveCluster", answer.messages)
