"""The static pods of a stand-in's control plane.

Talos says what each is to run with, the kubelet looks at that every 20 s, and Talos asks the kubelet every 15 s how they
are. So a configuration that the API server does not start with is not to be seen for half a minute.
"""

import asyncio
from typing import TYPE_CHECKING, Any

from support.talos.configuration import Configuration

from iluvatar_pxe.layers.arda.api.protos import runtime_events_pb2 as events_pb2

if TYPE_CHECKING:
    from support.talos.boot import Boot

Stage = events_pb2.MachineStatusEvent.MachineStage
KUBELET_SECONDS = 20.0
TALOS_SECONDS = 15.0
START_SECONDS = 5.0
UNKNOWN = "no-such-flag"
"""What no program of Kubernetes starts with."""
API_SERVER = "kube-apiserver"
PODS = {
    API_SERVER: ("apiServer", "KubeAPIServerConfig", "APIServerConfigs"),
    "kube-controller-manager": ("controllerManager", "KubeControllerManagerConfig", "ControllerManagerConfigs"),
    "kube-scheduler": ("scheduler", "KubeSchedulerConfig", "SchedulerConfigs"),
}  # fmt: skip
"""By the name of the pod: where its part of a configuration is, by contract, and the resource that Talos makes of it."""


class StaticPods:
    """Those of one boot."""

    def __init__(self, boot: "Boot") -> None:
        self._boot = boot
        self._parts: dict[str, Any] = {}
        self.versions = dict.fromkeys(PODS, 0)
        """What each is to run with."""
        self._running: dict[str, int] = {}
        self._failed: set[str] = set()

    def configure(self, configuration: Configuration) -> None:
        """Take in what the machine runs with from now on."""
        for name, (field, kind, _) in PODS.items():
            part = (configuration.cluster.get(field), configuration.kind(kind))
            if part != self._parts.get(name):
                self._parts[name] = part
                self.versions[name] += 1

    async def run(self) -> None:
        """Be the kubelet."""
        while True:
            for name in PODS:
                if self._running.get(name) != self.versions[name]:
                    await self._replace(name)
            await self._boot.clock.sleep(KUBELET_SECONDS)

    async def watch(self) -> None:
        """Be Talos' controller."""
        while True:
            await self._boot.clock.sleep(TALOS_SECONDS)
            boot = self._boot
            if boot.stage != Stage.RUNNING or not boot.is_member_of_kubernetes:
                continue
            unmet = {"staticPods": f"kube-system/{min(self._failed)} not ready"} if self._failed else {}
            if bool(unmet) == boot.is_ready:
                boot.become(Stage.RUNNING, is_ready=not unmet, **unmet)

    async def _replace(self, name: str) -> None:
        boot, is_new = self._boot, name in self._running
        self._running[name] = self.versions[name]
        is_broken = UNKNOWN in str(self._parts[name])
        self._failed.add(name)
        self._show(name, is_ready=False)
        if is_new and name == API_SERVER and boot.kubernetes_api is not None:
            await boot.kubernetes_api.close()
        if is_broken:
            return
        if is_new:
            await boot.clock.sleep(START_SECONDS)
            if name == API_SERVER and boot.kubernetes_api is not None:
                await boot.kubernetes_api.start()
        self._failed.discard(name)
        self._show(name, is_ready=True)

    def _show(self, name: str, *, is_ready: bool) -> None:
        """Have Kubernetes know of the pod."""
        configuration = self._boot.configuration
        assert configuration is not None
        kubernetes = self._boot.machine.site.kubernetes(configuration.os_ca.crt)
        kubernetes.mirror(name, configuration.hostname, self._running[name], is_ready=is_ready)


async def look_after(boot: "Boot") -> None:
    """Run the pods of a control plane."""
    async with asyncio.TaskGroup() as group:
        group.create_task(boot.static_pods.run())
        group.create_task(boot.static_pods.watch())
