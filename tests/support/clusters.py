"""Facts of a Talos cluster and its machines for tests, with secrets that are of no cluster."""

from ipaddress import IPv4Address
from pathlib import Path

from iluvatar_pxe.fleet.registries import Registries
from iluvatar_pxe.layers.arda.bundle import Bundle, load_bundle
from iluvatar_pxe.layers.arda.configuration.facts import ClusterFacts, MachineFacts
from iluvatar_pxe.layers.arda.disks import DiskChoice
from iluvatar_pxe.layers.arda.documents import Contract
from iluvatar_pxe.layers.key_pair import encode
from iluvatar_pxe.machines.states import Role
from iluvatar_pxe.values import replace

GOLDEN = Path(__file__).parents[1] / "replies/talos"
"""Talos' own test data; see the README there."""
DISK = DiskChoice(serial="S6Z1NJ0T", wwid="eui.0025385b21404321", size=500 * 10**9, path="/dev/nvme0n1")
IMAGE = "factory.talos.dev/metal-installer/376567988ad370138ad8b2698212367b8edcb69b5fd68c80be1f2ec7d603b4ba:v1.14.0"


def golden_bundle() -> Bundle:
    """Return the secrets of Talos' own test data."""
    return load_bundle((GOLDEN / "secrets.yaml").read_text())


def cluster_facts(contract: Contract, *, vip: str = "", schedules: bool = False) -> ClusterFacts:
    """Return the cluster of Talos' own test data."""
    return ClusterFacts(
        name="base",
        endpoint="https://base:6443",
        contract=contract,
        kubernetes="v1.28.0",
        bundle=golden_bundle(),
        vip=IPv4Address(vip) if vip else None,
        schedules_on_control_planes=schedules,
    )


def running_cluster(contract: Contract, *, vip: str = "", schedules: bool = False) -> ClusterFacts:
    """Return the same cluster with a version of Kubernetes that this version of Talos runs."""
    return replace(cluster_facts(contract, vip=vip, schedules=schedules), kubernetes="v1.36.3")


def machine_facts(role: Role, disk: DiskChoice = DISK) -> MachineFacts:
    """Return a machine with everything that one can have."""
    daemon, router = IPv4Address("192.168.1.2"), IPv4Address("192.168.1.1")
    mirrors = {
        "docker.io": ["https://registry.lab:5000", "http://192.168.1.2:5000"],
        "*": ["http://[fd00::5]"],
    }
    return MachineFacts(
        role=role,
        hostname="node-01",
        macs=("52:54:00:12:34:56", "52:54:00:12:34:57"),
        disk=disk,
        installer_image=IMAGE,
        sans=("node-01.lab", "base"),
        resolvers=(daemon, router),
        time_servers=(str(daemon), "time.cloudflare.com"),
        event_sink=f"{daemon}:3333",
        kernel_log=f"tcp://{daemon}:3334",
        no_proxy=(str(daemon), ".lab"),
        registries=Registries.model_validate({"mirrors": mirrors}),
        sysctls={"kernel.kexec_load_disabled": "1"},
        longhorn=True,
    )


def control_plane_secrets(bundle: Bundle) -> tuple[str, ...]:
    """Return what no worker may ever get, as PEM or as it is."""
    return (
        bundle.os.key,
        bundle.kubernetes.key,
        bundle.etcd.crt,
        bundle.etcd.key,
        bundle.aggregator.crt,
        bundle.aggregator.key,
        bundle.service_account_key,
        bundle.secretbox_key,
    )


def shows(text: str, secret: str) -> bool:
    """Say whether a configuration holds a secret: encoded, or as it is, of which a line is looked for."""
    return encode(secret) in text or secret.splitlines()[:2][-1] in text
