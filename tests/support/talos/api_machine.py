"""MachineService of a stand-in: its state, its configuration, power, and what concerns the cluster (``api_etcd``)."""

import asyncio
import difflib
import shutil
from typing import TYPE_CHECKING

from google.protobuf.empty_pb2 import Empty
from grpclib.const import Status
from grpclib.exceptions import GRPCError
from grpclib.server import Stream
from support.etcd import EtcdError
from support.talos.after import After
from support.talos.api_etcd import EtcdMethods
from support.talos.applying import needs_reboot
from support.talos.configuration import Configuration, UnusableError
from support.talos.draining import cordon_and_drain
from support.talos.reporting import new_xid

from iluvatar_pxe.layers.arda.api.protos import common_pb2, machine_pb2

if TYPE_CHECKING:
    from support.talos.boot import Boot

Apply = machine_pb2.ApplyConfigurationRequest


class MachineService(EtcdMethods):
    def __init__(self, boot: "Boot") -> None:
        self.boot = boot

    async def Version(self, stream: "Stream[Empty, machine_pb2.VersionResponse]") -> None:
        await stream.recv_message()
        mode = "maintenance" if self.boot.is_in_maintenance else "metal"
        version = machine_pb2.Version(
            version=machine_pb2.VersionInfo(tag=self.boot.machine.version, os="linux", arch="amd64"),
            platform=machine_pb2.PlatformInfo(name="metal", mode=mode),
        )
        if not self.boot.is_in_maintenance:
            version.features.rbac = True
        await stream.send_message(machine_pb2.VersionResponse(messages=[version]))

    async def ServiceList(self, stream: "Stream[Empty, machine_pb2.ServiceListResponse]") -> None:
        await stream.recv_message()
        services = [service.message for service in self.boot.services.all.values()]
        listed = machine_pb2.ServiceList(services=services)
        await stream.send_message(machine_pb2.ServiceListResponse(messages=[listed]))

    async def Dmesg(self, stream: "Stream[machine_pb2.DmesgRequest, common_pb2.Data]") -> None:
        await stream.recv_message()
        for line in self.boot.log.lines:
            text = f"{line['facility']}: {line['priority']}: [{line['talos-time']}]: {line['msg']}"
            await stream.send_message(common_pb2.Data(bytes=text.encode()))

    async def ApplyConfiguration(
        self, stream: "Stream[Apply, machine_pb2.ApplyConfigurationResponse]"
    ) -> None:
        request = await stream.recv_message()
        assert request is not None
        boot = self.boot
        if request.mode == Apply.REBOOT and not boot.is_1_13:
            raise GRPCError(Status.UNIMPLEMENTED, "apply configuration --mode='reboot' is not supported")
        new = self._parsed(request.data)
        mode = self._mode(request.mode, new)
        answer = machine_pb2.ApplyConfiguration(mode=mode, mode_details=f"Applied configuration: {mode}")
        if request.dry_run:
            answer.mode_details = _difference(boot.configuration, new)
        elif mode == Apply.STAGED:
            self._stage(new)
        else:
            boot.accept(new)
        await stream.send_message(machine_pb2.ApplyConfigurationResponse(messages=[answer]))
        if mode == Apply.REBOOT and not request.dry_run and not boot.is_in_maintenance:
            boot.end(After.REBOOT)

    def _parsed(self, data: bytes) -> Configuration:
        try:
            new = Configuration.parse(data.decode())
        except (UnusableError, UnicodeDecodeError) as error:
            raise GRPCError(Status.INVALID_ARGUMENT, str(error)) from error
        if not new.is_complete and not self.boot.is_in_maintenance:
            raise GRPCError(
                Status.INVALID_ARGUMENT, "the applied machine configuration doesn't contain v1alpha1 config"
            )
        if reason := self.boot.refusal(new):
            raise GRPCError(Status.INVALID_ARGUMENT, reason)
        return new

    def _mode(self, asked: Apply.Mode, new: Configuration) -> Apply.Mode:
        """Return the mode that Talos chooses; 1.14 never reboots for a configuration."""
        if self.boot.is_in_maintenance or not self.boot.is_1_13:
            return Apply.NO_REBOOT if asked == Apply.AUTO else asked
        assert self.boot.configuration is not None
        if not needs_reboot(self.boot.configuration, new):
            return Apply.NO_REBOOT if asked == Apply.AUTO else asked
        if asked in {Apply.NO_REBOOT, Apply.TRY}:
            difference = _difference(self.boot.configuration, new)
            raise GRPCError(
                Status.INVALID_ARGUMENT,
                f"this config change can't be applied in immediate mode\ndiff:\n{difference}",
            )
        return Apply.REBOOT if asked == Apply.AUTO else asked

    def _stage(self, new: Configuration) -> None:
        disk = self.boot.machine.hardware.system_disk
        if disk is None or disk.installed is None:
            raise GRPCError(Status.FAILED_PRECONDITION, "Talos is not installed")
        disk.installed.config = new.text

    async def Reboot(self, stream: "Stream[machine_pb2.RebootRequest, machine_pb2.RebootResponse]") -> None:
        await stream.recv_message()
        reboot = machine_pb2.Reboot(actor_id=new_xid(self.boot.clock))
        await stream.send_message(machine_pb2.RebootResponse(messages=[reboot]))
        self.boot.spawn(self._end(After.REBOOT))

    async def Shutdown(
        self, stream: "Stream[machine_pb2.ShutdownRequest, machine_pb2.ShutdownResponse]"
    ) -> None:
        request = await stream.recv_message()
        assert request is not None
        shutdown = machine_pb2.Shutdown(actor_id=new_xid(self.boot.clock))
        await stream.send_message(machine_pb2.ShutdownResponse(messages=[shutdown]))
        self.boot.spawn(self._shut_down(drains=not request.force))

    async def _shut_down(self, *, drains: bool) -> None:
        if drains:
            await cordon_and_drain(self.boot)
        await self._end(After.OFF)

    async def Rollback(
        self, stream: "Stream[machine_pb2.RollbackRequest, machine_pb2.RollbackResponse]"
    ) -> None:
        await stream.recv_message()
        await stream.send_message(machine_pb2.RollbackResponse(messages=[machine_pb2.Rollback()]))
        self.boot.spawn(self._end(After.REBOOT))

    async def Reset(self, stream: "Stream[machine_pb2.ResetRequest, machine_pb2.ResetResponse]") -> None:
        request = await stream.recv_message()
        assert request is not None
        reset = machine_pb2.Reset(actor_id=new_xid(self.boot.clock))
        await stream.send_message(machine_pb2.ResetResponse(messages=[reset]))
        self.boot.spawn(self._reset(request))

    async def _reset(self, request: machine_pb2.ResetRequest) -> None:
        boot = self.boot
        boot.begin_reset()
        if request.graceful:
            await cordon_and_drain(boot)
        await boot.stop_pods()
        if request.graceful and boot.membership is not None and boot.services.state("etcd") == "Running":
            try:
                await boot.membership.leave()
            except EtcdError as error:
                boot.fail_reset(str(error))
                return
        self._wipe(request)
        await self._end(After.REBOOT if request.reboot else After.OFF)

    def _wipe(self, request: machine_pb2.ResetRequest) -> None:
        machine = self.boot.machine
        labels = {partition.label for partition in request.system_partitions_to_wipe if partition.wipe}
        for disk in machine.hardware.disks:
            if disk.installed is None:
                if disk.dev_path in request.user_disks_to_wipe:
                    disk.holds = ()
            elif not labels and request.mode != machine_pb2.ResetRequest.USER_DISKS:
                machine.wipe(disk)
            elif disk.installed is not None:
                if "STATE" in labels:
                    disk.installed.config = ""
                if "EPHEMERAL" in labels:
                    shutil.rmtree(disk.installed.etcd, ignore_errors=True)

    async def _end(self, after: After) -> None:
        """End the boot a moment after the answer has gone out."""
        await asyncio.sleep(0.05)
        self.boot.end(after)


def _difference(old: Configuration | None, new: Configuration) -> str:
    before = old.text.splitlines() if old is not None else []
    return "\n".join(difflib.unified_diff(before, new.text.splitlines(), lineterm=""))
