"""The methods of a stand-in that concern the cluster: founding it, and its real etcd."""

import io
import tarfile
from collections.abc import Awaitable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, TypeVar

from google.protobuf.empty_pb2 import Empty
from grpclib.const import Status
from grpclib.exceptions import GRPCError
from grpclib.server import Stream
from support.etcd import EtcdError
from support.talos.etcd import Member
from support.talos.membership import Membership

from iluvatar_pxe.layers.arda.api.protos import common_pb2, machine_pb2
from iluvatar_pxe.layers.arda.api.protos.machine_grpc import MachineServiceBase

if TYPE_CHECKING:
    from support.talos.boot import Boot

SYNC_SECONDS = 5.0
CHUNK = 32 * 1024
T = TypeVar("T")


class EtcdMethods(MachineServiceBase):
    boot: "Boot"

    async def Bootstrap(
        self, stream: "Stream[machine_pb2.BootstrapRequest, machine_pb2.BootstrapResponse]"
    ) -> None:
        await stream.recv_message()
        boot = self.boot
        self._check_control_plane()
        if boot.services.state("cri") != "Running" or boot.membership is None:
            raise GRPCError(Status.FAILED_PRECONDITION, "bootstrap is not available yet")
        if not boot.clock.is_right:
            await boot.clock.sleep(SYNC_SECONDS)
        if not boot.clock.is_right:
            raise GRPCError(Status.FAILED_PRECONDITION, "time is not in sync yet")
        if not boot.membership.etcd.is_empty:
            raise GRPCError(Status.ALREADY_EXISTS, "etcd data directory is not empty")
        boot.membership.found()
        boot.machine.bootstraps += 1
        await stream.send_message(machine_pb2.BootstrapResponse(messages=[machine_pb2.Bootstrap()]))

    async def EtcdMemberList(
        self, stream: "Stream[machine_pb2.EtcdMemberListRequest, machine_pb2.EtcdMemberListResponse]"
    ) -> None:
        request = await stream.recv_message()
        assert request is not None
        membership = self._membership()
        if not membership.etcd.is_running:
            if request.query_local:
                raise GRPCError(
                    Status.UNAVAILABLE, "error building local etcd client: context deadline exceeded"
                )
            raise GRPCError(Status.UNKNOWN, "no controlplane endpoints discovered yet")
        members = [_described(member) for member in await self._asked(membership.members())]
        answer = machine_pb2.EtcdMemberListResponse(messages=[machine_pb2.EtcdMembers(members=members)])
        await stream.send_message(answer)

    async def EtcdStatus(self, stream: "Stream[Empty, machine_pb2.EtcdStatusResponse]") -> None:
        await stream.recv_message()
        said = await self._asked(self._running().etcd.status())
        status = machine_pb2.EtcdMemberStatus(
            protocol_version=said["version"],
            db_size=int(said["dbSize"]),
            db_size_in_use=int(said["dbSizeInUse"]),
            leader=int(said.get("leader", 0)),
            raft_index=int(said["raftIndex"]),
            raft_term=int(said["raftTerm"]),
            raft_applied_index=int(said["raftAppliedIndex"]),
            errors=said.get("errors", []),
            is_learner=said.get("isLearner", False),
            member_id=int(said["header"]["member_id"]),
        )
        answer = machine_pb2.EtcdStatusResponse(messages=[machine_pb2.EtcdStatus(member_status=status)])
        await stream.send_message(answer)

    async def EtcdAlarmList(self, stream: "Stream[Empty, machine_pb2.EtcdAlarmListResponse]") -> None:
        await stream.recv_message()
        listed = await self._asked(self._running().etcd.ask("maintenance/alarm", {"action": "GET"}))
        alarm = machine_pb2.EtcdAlarm()
        for found in listed.get("alarms", ()):
            alarm.member_alarms.add(member_id=int(found["memberID"]), alarm=found["alarm"])
        await stream.send_message(machine_pb2.EtcdAlarmListResponse(messages=[alarm]))

    async def EtcdSnapshot(self, stream: "Stream[machine_pb2.EtcdSnapshotRequest, common_pb2.Data]") -> None:
        await stream.recv_message()
        with TemporaryDirectory() as directory:
            target = Path(directory) / "snapshot"
            await self._asked(self._running().etcd.snapshot(target))
            database = target.read_bytes()
        for start in range(0, len(database), CHUNK):
            await stream.send_message(common_pb2.Data(bytes=database[start : start + CHUNK]))

    async def EtcdRemoveMemberByID(
        self,
        stream: "Stream[machine_pb2.EtcdRemoveMemberByIDRequest, machine_pb2.EtcdRemoveMemberByIDResponse]",
    ) -> None:
        request = await stream.recv_message()
        assert request is not None
        etcd = self._running().etcd
        if all(member.id != request.member_id for member in await self._asked(etcd.members())):
            raise GRPCError(Status.NOT_FOUND, "etcdserver: member not found")
        await self._asked(etcd.call("member", "remove", f"{request.member_id:x}"))
        answer = machine_pb2.EtcdRemoveMemberByIDResponse(messages=[machine_pb2.EtcdRemoveMemberByID()])
        await stream.send_message(answer)

    async def EtcdLeaveCluster(
        self, stream: "Stream[machine_pb2.EtcdLeaveClusterRequest, machine_pb2.EtcdLeaveClusterResponse]"
    ) -> None:
        await stream.recv_message()
        await self._asked(self._running().leave())
        answer = machine_pb2.EtcdLeaveClusterResponse(messages=[machine_pb2.EtcdLeaveCluster()])
        await stream.send_message(answer)

    async def EtcdForfeitLeadership(
        self,
        stream: "Stream[machine_pb2.EtcdForfeitLeadershipRequest, machine_pb2.EtcdForfeitLeadershipResponse]",
    ) -> None:
        await stream.recv_message()
        etcd = self._running().etcd
        members, status = await self._asked(etcd.members()), await self._asked(etcd.status())
        own = int(status["header"]["member_id"])  # JSON of etcd has numbers of 64 bits as text
        self.boot.log.write("etcd is to be led by another member")
        heirs = [member for member in members if member.id != own and not member.is_learner]
        if not heirs:
            raise GRPCError(Status.UNKNOWN, "cannot forfeit leadership, only one member")
        forfeited = machine_pb2.EtcdForfeitLeadership()
        if int(status.get("leader", 0)) == own:
            await self._asked(etcd.order("move-leader", f"{heirs[0].id:x}"))
            forfeited.member = heirs[0].name
        await stream.send_message(machine_pb2.EtcdForfeitLeadershipResponse(messages=[forfeited]))

    async def Kubeconfig(self, stream: "Stream[Empty, common_pb2.Data]") -> None:
        await stream.recv_message()
        self._check_control_plane()
        assert self.boot.configuration is not None
        text = f"apiVersion: v1\nkind: Config\n# stand-in of {self.boot.configuration.endpoint}\n".encode()
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w:gz") as archive:
            entry = tarfile.TarInfo("kubeconfig")
            entry.size = len(text)
            archive.addfile(entry, io.BytesIO(text))
        await stream.send_message(common_pb2.Data(bytes=packed.getvalue()))

    def _check_control_plane(self) -> None:
        configuration = self.boot.configuration
        if configuration is None or not configuration.is_control_plane:
            raise GRPCError(Status.UNIMPLEMENTED, "only control plane nodes support this API")

    def _membership(self) -> Membership:
        self._check_control_plane()
        if self.boot.membership is None:
            raise GRPCError(Status.UNAVAILABLE, "etcd is not there yet")
        return self.boot.membership

    def _running(self) -> Membership:
        membership = self._membership()
        if not membership.etcd.is_running:
            raise GRPCError(Status.UNAVAILABLE, "error building etcd client: context deadline exceeded")
        return membership

    async def _asked(self, asked: Awaitable[T]) -> T:
        """Return what etcd says; its refusal has no status of its own."""
        try:
            return await asked
        except EtcdError as error:
            raise GRPCError(Status.UNKNOWN, str(error)) from error
        except TimeoutError as error:
            raise GRPCError(Status.DEADLINE_EXCEEDED, "context deadline exceeded") from error


def _described(member: Member) -> machine_pb2.EtcdMember:
    return machine_pb2.EtcdMember(
        id=member.id,
        hostname=member.name,
        peer_urls=member.peer_urls,
        client_urls=member.client_urls,
        is_learner=member.is_learner,
    )
