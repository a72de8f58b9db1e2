"""What Talos requires of a configuration besides its schema: read from v1.13.9 and v1.14.1.

Paths without a kind are those of the document with machine and cluster.
"""

from collections.abc import Mapping

from iluvatar_pxe.layers.arda.documents import Contract

SECTIONS: Mapping[str, tuple[str, ...]] = {
    "CRIBaseRuntimeSpecConfig": ("machine.baseRuntimeSpecOverrides",),
    "DiscoveryServiceConfig": ("cluster.discovery",),
    "ImageCacheConfig": ("machine.features.imageCache",),
    "KubeAPIServerCAConfig": ("cluster.ca",),
    "KubeAPIServerConfig": ("cluster.apiServer",),
    "KubeAggregatorCAConfig": ("cluster.aggregatorCA",),
    "KubeControllerManagerConfig": ("cluster.controllerManager", "machine.controlPlane.controllerManager"),
    "KubeCoreDNSConfig": ("cluster.coreDNS",),
    "KubeCredentialProviderConfig": ("machine.kubelet",),
    "KubeFlannelCNIConfig": ("cluster.network",),
    "KubeNetworkConfig": ("cluster.network",),
    "KubeNodeConfig": (
        *("cluster.allowSchedulingOnControlPlanes", "cluster.allowSchedulingOnMasters"),
        *(
            "machine.kubelet.skipNodeRegistration",
            "machine.kubelet.registerWithFQDN",
            "machine.kubelet.nodeIP",
        ),
        *("machine.nodeLabels", "machine.nodeAnnotations", "machine.nodeTaints"),
    ),
    "KubePrismConfig": ("machine.features.kubePrism",),
    "KubeProxyConfig": ("cluster.proxy",),
    "KubeSchedulerConfig": ("cluster.scheduler", "machine.controlPlane.scheduler"),
    "KubeServiceAccountConfig": ("cluster.serviceAccount",),
    "KubeSpanConfig": ("machine.network.kubespan",),
    "KubeTalosAPIAccessConfig": ("machine.features.kubernetesTalosAPIAccess",),
    "KubeletConfig": ("machine.kubelet",),
    "ResolverConfig": ("machine.network.nameservers",),
    "UnattendedInstallConfig": ("machine.install",),
}
"""By kind, parts that must not be there besides, not even empty: one of the two says it."""

VALUES: Mapping[str, tuple[str, ...]] = {
    "DiscoveryIdentityConfig": ("cluster.id", "cluster.secret"),
    "HostnameConfig": ("machine.network.hostname", "machine.features.stableHostname"),
    "KubeAPIServerConfig": ("cluster.controlPlane.localAPIServerPort",),
    "KubeAdmissionControlConfig": ("cluster.apiServer.admissionControl",),
    "KubeAuditPolicyConfig": ("cluster.apiServer.auditPolicy",),
    "KubeAuthorizerConfig": ("cluster.apiServer.admissionControl",),
    "KubeClusterConfig": ("cluster.clusterName", "cluster.controlPlane.endpoint"),
    "KubeEtcdEncryptionConfig": ("cluster.secretboxEncryptionSecret", "cluster.aescbcEncryptionSecret"),
    "ResolverConfig": ("machine.network.searchDomains", "machine.network.disableSearchDomain"),
    "TimeSyncConfig": ("machine.time.disabled", "machine.time.servers", "machine.time.bootTimeout"),
}
"""By kind, parts that must not say anything besides."""

NEEDED: Mapping[str, str] = {
    "ContainerConfig": "image",
    "EventSinkConfig": "endpoint",
    "ExistingVolumeConfig": "discovery.volumeSelector.match",
    "KmsgLogConfig": "url",
    "KubeAggregatorCAConfig": "issuingCA",
    "KubeAuthorizerConfig": "type",
    "KubeEtcdEncryptionConfig": "config",
    "KubeFlannelCNIConfig": "backendType",
    "LVMVolumeGroupConfig": "provisioning.volumeSelector.match",
    "LinkAliasConfig": "selector.match",
    "RAIDArrayConfig": "provisioning.volumeSelector.match",
    "RawVolumeConfig": "provisioning.diskSelector.match",
    "SideroLinkConfig": "apiUrl",
    "SwapVolumeConfig": "provisioning.diskSelector.match",
    "UnattendedInstallConfig": "provisioning.diskSelector.match",
    "UserVolumeConfig": "provisioning.diskSelector.match",
    "WatchdogTimerConfig": "device",
}
"""By kind, what must not be empty; a UserVolumeConfig of type directory must have nothing of that instead."""

SYSTEM_VOLUMES: Mapping[Contract, tuple[str, ...]] = {
    Contract.V1_13: ("STATE", "EPHEMERAL", "IMAGECACHE"),
    Contract.V1_14: ("STATE", "EPHEMERAL", "IMAGECACHE", "ETCD", "CRI", "KUBELET", "LOG"),
}
"""Names that a VolumeConfig may have."""

ONLY_ON_CONTROL_PLANES = frozenset(
    [
        *(
            "KubeAPIServerConfig",
            "KubeAdmissionControlConfig",
            "KubeAggregatorCAConfig",
            "KubeAuditPolicyConfig",
        ),
        *(
            "KubeAuthenticationConfig",
            "KubeAuthorizerConfig",
            "KubeControllerManagerConfig",
            "KubeCoreDNSConfig",
        ),
        *("KubeEtcdEncryptionConfig", "KubeFlannelCNIConfig", "KubeProxyConfig", "KubeSchedulerConfig"),
        *("KubeServiceAccountConfig", "KubeTalosAPIAccessConfig"),
    ]
)
"""Kinds that workers must not have."""

LINKS = frozenset(
    [
        *(
            "BondConfig",
            "BridgeConfig",
            "DummyLinkConfig",
            "LinkConfig",
            "VLANConfig",
            "VRFConfig",
            "VethConfig",
        ),
        "WireguardConfig",
    ]
)
ONE_NAME = (
    LINKS,
    frozenset(["ExistingVolumeConfig", "UserVolumeConfig"]),
    frozenset(["HCloudVIPConfig", "Layer2VIPConfig"]),
)
"""Kinds of which only one may have a name."""
