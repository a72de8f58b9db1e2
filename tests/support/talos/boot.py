"""One boot of a stand-in, from the kernel's start to the reboot: everything that a power cut forgets."""

import asyncio
import random
from collections.abc import Coroutine
from contextlib import suppress
from typing import TYPE_CHECKING, NoReturn

from google.protobuf.message import Message
from support.talos import installing, running
from support.talos.after import After
from support.talos.api import Api
from support.talos.certificates import MAINTENANCE_NAME, Authority, server_context
from support.talos.configuration import Configuration, UnusableError
from support.talos.fetching import NotFetchedError, address_of, fetch, pause
from support.talos.kubernetes import Kubelet
from support.talos.kubernetes_api import KubernetesApi
from support.talos.membership import Membership
from support.talos.reporting import Events, KernelLog
from support.talos.services import Services
from support.talos.static_pods import StaticPods

from iluvatar_pxe.host.threads import finished
from iluvatar_pxe.layers.arda.api.protos import runtime_events_pb2 as events_pb2
from iluvatar_pxe.layers.arda.documents import Contract

if TYPE_CHECKING:
    from support.talos.machine import Machine

Stage = events_pb2.MachineStatusEvent.MachineStage
Sequence = events_pb2.SequenceEvent
DRAIN_SECONDS = 1.0
ADDRESS_SECONDS = 600.0
RESTART, POWER_OFF = 0x01234567, 0x4321FEDC


class _EndedError(Exception):
    """Ends everything that runs in a boot."""


