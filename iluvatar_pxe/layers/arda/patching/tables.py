"""How the fields of Talos' configuration merge, where that is no rule for all: read from Talos v1.13.9 and v1.14.1.

A field is written ``KIND:path.to.field``, with ``[]`` for the items of a list; the document without a kind has none.
"""

UNNAMED = frozenset(
    [
        *("", "CRIBaseRuntimeSpecConfig", "DiscoveryIdentityConfig", "EnvironmentConfig", "EventSinkConfig"),
        *("FilesystemScrubConfig", "FilesystemTrimConfig", "HostnameConfig", "ImageCacheConfig"),
        *(
            "ImageVerificationConfig",
            "KubeAPIServerCAConfig",
            "KubeAPIServerConfig",
            "KubeAggregatorCAConfig",
        ),
        *(
            "KubeAuditPolicyConfig",
            "KubeAuthenticationConfig",
            "KubeClusterConfig",
            "KubeControllerManagerConfig",
        ),
        *(
            "KubeCoreDNSConfig",
            "KubeCredentialProviderConfig",
            "KubeEtcdEncryptionConfig",
            "KubeFlannelCNIConfig",
        ),
        *("KubeNetworkConfig", "KubeNodeConfig", "KubePrismConfig", "KubeProxyConfig", "KubeSchedulerConfig"),
        *(
            "KubeServiceAccountConfig",
            "KubeSpanConfig",
            "KubeSpanEndpointsConfig",
            "KubeTalosAPIAccessConfig",
        ),
        *(
            "KubeletConfig",
            "NetworkDefaultActionConfig",
            "OOMConfig",
            "ResolverConfig",
            "SecurityProfileConfig",
        ),
        *("SideroLinkConfig", "SysctlConfig", "SysfsConfig", "TimeSyncConfig", "UdevRulesConfig"),
        *("UnattendedInstallConfig", "WatchdogTimerConfig", "ZswapConfig"),
    ]
)
"""Kinds of which a configuration has one document; of others it has one for each name."""

KEYS = frozenset(
    [
        *(
            ":cluster.aggregatorCA",
            ":cluster.ca",
            ":cluster.etcd.ca",
            ":cluster.serviceAccount",
            ":machine.ca",
        ),
    ]
)
"""Certificates and keys, of which Talos neither merges nor deletes parts."""

REPLACED = KEYS | frozenset(
    [
        *(":cluster.apiServer.auditPolicy", ":cluster.network.podSubnets", ":cluster.network.serviceSubnets"),
        *("BGPInstanceConfig:advertise", "BGPInstanceConfig:importRoutes", "BGPInstanceConfig:neighbors"),
        *("CRIBaseRuntimeSpecConfig:overrides", "KubeAuditPolicyConfig:configuration"),
        *("KubeAuthenticationConfig:configuration", "KubeCredentialProviderConfig:configuration"),
        *("KubeNetworkConfig:podSubnets", "KubeNetworkConfig:serviceSubnets", "KubeStaticPodConfig:pod"),
        *("NetworkRuleConfig:ingress", "NetworkRuleConfig:portSelector.ports"),
    ]
)
"""Lists and maps that are replaced as a whole."""

REPLACED_IN_1_14 = frozenset(["ResolverConfig:searchDomains.domains"])
"""The same, but not in 1.13."""

KEYED = {
    ":machine.network.interfaces": ("interface", "deviceSelector"),
    ":machine.network.interfaces[].vlans": ("vlanId",),
    ":cluster.apiServer.admissionControl": ("name",),
    "ExtensionServiceConfig:configFiles": ("mountPath",),
    "ImageVerificationConfig:rules": ("image",),
}
"""Lists whose items are matched, by the first of these keys that an item has; items of other lists are appended."""

ITEMS_REPLACED = frozenset(["ImageVerificationConfig:rules"])
"""Lists by key whose items are replaced as a whole."""

ARGUMENTS = frozenset(
    [
        *(":cluster.apiServer.extraArgs", ":cluster.controllerManager.extraArgs", ":cluster.etcd.extraArgs"),
        *(":cluster.proxy.extraArgs", ":cluster.scheduler.extraArgs", ":machine.kubelet.extraArgs"),
        *(
            "KubeAPIServerConfig:extraArgs",
            "KubeControllerManagerConfig:extraArgs",
            "KubeProxyConfig:extraArgs",
        ),
        *("KubeSchedulerConfig:extraArgs", "KubeletConfig:extraArgs"),
    ]
)
"""Arguments of programs: a value is replaced, also by an empty one, or by a list."""

