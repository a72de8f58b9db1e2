"""Contract 1.14: Kubernetes, its CAs and the installation are documents of their own."""

from collections.abc import Iterator

from iluvatar_pxe.layers.arda.configuration import images
from iluvatar_pxe.layers.arda.configuration.cel import of_disk
from iluvatar_pxe.layers.arda.configuration.common import (
    ADMISSION,
    AUDIT_POLICY,
    EXCLUDED,
    document,
    hostname_config,
    nameservers,
)
from iluvatar_pxe.layers.arda.configuration.facts import ClusterFacts, MachineFacts
from iluvatar_pxe.layers.arda.configuration.v1_13 import encoded, without_key
from iluvatar_pxe.layers.arda.documents import Document
from iluvatar_pxe.layers.key_pair import KeyPair
from iluvatar_pxe.machines.states import Role

_CONTROL_PLANE = "node-role.kubernetes.io/control-plane"


def documents(cluster: ClusterFacts, machine: MachineFacts) -> Iterator[Document]:
    """Yield the documents that this contract has by itself."""
    yield _v1alpha1(cluster, machine)
    yield from _host(cluster, machine)
    yield from _node(cluster, machine)
    if machine.role is Role.CONTROLPLANE:
        yield from _control_plane_secrets(cluster)
        yield from _api_server(cluster, machine)
        yield from _control_plane(cluster)


def _v1alpha1(cluster: ClusterFacts, machine: MachineFacts) -> Document:
    """Return what is left of the v1alpha1 document."""
    bundle, leads = cluster.bundle, machine.role is Role.CONTROLPLANE
    etcd = {"etcd": {"ca": encoded(bundle.etcd)}} if leads else {}
    return {
        "version": "v1alpha1",
        "debug": False,
        "persist": True,
        "machine": {
            "type": str(machine.role),
            "token": bundle.trustd_token,
            "ca": encoded(bundle.os) if leads else without_key(bundle.os),
            "certSANs": list(machine.names),
            "features": {"diskQuotaSupport": True},
        },
        "cluster": {"token": bundle.bootstrap_token, **etcd},
    }


def _host(cluster: ClusterFacts, machine: MachineFacts) -> Iterator[Document]:
    """Yield what concerns Talos itself."""
    bundle = cluster.bundle
    yield document("DiscoveryServiceConfig", name="default", endpoint="https://discovery.talos.dev/")
    yield document(
        "DiscoveryIdentityConfig", clusterID=bundle.cluster_id, clusterSecret=bundle.cluster_secret
    )
    host_dns = {"enabled": True, "forwardKubeDNSToHost": True}
    yield document("ResolverConfig", **nameservers(machine), hostDNS=host_dns)
    yield document("VolumeConfig", name="EPHEMERAL", mount={"secure": True})
    yield document("FilesystemTrimConfig", interval="168h0m0s")
    yield document("SecurityProfileConfig", workloadIsolation=True)
    yield hostname_config(machine)
    yield from _install(machine)
    if machine.sysctls:
        yield document("SysctlConfig", params=dict(machine.sysctls))


def _install(machine: MachineFacts) -> Iterator[Document]:
    """Yield where Talos is installed. With an image Talos restarts by itself when that is done."""
    if machine.disk and machine.installer_image:
        yield document(
            "UnattendedInstallConfig",
            installer={"image": machine.installer_image},
            provisioning={"diskSelector": {"match": of_disk(machine.disk)}, "wipe": False},
        )


def _node(cluster: ClusterFacts, machine: MachineFacts) -> Iterator[Document]:
    """Yield what every node of the cluster has."""
    yield document("KubeClusterConfig", clusterName=cluster.name, endpoint=cluster.endpoint)
    yield document("KubeNodeConfig", nodeIP={}, **_node_marks(cluster, machine))
    yield document(
        "KubeletConfig",
        image=images.kubelet(cluster.kubernetes),
        config={},
        defaultRuntimeSeccompProfileEnabled=True,
    )
    yield document(
        "KubeNetworkConfig",
        dnsDomain="cluster.local",
        podSubnets=["10.244.0.0/16"],
        serviceSubnets=["10.96.0.0/12"],
    )
    yield document("KubeAPIServerCAConfig", **_kubernetes_ca(cluster, machine))
    yield document("KubePrismConfig", port=7445)


def _node_marks(cluster: ClusterFacts, machine: MachineFacts) -> Document:
    """Return a control plane's labels, and the taint that keeps off what users deploy, where there are workers for that."""
    if machine.role is not Role.CONTROLPLANE:
        return {}
    if cluster.schedules_on_control_planes:
        return {"labels": {_CONTROL_PLANE: ""}}
    return {"labels": {_CONTROL_PLANE: "", EXCLUDED: ""}, "taints": {_CONTROL_PLANE: "NoSchedule"}}


def _kubernetes_ca(cluster: ClusterFacts, machine: MachineFacts) -> Document:
    """Return Kubernetes' CA: control planes issue certificates by it, workers only accept them."""
    ca = cluster.bundle.kubernetes
    return {"issuingCA": _pem(ca)} if machine.role is Role.CONTROLPLANE else {"acceptedCAs": [ca.crt]}


def _control_plane_secrets(cluster: ClusterFacts) -> Iterator[Document]:
    """Yield what no worker ever gets, besides the keys of CAs."""
    bundle = cluster.bundle
    keys = {"secretbox": {"keys": [{"name": "key2", "secret": bundle.secretbox_key}]}}
    yield document("KubeAggregatorCAConfig", issuingCA=_pem(bundle.aggregator))
    yield document(
        "KubeEtcdEncryptionConfig", config={"resources": [{"providers": [keys], "resources": ["secrets"]}]}
    )
    yield document(
        "KubeServiceAccountConfig",
        issuer={"privateKey": bundle.service_account_key, "issuerURL": cluster.endpoint},
    )


def _api_server(cluster: ClusterFacts, machine: MachineFacts) -> Iterator[Document]:
    """Yield the API server, and whom it lets do what."""
    sans = {"certExtraSANs": list(machine.names)} if machine.names else {}
    anonymous = {
        "enabled": True,
        "conditions": [{"path": path} for path in ("/livez", "/readyz", "/healthz")],
    }
    yield document("KubeAPIServerConfig", image=images.kubernetes("apiserver", cluster.kubernetes), **sans)
    yield document("KubeAdmissionControlConfig", **ADMISSION)
    yield document("KubeAuditPolicyConfig", configuration=AUDIT_POLICY)
    yield document("KubeAuthenticationConfig", configuration={"anonymous": anonymous, "jwt": []})
    yield document("KubeAuthorizerConfig", name="node", type="Node")
    yield document("KubeAuthorizerConfig", name="rbac", type="RBAC")


def _control_plane(cluster: ClusterFacts) -> Iterator[Document]:
    """Yield the other parts of the control plane, and what it deploys to all nodes."""
    version = cluster.kubernetes
    yield document("KubeControllerManagerConfig", image=images.kubernetes("controller-manager", version))
    yield document("KubeSchedulerConfig", image=images.kubernetes("scheduler", version), config={})
    yield document("KubeProxyConfig", image=images.kubernetes("proxy", version), config={})
    yield document("KubeFlannelCNIConfig", backendType="vxlan", backendPort=4789)
    yield document("KubeCoreDNSConfig", enabled=True)
    for manifest in cluster.manifests:
        yield document("KubeInlineManifestConfig", name=manifest.name, manifest=manifest.text)


def _pem(pair: KeyPair) -> Document:
    """Return a certificate and its key as the documents of this contract hold them."""
    return {"cert": pair.crt, "key": pair.key}