class Boot:
    def __init__(self, machine: "Machine", arguments: str) -> None:
        self.machine, self.clock = machine, machine.clock
        self.arguments = dict(pair.partition("=")[::2] for pair in arguments.split())
        self.events = Events(machine.address, machine.clock)
        self.log = KernelLog(machine.address, machine.clock)
        self.services = Services(machine.clock, self.publish)
        self.configuration: Configuration | None = None
        self.membership: Membership | None = None
        self.stage, self.is_ready = Stage.BOOTING, False
        self.unmet: dict[str, str] = {}
        self.install_phase, self.install_error = "", ""
        self.is_in_maintenance = self.is_installed = self.is_over = self.must_reboot = False
        self.kubelet: Kubelet | None = None
        """From its registration on."""
        self.static_pods = StaticPods(self)
        self.kubernetes_api: KubernetesApi | None = None
        """Of a control plane whose etcd votes."""
        self.changed = asyncio.Event()
        """Set whenever something that the API tells may be different."""
        self._after: asyncio.Future[After] = asyncio.get_running_loop().create_future()
        self._applied: asyncio.Future[Configuration] = asyncio.get_running_loop().create_future()
        self._reports: dict[str, asyncio.Task[None]] = {}
        self._group: asyncio.TaskGroup | None = None
        self._api = Api(self)

    # What the API and the parts of a boot use

    def publish(self, message: Message) -> None:
        self.events.publish(message)
        self.notice()

    def notice(self) -> None:
        self.changed.set()
        self.changed = asyncio.Event()

    def become(self, stage: Stage, *, is_ready: bool = False, **unmet: str) -> None:
        if (stage, is_ready, unmet) == (self.stage, self.is_ready, self.unmet):
            return
        self.stage, self.is_ready, self.unmet = stage, is_ready, unmet
        event = events_pb2.MachineStatusEvent(stage=stage)
        event.status.ready = is_ready
        for name, reason in unmet.items():
            event.status.unmet_conditions.add(name=name, reason=reason)
        self.publish(event)
        if stage == Stage.RUNNING and is_ready:
            self.log.write("machine is running and ready")

    @property
    def is_member_of_kubernetes(self) -> bool:
        return self.kubelet is not None and not self.kubelet.lost.is_set()

    @property
    def is_running_and_ready(self) -> bool:
        return self.stage == Stage.RUNNING and self.is_ready

    def end(self, after: After) -> None:
        """End this boot in order."""
        if not self._after.done():
            is_off = after is After.OFF
            self.become(Stage.SHUTTING_DOWN if is_off else Stage.REBOOTING)
            self.publish(events_pb2.RestartEvent(cmd=POWER_OFF if is_off else RESTART))
            self._after.set_result(after)

    def spawn(self, work: Coroutine[object, object, None]) -> asyncio.Task[None]:
        assert self._group is not None
        return self._group.create_task(work)

    def accept(self, configuration: Configuration) -> None:
        """Take a configuration by the API; the caller has asked ``refusal`` before."""
        if self.is_in_maintenance and configuration.is_complete:
            if not self._applied.done():
                self._applied.set_result(configuration)
            return
        disk = self.machine.hardware.system_disk
        if disk is not None and disk.installed is not None and configuration.is_complete:
            disk.installed.config = configuration.text
        self._use(configuration)

    async def stop_pods(self) -> None:
        """Stop what runs as pods on it: the Kubernetes API."""
        if self.kubernetes_api is not None:
            await self.kubernetes_api.close()

    def begin_reset(self) -> None:
        self.become(Stage.RESETTING)
        self.publish(Sequence(sequence="reset", action=Sequence.START))

    def fail_reset(self, reason: str) -> None:
        """Go on as before: a reset that cannot leave etcd is given up."""
        self.log.write(f"reset failed: {reason}", "error")
        failed = Sequence(sequence="reset", action=Sequence.NOOP)
        failed.error.message = reason
        self.publish(failed)
        self.become(Stage.RUNNING, is_ready=True)

    def refusal(self, configuration: Configuration) -> str:
        """Return what Talos has against a configuration."""
        try:
            if configuration.is_complete:
                Authority.of(configuration.os_ca) if configuration.is_control_plane else None
                self.machine.verdict(configuration.text)
        except Exception as error:  # noqa: BLE001  # a judge's words, whatever its type
            return str(error)
        return ""

    # The way of a boot

    async def run(self) -> After:
        try:
            async with asyncio.TaskGroup() as group:
                self._group = group
                group.create_task(self._sequence())
                await self._ended()
        except* _EndedError:
            pass
        finally:
            is_cut = not self._after.done()
            self.is_over = True
            await finished(asyncio.ensure_future(self._close(cut=is_cut)))  # also if it is cut meanwhile
        if (task := asyncio.current_task()) and task.cancelling():
            # Up to Python 3.12, a group forgets that its task was cancelled while it waited for its own tasks to end,
            # and a power cut at that moment cut nothing: https://github.com/python/cpython/issues/116720
            raise asyncio.CancelledError
        return self._after.result()

    async def _close(self, *, cut: bool) -> None:
        await self._api.close()
        await self.stop_pods()
        if self.membership is not None:
            await self.membership.stop(cut=cut)

    async def _ended(self) -> NoReturn:
        await self._after
        await self._deliver()
        raise _EndedError

    async def _deliver(self) -> None:
        """Wait a moment for the events that are not acknowledged yet."""
        if "sink" in self._reports:
            with suppress(TimeoutError):
                async with asyncio.timeout(DRAIN_SECONDS):
                    await self.events.delivered.wait()

    async def _sequence(self) -> None:
        self.publish(Sequence(sequence="initialize", action=Sequence.START))
        self.spawn(self._tell_address())
        self._report("sink", self.arguments.get("talos.events.sink", ""))
        self._report("kernel", self.arguments.get("talos.logging.kernel", ""))
        if self.arguments.get("talos.experimental.wipe") == "system":
            installing.wipe_system(self)
            self.end(After.REBOOT)
            return
        stored = self._stored()
        self.is_installed = stored is not None
        configuration = stored or await self._acquired()
        self.publish(Sequence(sequence="initialize", action=Sequence.STOP))
        self._use(configuration)
        await running.run(self)

    async def _tell_address(self) -> None:
        """Tell the machine's address at once, and then every ten minutes."""
        while True:
            name = self.configuration.hostname if self.configuration is not None else ""
            self.publish(events_pb2.AddressEvent(hostname=name, addresses=[self.machine.address]))
            await self.clock.sleep(ADDRESS_SECONDS)

    def _stored(self) -> Configuration | None:
        """Return the configuration in STATE, which wins over everything else."""
        disk = self.machine.hardware.system_disk
        if disk is None or disk.installed is None or not disk.installed.config:
            return None
        return Configuration.parse(disk.installed.config)

    async def _acquired(self) -> Configuration:
        fetched = await self._fetched() if "talos.config" in self.arguments else None
        if fetched is not None:
            if fetched.is_complete:
                return fetched
            self._use(fetched)
        return await self._maintained()

    async def _fetched(self) -> Configuration:
        url = address_of(self.arguments["talos.config"], self.machine.hardware)
        failures = 0
        while True:
            self.log.write(f"downloading config from {url.partition('?')[0]}")
            found, reason = await self._attempted(url)
            if found is not None:
                return found
            self.log.write(f"config loading failed: {reason}", "error")
            self.publish(events_pb2.ConfigLoadErrorEvent(error=reason))
            failures += 1
            await self.clock.sleep(pause(failures, random.random()))  # jitter

    async def _attempted(self, url: str) -> tuple[Configuration | None, str]:
        """Return the configuration that one attempt brings, or why it brings none."""
        try:
            found = Configuration.parse(await fetch(url, self.machine.address))
        except (NotFetchedError, UnusableError) as error:
            return None, str(error)
        reason = self.refusal(found)
        return (None, reason) if reason else (found, "")

    async def _maintained(self) -> Configuration:
        """Wait in maintenance until somebody applies a complete configuration."""
        authority = Authority.made(self.clock.now())
        leaf = authority.leaf(MAINTENANCE_NAME, [self.machine.address], self.clock.now())
        await self._api.serve(server_context(leaf, ()))
        self.is_in_maintenance = True
        self.become(Stage.MAINTENANCE, is_ready=True)
        self.publish(events_pb2.TaskEvent(task="runningMaintenance", action=events_pb2.TaskEvent.START))
        self.log.write("this machine is reachable in maintenance mode, waiting for its configuration")
        configuration = await self._applied
        self.publish(events_pb2.TaskEvent(task="runningMaintenance", action=events_pb2.TaskEvent.STOP))
        await self._api.close()
        self.is_in_maintenance = False
        self.become(Stage.BOOTING)
        return configuration

    def _use(self, configuration: Configuration) -> None:
        self.configuration = configuration
        self.static_pods.configure(configuration)
        for name, report in list(self._reports.items()):
            report.cancel()
            del self._reports[name]
        self._report("sink", configuration.event_sink or self.arguments.get("talos.events.sink", ""))
        for number, url in enumerate(configuration.kernel_logs):
            self._report(f"kernel-{number}", url)
        self.notice()

    def _report(self, name: str, target: str) -> None:
        if target:
            send = self.events.send if name == "sink" else self.log.send
            self._reports[name] = self.spawn(send(target))

    async def serve_api(self, leaf_authority: Authority) -> None:
        """Serve the API of an installed machine, or of one that installs."""
        configuration = self.configuration
        assert configuration is not None
        name = configuration.hostname or "talos"
        leaf = leaf_authority.leaf(name, [name, self.machine.address, *configuration.sans], self.clock.now())
        await self._api.serve(server_context(leaf, configuration.accepted_cas))

    @property
    def is_1_13(self) -> bool:
        return self.machine.contract is Contract.V1_13