FREE = frozenset(
    [
        *(":cluster.apiServer.admissionControl[].configuration", ":cluster.apiServer.auditPolicy"),
        *(":cluster.apiServer.authorizationConfig[].webhook", ":cluster.scheduler.config"),
        *(":machine.baseRuntimeSpecOverrides", ":machine.kubelet.credentialProviderConfig"),
        *(":machine.kubelet.extraConfig", ":machine.pods[]", ":machine.seccompProfiles[].value"),
        *("CRIBaseRuntimeSpecConfig:overrides", "KubeAdmissionControlConfig:configuration"),
        *("KubeAuditPolicyConfig:configuration", "KubeAuthenticationConfig:configuration"),
        *("KubeAuthorizerConfig:webhook", "KubeCredentialProviderConfig:configuration"),
        *(
            "KubeEtcdEncryptionConfig:config",
            "KubeFlannelCNIConfig:backendExtraConfig",
            "KubeProxyConfig:config",
        ),
        *("KubeSchedulerConfig:config", "KubeStaticPodConfig:pod", "KubeletConfig:config"),
        *(
            f"{place}.resources.{part}"
            for place in (":cluster.apiServer", ":cluster.controllerManager", ":cluster.scheduler")
            for part in ("limits", "requests")
        ),
        *(
            f"{kind}:resources.{part}"
            for kind in (
                *("KubeAPIServerConfig", "KubeControllerManagerConfig", "KubeFlannelCNIConfig"),
                *("KubeProxyConfig", "KubeSchedulerConfig"),
            )
            for part in ("limits", "requests")
        ),
    ]
)
"""Contents of other programs, which may have any keys: a value keeps its type."""

NOT_SEARCHED = frozenset([":cluster.acceptedCAs[].crt", ":machine.acceptedCAs[].crt"])
"""Bytes, which Talos compares with no text: it finds no item of a list by them."""

MAPS = ARGUMENTS | frozenset(
    [
        *(":cluster.apiServer.env", ":cluster.controllerManager.env", ":cluster.extraManifestHeaders"),
        *(":cluster.scheduler.env", ":machine.env", ":machine.logging.destinations[].extraTags"),
        *(
            ":machine.nodeAnnotations",
            ":machine.nodeLabels",
            ":machine.nodeTaints",
            ":machine.registries.config",
        ),
        *(":machine.registries.mirrors", ":machine.sysctls", ":machine.sysfs", "EnvironmentConfig:variables"),
        *("EthernetConfig:features", "KubeAPIServerConfig:env", "KubeControllerManagerConfig:env"),
        *("KubeExternalManifestConfig:headers", "KubeNodeConfig:annotations", "KubeNodeConfig:labels"),
        *("KubeNodeConfig:taints", "KubeSchedulerConfig:env", "SysctlConfig:params", "SysfsConfig:params"),
    ]
)
"""Maps with keys of the owner's: one that is not there cannot be deleted."""

ALWAYS_THERE = FREE | frozenset(
    [
        *(":cluster.discovery.registries", ":cluster.discovery.registries.kubernetes"),
        *(
            ":cluster.discovery.registries.service",
            ":machine.registries",
            "BridgeConfig:stp",
            "BridgeConfig:vlan",
        ),
        *("ExistingVolumeConfig:discovery", "ExistingVolumeConfig:discovery.volumeSelector"),
        *("ExistingVolumeConfig:mount", "ExternalVolumeConfig:mount", "ImageCacheConfig:local"),
        *("KubeAPIServerConfig:resources", "KubeControllerManagerConfig:resources"),
        *("KubeFlannelCNIConfig:resources", "KubeNodeConfig:nodeIP", "KubeProxyConfig:resources"),
        *(
            "KubeSchedulerConfig:resources",
            "KubeServiceAccountConfig:accepted",
            "KubeServiceAccountConfig:issuer",
        ),
        *("LVMLogicalVolumeConfig:provisioning", "LVMVolumeGroupConfig:provisioning"),
        *("LVMVolumeGroupConfig:provisioning.volumeSelector", "LinkAliasConfig:selector"),
        *("NetworkRuleConfig:portSelector", "RAIDArrayConfig:provisioning"),
        *("RAIDArrayConfig:provisioning.volumeSelector", "RawVolumeConfig:encryption"),
        *(
            "RawVolumeConfig:provisioning",
            "RawVolumeConfig:provisioning.diskSelector",
            "ResolverConfig:hostDNS",
        ),
        *("ResolverConfig:searchDomains", "SwapVolumeConfig:encryption", "SwapVolumeConfig:provisioning"),
        *("SwapVolumeConfig:provisioning.diskSelector", "UnattendedInstallConfig:installer"),
        *("UnattendedInstallConfig:provisioning", "UnattendedInstallConfig:provisioning.diskSelector"),
        *("UserVolumeConfig:encryption", "UserVolumeConfig:filesystem", "UserVolumeConfig:mount"),
        *("UserVolumeConfig:provisioning", "UserVolumeConfig:provisioning.diskSelector"),
        *(
            "VolumeConfig:encryption",
            "VolumeConfig:filesystem",
            "VolumeConfig:mount",
            "VolumeConfig:provisioning",
        ),
        "VolumeConfig:provisioning.diskSelector",
    ]
)
"""Sections that Talos has also where they are not written: what is not in them can be deleted from them."""

