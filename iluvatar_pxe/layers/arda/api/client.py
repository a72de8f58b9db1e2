"""The daemon's client of one machine's Talos API: what it asks, with the time that each call may take."""

from collections.abc import AsyncGenerator, AsyncIterator, Iterable
from contextlib import aclosing, asynccontextmanager
from datetime import UTC

from google.protobuf.duration_pb2 import Duration
from google.protobuf.empty_pb2 import Empty

from iluvatar_pxe.errors import TalosFailedError
from iluvatar_pxe.layers.arda.api import faults
from iluvatar_pxe.layers.arda.api.channel import (
    LARGEST_MESSAGE,
    READ_SECONDS,
    WRITE_SECONDS,
    Caller,
    TalosChannel,
    Target,
)
from iluvatar_pxe.layers.arda.api.downloads import LARGEST_KUBECONFIG, DamagedError, kubeconfig_in
from iluvatar_pxe.layers.arda.api.etcd import DRAIN_SECONDS, Etcd
from iluvatar_pxe.layers.arda.api.model import (
    Applied,
    ApplyMode,
    DiskKind,
    PullProgress,
    RebootMode,
    Service,
    StorageDisk,
    TimeCheck,
    Version,
    WipeMode,
    of_number,
)
from iluvatar_pxe.layers.arda.api.protos import (
    common_pb2,
    image_pb2,
    lifecycle_pb2,
    machine_pb2,
    storage_pb2,
    time_pb2,
)
from iluvatar_pxe.layers.arda.api.protos.image_grpc import ImageServiceStub
from iluvatar_pxe.layers.arda.api.protos.lifecycle_grpc import LifecycleServiceStub
from iluvatar_pxe.layers.arda.api.protos.machine_grpc import MachineServiceStub
from iluvatar_pxe.layers.arda.api.protos.storage_grpc import StorageServiceStub
from iluvatar_pxe.layers.arda.api.protos.time_grpc import TimeServiceStub
from iluvatar_pxe.layers.arda.api.state import State
from iluvatar_pxe.layers.arda.api.tls import PORT
from iluvatar_pxe.layers.credentials import Credentials
from iluvatar_pxe.layers.one_line import one_line

UPGRADE_STALL = 300.0
"""Seconds without news after which a pull or an upgrade has stalled."""
_TRY_SECONDS = 60

# Upgrades keep the image on the disk; in memory it would take a gigabyte of it.
_ON_DISK = common_pb2.ContainerdInstance(driver=common_pb2.CRI, namespace=common_pb2.NS_SYSTEM)


