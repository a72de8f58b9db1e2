"""Documents that both contracts have: the network, the time, and what a machine tells of itself."""

from collections.abc import Iterator

from iluvatar_pxe.fleet.registries import talos_documents
from iluvatar_pxe.layers.arda.configuration.cel import of_link
from iluvatar_pxe.layers.arda.configuration.facts import ClusterFacts, MachineFacts
from iluvatar_pxe.layers.arda.documents import Document, load_documents
from iluvatar_pxe.machines.states import Role

LONGHORN = "longhorn"
"""The user volume for Longhorn: Talos mounts it at ``/var/mnt/longhorn``, and calls it ``u-longhorn``."""
BOOT_TIMEOUT = "2m0s"
"""How long a machine waits for the time; later its own clock has to do. Without it Talos waits for ever."""

ADMISSION: Document = {
    "name": "PodSecurity",
    "configuration": {
        "apiVersion": "pod-security.admission.config.k8s.io/v1alpha1",
        "kind": "PodSecurityConfiguration",
        "defaults": {
            "audit": "restricted",
            "audit-version": "latest",
            "enforce": "baseline",
            "enforce-version": "latest",
            "warn": "restricted",
            "warn-version": "latest",
        },
        "exemptions": {"namespaces": ["kube-system"], "runtimeClasses": [], "usernames": []},
    },
}
"""What Talos allows pods by default. A namespace that needs more, as Longhorn's, says so by a label."""
AUDIT_POLICY: Document = {"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "rules": [{"level": "Metadata"}]}
EXCLUDED = "node.kubernetes.io/exclude-from-external-load-balancers"
"""The label of nodes that load balancers leave out: control planes, where there are workers."""


def document(kind: str, **values: object) -> Document:
    """Return a document of a kind; every kind has this version."""
    return {"apiVersion": "v1alpha1", "kind": kind, **values}


def hostname_config(machine: MachineFacts) -> Document:
    """Return the machine's host name; without one Talos makes it of the machine's identity."""
    if not machine.hostname:
        return document("HostnameConfig", auto="stable")
    return document("HostnameConfig", auto="off", hostname=machine.hostname)


def nameservers(machine: MachineFacts) -> Document:
    """Return the part of a ResolverConfig that names the resolvers."""
    found = [{"address": str(address)} for address in machine.resolvers]
    return {"nameservers": found} if found else {}


def network(machine: MachineFacts) -> Iterator[Document]:
    """Yield the machine's links by their MACs, each with DHCP."""
    for number, mac in enumerate(machine.macs):
        yield document("LinkAliasConfig", name=_link(number), selector={"match": of_link(mac)})
        yield document("DHCPv4Config", name=_link(number))


def vip_config(cluster: ClusterFacts, machine: MachineFacts) -> Iterator[Document]:
    """Yield the address that the control planes share, on the machine's first link."""
    if cluster.vip and machine.macs and machine.role is Role.CONTROLPLANE:
        yield document("Layer2VIPConfig", name=str(cluster.vip), link=_link(0))


def reporting(machine: MachineFacts) -> Iterator[Document]:
    """Yield where the machine sends its events and its kernel's log.

    They belong into the configuration: kernel arguments of the first boot are not those of the installed system.
    """
    if machine.event_sink:
        yield document("EventSinkConfig", endpoint=machine.event_sink)
    if machine.kernel_log:
        yield document("KmsgLogConfig", name="iluvatar-pxe", url=machine.kernel_log)
    if machine.no_proxy:
        yield document("EnvironmentConfig", variables={"no_proxy": ",".join(machine.no_proxy)})


def time_sync(machine: MachineFacts) -> Iterator[Document]:
    """Yield the time servers, which speak NTP without NTS: a server on this network has no name to prove."""
    if machine.time_servers:
        servers = {"servers": list(machine.time_servers)}
        yield document("TimeSyncConfig", enabled=True, bootTimeout=BOOT_TIMEOUT, ntp=servers)


def registry_mirrors(machine: MachineFacts) -> tuple[Document, ...]:
    """Return the registries of this network."""
    return load_documents(talos_documents(machine.registries))


def user_volumes(machine: MachineFacts) -> Iterator[Document]:
    """Yield a folder for Longhorn on the system disk; no other disk is touched."""
    if machine.longhorn:
        yield document("UserVolumeConfig", name=LONGHORN, volumeType="directory")


def _link(number: int) -> str:
    return f"net{number}"