RESET = frozenset(
    [
        *("ContainerConfig:security.machinedAccess", "ExistingVolumeConfig:discovery.volumeSelector.match"),
        *(
            "LVMLogicalVolumeConfig:provisioning.minSize",
            "LVMVolumeGroupConfig:provisioning.volumeSelector.match",
        ),
        *(
            "LinkAliasConfig:selector.match",
            "OOMConfig:cgroupRankingExpression",
            "OOMConfig:triggerExpression",
        ),
        *(
            "RAIDArrayConfig:provisioning.volumeSelector.match",
            "RawVolumeConfig:provisioning.diskSelector.match",
        ),
        *("RawVolumeConfig:provisioning.minSize", "SwapVolumeConfig:provisioning.diskSelector.match"),
        *("SwapVolumeConfig:provisioning.minSize", "UnattendedInstallConfig:provisioning.diskSelector.match"),
        *("UserVolumeConfig:filesystem.xfs.minAllocationGroupSize", "UserVolumeConfig:provisioning.minSize"),
        *("UserVolumeConfig:provisioning.diskSelector.match", "VolumeConfig:provisioning.diskSelector.match"),
        *("VolumeConfig:filesystem.xfs.minAllocationGroupSize", "VolumeConfig:provisioning.minSize"),
    ]
)
"""Values that every patch of their document replaces, with nothing where it does not have them."""

SIZES = frozenset(
    f"{kind}:provisioning.maxSize"
    for kind in (
        *(
            "LVMLogicalVolumeConfig",
            "RawVolumeConfig",
            "SwapVolumeConfig",
            "UserVolumeConfig",
            "VolumeConfig",
        ),
    )
)
"""Bytes or per cent, of which Talos keeps both, and goes by the bytes."""

URLS = frozenset(
    [
        *(":cluster.controlPlane.endpoint", "DiscoveryServiceConfig:endpoint", "HTTPProbeConfig:url"),
        *("KmsgLogConfig:url", "KubeClusterConfig:endpoint", "KubeExternalManifestConfig:url"),
        *("KubeServiceAccountConfig:issuer.issuerURL", "SideroLinkConfig:apiUrl"),
    ]
)
"""Addresses, whose parts are replaced one by one."""

ZEROS = frozenset(
    [
        *(":machine.network.kubespan.mtu", "KubeAPIServerConfig:apiPort"),
        *("KubeSpanConfig:mtu", "LVMLogicalVolumeConfig:mirrors", "LVMLogicalVolumeConfig:stripes"),
        *("ZswapConfig:maxPoolPercent", "ContainerConfig:runAs.gid", "ContainerConfig:runAs.uid"),
        *(f"EthernetConfig:channels.{part}" for part in ("combined", "other", "rx", "tx")),
        *(
            f"EthernetConfig:rings.{part}"
            for part in ("cqe-size", "rx-buf-len", "rx-jumbo", "rx-mini", "rx", "tx-push-buf-len", "tx")
        ),
        *(
            f"BondConfig:{part}"
            for part in (
                *("adActorSysPrio", "adUserPortKey", "allSlavesActive", "arpInterval", "downdelay"),
                *("lpInterval", "miimon", "minLinks", "missedMax", "numPeerNotif", "packetsPerSlave"),
                *("peerNotifDelay", "resendIGMP", "tlbLogicalLb", "updelay"),
            )
        ),
    ]
)
"""Numbers that a 0 replaces; elsewhere 0 and an empty text do nothing."""

NOTHING = {
    "ExternalVolumeConfig:filesystemType": "none",
    "LVMLogicalVolumeConfig:type": "linear",
    "NetworkDefaultActionConfig:ingress": "accept",
    "RAIDArrayConfig:metadata": "1.0",
    "RawVolumeConfig:encryption.provider": "none",
    "RoutingRuleConfig:table": "unspec",
    "SwapVolumeConfig:encryption.provider": "none",
    "UserVolumeConfig:encryption.provider": "none",
    "UserVolumeConfig:filesystem.type": "none",
    "VRFConfig:table": "unspec",
    "VolumeConfig:encryption.provider": "none",
}
"""Words that are 0 to Talos, and so do nothing."""

STRIPPED = frozenset([":cluster.inlineManifests[].contents"])
"""Texts that lose the empty lines at their beginning."""

UNMERGEABLE_IN_1_13 = frozenset(["RoutingRuleConfig"])
"""Kinds that Talos 1.13 fails to merge, whatever the patch is."""
