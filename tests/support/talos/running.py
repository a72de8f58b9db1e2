"""What a stand-in does once it has a complete configuration: it installs, or runs its services until it is ready."""

import asyncio
from collections.abc import Iterable
from typing import TYPE_CHECKING

from support.talos import installing, static_pods
from support.talos.certificates import Authority
from support.talos.etcd import Etcd
from support.talos.kubernetes import Kubelet
from support.talos.kubernetes_api import KubernetesApi, tls_context
from support.talos.membership import Membership

from iluvatar_pxe.layers.arda.api.protos import runtime_events_pb2 as events_pb2

if TYPE_CHECKING:
    from support.talos.boot import Boot

Stage = events_pb2.MachineStatusEvent.MachineStage
Sequence = events_pb2.SequenceEvent
LOOK_SECONDS = 1.0


async def run(boot: "Boot") -> None:
    assert boot.configuration is not None
    boot.publish(Sequence(sequence="boot", action=Sequence.START))
    for name in ("machined", "containerd", "udevd"):
        boot.services.set(name, "Running", "Health check successful", healthy=True)
    boot.spawn(_serve(boot))
    if not boot.is_installed:
        await installing.install(boot)
        return
    boot.install_phase = "installed"
    await _in_sync(boot)
    boot.services.set("cri", "Running", "Health check successful", healthy=True)
    if boot.configuration.is_control_plane:
        boot.services.set("trustd", "Running", "Health check successful", healthy=True)
        boot.membership = _membership(boot)
        boot.spawn(boot.membership.run())
        boot.spawn(_kubernetes_api(boot, boot.membership))
    boot.spawn(_kubelet(boot))
    await _until_ready(boot)


async def _serve(boot: "Boot") -> None:
    """Serve the API: a control plane signs for itself, and a worker needs a control plane that does."""
    configuration = boot.configuration
    assert configuration is not None
    boot.services.set("apid", "Waiting", "Waiting for api certificates")
    while (authority := _signer(boot)) is None:
        await boot.clock.sleep(LOOK_SECONDS)
    await boot.serve_api(authority)
    boot.services.set("apid", "Running", "Health check successful", healthy=True)


def _signer(boot: "Boot") -> Authority | None:
    configuration = boot.configuration
    assert configuration is not None
    if configuration.is_control_plane:
        return Authority.of(configuration.os_ca)
    for machine in boot.machine.site.control_planes(configuration.os_ca.crt):
        if machine.boot is not None and machine.boot.configuration is not None:
            return Authority.of(machine.boot.configuration.os_ca)
    return None


def _membership(boot: "Boot") -> Membership:
    configuration, disk = boot.configuration, boot.machine.hardware.system_disk
    assert configuration is not None
    assert disk is not None
    assert disk.installed is not None
    etcd = Etcd(
        configuration.hostname,
        boot.machine.address,
        disk.installed.etcd,
        Authority.of(configuration.etcd_ca),
        boot.clock,
    )

    async def others() -> Iterable[str]:
        found = await boot.machine.site.resolve(configuration.endpoint_host, configuration.resolvers)
        return [address for address in found if address != boot.machine.address]

    kubernetes = boot.machine.site.kubernetes(configuration.os_ca.crt)
    return Membership(
        etcd,
        boot.services,
        boot.clock,
        boot.log.write,
        others,
        boot.machine.may_write_etcd,
        kubernetes.forget,
    )


async def _kubernetes_api(boot: "Boot", membership: Membership) -> None:
    """Serve the Kubernetes API from the time on when this control plane's etcd votes."""
    configuration = boot.configuration
    assert configuration is not None
    while not membership.is_voting:
        await boot.clock.sleep(LOOK_SECONDS)
    authority = Authority.of(configuration.kubernetes_ca)
    sans = [
        configuration.hostname, configuration.endpoint_host, boot.machine.address, "kubernetes", "localhost",
        *configuration.sans,
    ]  # fmt: skip
    leaf = authority.leaf("kube-apiserver", sans, boot.clock.now())
    kubernetes = boot.machine.site.kubernetes(configuration.os_ca.crt)
    boot.kubernetes_api = KubernetesApi(kubernetes, configuration.kubernetes_version, membership.etcd)
    await boot.kubernetes_api.serve(boot.machine.address, tls_context(authority, leaf))


async def _in_sync(boot: "Boot") -> None:
    while not boot.clock.is_right:
        boot.become(Stage.BOOTING, time="time is not synchronized")
        await boot.clock.sleep(LOOK_SECONDS)
    boot.become(Stage.BOOTING)


async def _kubelet(boot: "Boot") -> None:
    """Run the kubelet; it registers its Node once it reaches its cluster's API server, and never again."""
    configuration = boot.configuration
    assert configuration is not None
    boot.services.set("kubelet", "Running", "Health check successful", healthy=True)
    while not has_kubernetes(boot, configuration.os_ca.crt):
        await boot.clock.sleep(LOOK_SECONDS)
    boot.kubelet = Kubelet(lambda: not boot.is_over)
    status = {
        "addresses": [
            {"type": "InternalIP", "address": boot.machine.address},
            {"type": "Hostname", "address": configuration.hostname},
        ],
        "nodeInfo": {
            "kubeletVersion": configuration.kubernetes_version,
            "osImage": f"Talos ({boot.machine.version})",
            "bootID": f"{boot.machine.hardware.uuid}-{len(boot.machine.boots)}",
        },
    }
    kubernetes = boot.machine.site.kubernetes(configuration.os_ca.crt)
    kubernetes.register(
        configuration.hostname, boot.kubelet, status, is_control_plane=configuration.is_control_plane
    )
    if configuration.is_control_plane:
        boot.spawn(static_pods.look_after(boot))
    boot.notice()


def has_kubernetes(boot: "Boot", authority: bytes) -> bool:
    """Say whether it reaches the Kubernetes API of its cluster."""
    if boot.membership is not None:
        return _serves_kubernetes(boot)
    boots = (machine.boot for machine in boot.machine.site.control_planes(authority))
    return any(found is not None and _serves_kubernetes(found) for found in boots)


def _serves_kubernetes(boot: "Boot") -> bool:
    votes = boot.membership is not None and boot.membership.is_voting
    return votes and boot.kubernetes_api is not None and boot.kubernetes_api.is_listening


async def _until_ready(boot: "Boot") -> None:
    configuration = boot.configuration
    assert configuration is not None
    while boot.membership is not None and not boot.membership.is_voting:
        boot.become(Stage.BOOTING, services="etcd is not healthy")
        await boot.clock.sleep(LOOK_SECONDS)
    boot.publish(Sequence(sequence="boot", action=Sequence.STOP))
    missing = f'node "{configuration.hostname}" status is not available yet'
    while boot.kubelet is None:
        boot.become(Stage.RUNNING, nodeReady=missing)
        await boot.clock.sleep(LOOK_SECONDS)
    boot.become(Stage.RUNNING, is_ready=True)
    await boot.kubelet.lost.wait()
    if boot.stage == Stage.RUNNING:
        boot.become(Stage.RUNNING, nodeReady=missing)
    await asyncio.Event().wait()