class TalosApi:
    """All calls raise TalosError: one line that names the machine, and says what to do."""

    def __init__(self, target: Target, channel: TalosChannel) -> None:
        """Use ``connect``."""
        self._call = call = Caller(target, channel)
        self.etcd = Etcd(call, channel)
        self.state = State(call, channel)
        self._machine = MachineServiceStub(channel)
        self._storage = StorageServiceStub(channel)
        self._time = TimeServiceStub(channel)
        self._images = ImageServiceStub(channel)
        self._lifecycle = LifecycleServiceStub(channel)

    @classmethod
    @asynccontextmanager
    async def connect(
        cls, address: str, credentials: Credentials | None, *, name: str = "", port: int = PORT
    ) -> "AsyncIterator[TalosApi]":
        """Give a client of the machine at an IP address; ``None`` for one in maintenance mode.

        ``name`` is the machine's in errors. The connection is made by the first call, and again by a later one where it
        was lost. A machine in maintenance mode has nobody to vouch for it: what is sent to it, a neighbour may get.
        """
        target = Target(address, port, f"{name} ({address})" if name else address, credentials)
        channel = TalosChannel(target)
        try:
            yield cls(target, channel)
        finally:
            channel.close()

    async def version(self) -> Version:
        """Return the version of Talos that runs."""
        answer = await self._call.unary(self._machine.Version, Empty(), READ_SECONDS)
        found = self._call.only("Version", answer.messages)
        return Version(found.version.tag, found.version.arch, found.platform.name, found.platform.mode)

    async def services(self) -> tuple[Service, ...]:
        """Return Talos' services, such as etcd and kubelet."""
        answer = await self._call.unary(self._machine.ServiceList, Empty(), READ_SECONDS)
        return tuple(map(_service, self._call.only("ServiceList", answer.messages).services))

    async def apply(self, configuration: str, mode: ApplyMode, *, dry_run: bool = False) -> Applied:
        """Apply a whole configuration.

        Raises TalosRefusedError where it is invalid, and TalosRebootError where it needs a reboot (1.13).
        """
        data = configuration.encode()
        if len(data) > LARGEST_MESSAGE // 2:
            raise faults.of_answer(self._call.label, "ApplyConfiguration", "the configuration is too large")
        request = machine_pb2.ApplyConfigurationRequest(
            data=data,
            mode=machine_pb2.ApplyConfigurationRequest.Mode.Name(mode.value),
            dry_run=dry_run,
            try_mode_timeout=Duration(seconds=_TRY_SECONDS) if mode is ApplyMode.TRY else None,
        )
        answer = await self._call.unary(self._machine.ApplyConfiguration, request, WRITE_SECONDS)
        found = self._call.only("ApplyConfiguration", answer.messages)
        return Applied(
            of_number(ApplyMode, found.mode), tuple(map(one_line, found.warnings)), found.mode_details
        )

    async def bootstrap(self) -> None:
        """Have this machine found etcd.

        That it returns proves nothing: a power cut may lose it, so ask for the members. Raises TalosNotReadyError or
        TalosFailedError: again later, here; TalosExistsError: this machine's etcd has data already.
        """
        answer = await self._call.unary(
            self._machine.Bootstrap, machine_pb2.BootstrapRequest(), WRITE_SECONDS
        )
        self._call.only("Bootstrap", answer.messages)

    async def reboot(self, mode: RebootMode = RebootMode.DEFAULT) -> None:
        """Restart the machine; nothing is drained first."""
        request = machine_pb2.RebootRequest(mode=machine_pb2.RebootRequest.Mode.Name(mode.value))
        answer = await self._call.unary(self._machine.Reboot, request, WRITE_SECONDS)
        self._call.only("Reboot", answer.messages)

    async def shut_down(self) -> None:
        """Switch the machine off; its node is drained first."""
        answer = await self._call.unary(self._machine.Shutdown, machine_pb2.ShutdownRequest(), WRITE_SECONDS)
        self._call.only("Shutdown", answer.messages)

    async def rollback(self) -> None:
        """Boot the version that was there before the last upgrade."""
        answer = await self._call.unary(self._machine.Rollback, machine_pb2.RollbackRequest(), WRITE_SECONDS)
        self._call.only("Rollback", answer.messages)

    async def reset(
        self,
        mode: WipeMode,
        *,
        graceful: bool,
        partitions: Iterable[str] = (),
        user_disks: Iterable[str] = (),
    ) -> None:
        """Wipe and restart; ``graceful`` drains the node and leaves etcd first, and gives up where it cannot.

        ``partitions`` are labels, which are wiped in place of the system disk; ``user_disks`` are paths.
        """
        wiped = [machine_pb2.ResetPartitionSpec(label=label, wipe=True) for label in partitions]
        request = machine_pb2.ResetRequest(
            graceful=graceful,
            reboot=True,
            system_partitions_to_wipe=wiped,
            user_disks_to_wipe=user_disks,
            mode=machine_pb2.ResetRequest.WipeMode.Name(mode.value),
        )
        answer = await self._call.unary(self._machine.Reset, request, DRAIN_SECONDS)
        self._call.only("Reset", answer.messages)

    async def kubeconfig(self) -> str:
        """Return the administrator's kubeconfig that a control plane makes."""
        archive = bytearray()
        async with aclosing(self._call.answers(self._machine.Kubeconfig, Empty(), READ_SECONDS)) as pieces:
            async for piece in pieces:
                self._call.refuse_failure("Kubeconfig", piece.metadata)
                archive += piece.bytes
                if len(archive) > LARGEST_KUBECONFIG:
                    raise faults.of_answer(self._call.label, "Kubeconfig", "the archive is too large")
        try:
            return kubeconfig_in(bytes(archive))
        except DamagedError as error:
            raise faults.of_answer(self._call.label, "Kubeconfig", str(error)) from error

    async def dmesg(self, *, follow: bool = False) -> AsyncGenerator[str, None]:
        """Yield the kernel's messages, one line each; with ``follow`` without end. Close it to stop."""
        request = machine_pb2.DmesgRequest(follow=follow)
        lines = self._call.answers(self._machine.Dmesg, request, None if follow else READ_SECONDS)
        async with aclosing(lines):
            async for line in lines:
                self._call.refuse_failure("Dmesg", line.metadata)
                yield line.bytes.decode(errors="replace").rstrip("\n")

    async def disks(self) -> tuple[StorageDisk, ...]:
        """Return the disks that the storage service knows."""
        answer = await self._call.unary(self._storage.Disks, Empty(), READ_SECONDS)
        return tuple(map(_disk, self._call.only("Disks", answer.messages).disks))

    async def wipe(self, devices: Iterable[str], *, zeroes: bool = False) -> None:
        """Wipe disks or partitions, such as ``sda``, that nothing uses; the whole disk is written with ``zeroes``."""
        method = storage_pb2.BlockDeviceWipeDescriptor.Method.Name(int(zeroes))
        request = storage_pb2.BlockDeviceWipeRequest(
            devices=[storage_pb2.BlockDeviceWipeDescriptor(device=one, method=method) for one in devices]
        )
        answer = await self._call.unary(self._storage.BlockDeviceWipe, request, DRAIN_SECONDS)
        self._call.only("BlockDeviceWipe", answer.messages)

    async def time_check(self, server: str = "") -> TimeCheck:
        """Compare the machine's clock with a time server, by default its own one."""
        if server:
            answer = await self._call.unary(
                self._time.TimeCheck, time_pb2.TimeRequest(server=server), READ_SECONDS
            )
        else:
            answer = await self._call.unary(self._time.Time, Empty(), READ_SECONDS)
        found = self._call.only("TimeCheck", answer.messages)
        try:
            return TimeCheck(found.server, found.localtime.ToDatetime(UTC), found.remotetime.ToDatetime(UTC))
        except (ValueError, OverflowError) as error:
            raise faults.of_answer(self._call.label, "TimeCheck", "a time that no clock has") from error

    async def pull(self, image: str) -> AsyncGenerator[PullProgress, None]:
        """Have the machine pull an image to its disk; yields how far it is."""
        request = image_pb2.ImageServicePullRequest(containerd=_ON_DISK, image_ref=image)
        pulled = ""
        async with aclosing(self._call.answers(self._images.Pull, request, UPGRADE_STALL)) as answers:
            async for answer in answers:
                pulled = pulled or answer.name
                told = answer.pull_progress
                if told.layer_id:
                    yield PullProgress(told.layer_id, told.progress.offset, told.progress.total)
        if not pulled:
            raise TalosFailedError(f"{self._call.label}: Pull: ended without the image; it is tried again")

    async def upgrade(self, image: str) -> AsyncGenerator[str, None]:
        """Install another version from a pulled image; yields what the installer says. The reboot is the caller's.

        Nothing is drained, and etcd is not looked at. Raises TalosFailedError where the installer fails.
        """
        request = lifecycle_pb2.LifecycleServiceUpgradeRequest(
            containerd=_ON_DISK, source=lifecycle_pb2.InstallArtifactsSource(image_name=image)
        )
        code: int | None = None
        async with aclosing(self._call.answers(self._lifecycle.Upgrade, request, UPGRADE_STALL)) as answers:
            async for answer in answers:
                if answer.progress.WhichOneof("response") == "exit_code":
                    code = answer.progress.exit_code
                elif answer.progress.message:
                    yield one_line(answer.progress.message)
        if code != 0:
            how = "ended without a result" if code is None else f"failed with status {code}"
            raise TalosFailedError(f"{self._call.label}: Upgrade: the installer {how}; look at its messages")


def _service(found: machine_pb2.ServiceInfo) -> Service:
    health = found.health
    events = found.events.events
    return Service(
        id=found.id,
        state=found.state,
        is_healthy=None if health.unknown else health.healthy,
        message=one_line(health.last_message),
        last_event=one_line(events[-1].msg) if events else "",
    )


def _disk(found: storage_pb2.Disk) -> StorageDisk:
    return StorageDisk(
        name=found.device_name,
        size=found.size,
        kind=of_number(DiskKind, found.type) or DiskKind.UNKNOWN,
        model=found.model,
        serial=found.serial,
        wwid=found.wwid,
        uuid=found.uuid,
        bus_path=found.bus_path,
        is_system=found.system_disk,
        is_read_only=found.readonly,
    )
