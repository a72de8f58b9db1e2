"""The smaller services of a stand-in's API: storage, time, images and upgrades."""

from typing import TYPE_CHECKING

from google.protobuf.empty_pb2 import Empty
from grpclib.const import Status
from grpclib.exceptions import GRPCError
from grpclib.server import Stream
from support.talos.hardware import Disk

from iluvatar_pxe.layers.arda.api.protos import image_pb2, lifecycle_pb2, storage_pb2, time_pb2
from iluvatar_pxe.layers.arda.api.protos.image_grpc import ImageServiceBase
from iluvatar_pxe.layers.arda.api.protos.lifecycle_grpc import LifecycleServiceBase
from iluvatar_pxe.layers.arda.api.protos.storage_grpc import StorageServiceBase
from iluvatar_pxe.layers.arda.api.protos.time_grpc import TimeServiceBase

if TYPE_CHECKING:
    from support.talos.boot import Boot

Pull = image_pb2.ImageServicePullResponse
Upgraded = lifecycle_pb2.LifecycleServiceUpgradeResponse


class StorageService(StorageServiceBase):
    def __init__(self, boot: "Boot") -> None:
        self._machine = boot.machine

    async def Disks(self, stream: "Stream[Empty, storage_pb2.DisksResponse]") -> None:
        await stream.recv_message()
        disks = [_described(disk) for disk in self._machine.hardware.disks]
        await stream.send_message(storage_pb2.DisksResponse(messages=[storage_pb2.Disks(disks=disks)]))

    async def BlockDeviceWipe(
        self, stream: "Stream[storage_pb2.BlockDeviceWipeRequest, storage_pb2.BlockDeviceWipeResponse]"
    ) -> None:
        request = await stream.recv_message()
        assert request is not None
        by_name = {disk.name: disk for disk in self._machine.hardware.disks}
        for descriptor in request.devices:
            if descriptor.device not in by_name:
                raise GRPCError(Status.NOT_FOUND, f"blockdevice {descriptor.device} not found")
            disk = by_name[descriptor.device]
            disk.holds = ()
            self._machine.wipe(disk)
        answer = storage_pb2.BlockDeviceWipeResponse(messages=[storage_pb2.BlockDeviceWipe()])
        await stream.send_message(answer)


def _described(disk: Disk) -> storage_pb2.Disk:
    kind = "NVME" if disk.transport == "nvme" else "HDD" if disk.rotational else "SSD"
    return storage_pb2.Disk(
        size=disk.size,
        model=disk.model,
        device_name=disk.dev_path,
        serial=disk.serial,
        modalias=disk.modalias,
        wwid=disk.wwid,
        type="CD" if disk.cdrom else kind,
        bus_path=disk.bus_path,
        system_disk=disk.installed is not None,
        readonly=disk.readonly,
    )


class TimeService(TimeServiceBase):
    def __init__(self, boot: "Boot") -> None:
        self._clock = boot.clock

    async def Time(self, stream: "Stream[Empty, time_pb2.TimeResponse]") -> None:
        await stream.recv_message()
        await stream.send_message(self._said("stand-in"))

    async def TimeCheck(self, stream: "Stream[time_pb2.TimeRequest, time_pb2.TimeResponse]") -> None:
        request = await stream.recv_message()
        assert request is not None
        await stream.send_message(self._said(request.server))

    def _said(self, server: str) -> time_pb2.TimeResponse:
        said = time_pb2.Time(server=server)
        said.localtime.FromDatetime(self._clock.now())
        said.remotetime.FromDatetime(self._clock.now() - self._clock.off)
        return time_pb2.TimeResponse(messages=[said])


class PullService(ImageServiceBase):
    def __init__(self, boot: "Boot") -> None:
        self._boot = boot

    async def Pull(self, stream: "Stream[image_pb2.ImageServicePullRequest, Pull]") -> None:
        request = await stream.recv_message()
        assert request is not None
        await self._boot.clock.sleep(5)
        await stream.send_message(Pull(name=request.image_ref))


class LifecycleService(LifecycleServiceBase):
    def __init__(self, boot: "Boot") -> None:
        self._boot = boot

    async def Upgrade(self, stream: "Stream[lifecycle_pb2.LifecycleServiceUpgradeRequest, Upgraded]") -> None:
        request = await stream.recv_message()
        assert request is not None
        disk = self._boot.machine.hardware.system_disk
        if disk is None or disk.installed is None:
            raise GRPCError(Status.FAILED_PRECONDITION, "Talos is not installed")
        await self._boot.clock.sleep(5)
        disk.installed.version = request.source.image_name.rpartition(":")[2]
        progress = lifecycle_pb2.LifecycleServiceInstallProgress
        await stream.send_message(Upgraded(progress=progress(message="installing")))
        await stream.send_message(Upgraded(progress=progress(exit_code=0)))
