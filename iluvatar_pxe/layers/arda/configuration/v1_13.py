"""Contract 1.13: Kubernetes and the installation are parts of the v1alpha1 document."""

from collections.abc import Iterator

from iluvatar_pxe.errors import ConfigurationError
from iluvatar_pxe.layers.arda.bundle import Bundle
from iluvatar_pxe.layers.arda.configuration import images
from iluvatar_pxe.layers.arda.configuration.common import (
    ADMISSION,
    AUDIT_POLICY,
    EXCLUDED,
    document,
    hostname_config,
    nameservers,
)
from iluvatar_pxe.layers.arda.configuration.facts import ClusterFacts, MachineFacts
from iluvatar_pxe.layers.arda.disks import DiskChoice
from iluvatar_pxe.layers.arda.documents import Document
from iluvatar_pxe.layers.key_pair import KeyPair, encode
from iluvatar_pxe.machines.states import Role


def documents(cluster: ClusterFacts, machine: MachineFacts) -> Iterator[Document]:
    """Yield the documents that this contract has by itself."""
    leads = machine.role is Role.CONTROLPLANE
    yield {
        "version": "v1alpha1",
        "debug": False,
        "persist": True,
        "machine": {**_machine(cluster, machine), **(_control_plane_node(cluster) if leads else {})},
        "cluster": _control_plane(cluster, machine) if leads else _worker(cluster),
    }
    yield hostname_config(machine)
    if found := nameservers(machine):
        yield document("ResolverConfig", **found)


def _machine(cluster: ClusterFacts, machine: MachineFacts) -> Document:
    bundle = cluster.bundle
    sysctls = {"sysctls": dict(machine.sysctls)} if machine.sysctls else {}
    return {
        "type": str(machine.role),
        "token": bundle.trustd_token,
        "ca": encoded(bundle.os) if machine.role is Role.CONTROLPLANE else without_key(bundle.os),
        "certSANs": list(machine.names),
        "kubelet": {
            "image": images.kubelet(cluster.kubernetes),
            "defaultRuntimeSeccompProfileEnabled": True,
            "disableManifestsDirectory": True,
        },
        "install": _install(machine),
        **sysctls,
        "features": {
            "diskQuotaSupport": True,
            "kubePrism": {"enabled": True, "port": 7445},
            "hostDNS": {"enabled": True, "forwardKubeDNSToHost": True},
        },
    }


def _control_plane_node(cluster: ClusterFacts) -> Document:
    """A node that also runs what users deploy takes part in load balancing."""
    return {} if cluster.schedules_on_control_planes else {"nodeLabels": {EXCLUDED: ""}}


def _install(machine: MachineFacts) -> Document:
    """``grubUseUKICmdline`` takes the kernel's arguments from the schematic, so no ticket of this boot gets onto the disk."""
    selector = {"diskSelector": _disk_selector(machine.disk)} if machine.disk else {}
    image = {"image": machine.installer_image} if machine.installer_image else {}
    return {**selector, **image, "wipe": False, "grubUseUKICmdline": True}


def _disk_selector(disk: DiskChoice) -> Document:
    """Talos 1.13 takes these for patterns, in which ``*`` is any text and nothing else is special."""
    names = {"serial": disk.serial, "wwid": disk.wwid, "busPath": "" if disk.is_lasting else disk.bus_path}
    exact = {key: value for key, value in names.items() if value and "*" not in value}
    if not exact:
        trouble = (
            "has '*' in its serial number and WWID, or in its place, which Talos 1.13 takes for any text"
        )
        raise ConfigurationError(f"disk {disk.path} {trouble}; choose another disk, or Talos 1.14")
    return exact


def _worker(cluster: ClusterFacts) -> Document:
    return {**_common(cluster), "ca": without_key(cluster.bundle.kubernetes)}


def _control_plane(cluster: ClusterFacts, machine: MachineFacts) -> Document:
    version = cluster.kubernetes
    scheduling = {"allowSchedulingOnControlPlanes": True} if cluster.schedules_on_control_planes else {}
    manifests = [{"name": one.name, "contents": one.text} for one in cluster.manifests]
    return {
        **_common(cluster),
        **_control_plane_secrets(cluster.bundle),
        "apiServer": _api_server(cluster, machine),
        "controllerManager": {"image": images.kubernetes("controller-manager", version)},
        "proxy": {"image": images.kubernetes("proxy", version)},
        "scheduler": {"image": images.kubernetes("scheduler", version)},
        **scheduling,
        **({"inlineManifests": manifests} if manifests else {}),
    }


def _common(cluster: ClusterFacts) -> Document:
    bundle = cluster.bundle
    return {
        "id": bundle.cluster_id,
        "secret": bundle.cluster_secret,
        "controlPlane": {"endpoint": cluster.endpoint},
        "clusterName": cluster.name,
        "network": {
            "dnsDomain": "cluster.local",
            "podSubnets": ["10.244.0.0/16"],
            "serviceSubnets": ["10.96.0.0/12"],
        },
        "token": bundle.bootstrap_token,
        "discovery": {
            "enabled": True,
            "registries": {"kubernetes": {"disabled": True}, "service": {}},
        },
    }


def _control_plane_secrets(bundle: Bundle) -> Document:
    """Return what no worker ever gets."""
    return {
        "ca": encoded(bundle.kubernetes),
        "aggregatorCA": encoded(bundle.aggregator),
        "serviceAccount": {"key": encode(bundle.service_account_key)},
        "secretboxEncryptionSecret": bundle.secretbox_key,
        "etcd": {"ca": encoded(bundle.etcd)},
    }


def _api_server(cluster: ClusterFacts, machine: MachineFacts) -> Document:
    sans = {"certSANs": list(machine.names)} if machine.names else {}
    return {
        "image": images.kubernetes("apiserver", cluster.kubernetes),
        **sans,
        "admissionControl": [ADMISSION],
        "auditPolicy": AUDIT_POLICY,
    }


def encoded(pair: KeyPair) -> Document:
    """Return a certificate and its key as v1alpha1 documents hold them."""
    return {"crt": encode(pair.crt), "key": encode(pair.key)}


def without_key(pair: KeyPair) -> Document:
    """Return a certificate as v1alpha1 documents of workers hold it."""
    return {"crt": encode(pair.crt), "key": ""}
