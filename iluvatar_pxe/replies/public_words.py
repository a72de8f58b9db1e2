"""Words that are public: they may be shown wherever the fleet uses them."""

_OF_TALOS = """
accepted acceptedCAs action adActorSysPrio adLACPActive adSelect adUserPortKey add address addresses
adminKubeconfig admissionControl advertise advertiseKubernetesNetworks advertisedSubnets
aescbcEncryptionSecret aggregatorCA allSlavesActive allowDiscards allowDownPeerBypass
allowSchedulingOnControlPlanes allowedIPs allowedKubernetesNamespaces allowedRoles annotations
apiPort apiServer apiToken apiUrl apiVersion args arpAllTargets arpInterval arpIpTargets arpValidate
audiences auditPolicy auth authorizationConfig auto backendExtraConfig backendMTU backendPort
backendType baseRuntimeSpecOverrides bfd bgpInstance blockSize bondMode bootTimeout busPath ca
capabilities cert certExtraSANs certLifetime certSANs certificates cgroupRankingExpression channels
checkSecurebootStatusOnEnroll cipher clientIdentifier clientIdentity cluster clusterDNS clusterID
clusterName clusterSecret cni combined config configFiles configuration containerID containers
content contents controlPlane controllerManager coreDNS cpu cqe-size credentialProviderConfig crt
debug defaultRuntimeSeccompProfileEnabled dependsOn destination destinations detectMultiplier device
devices disableAccessTime disableDefault disableManifestsDirectory disabled discovery disk
diskQuotaSupport diskSelector dnsDomain domains downdelay drop dst duidRaw enabled encryption
endpoint endpoints entrypoint env environment etcd except excludeAdvertisedNetworks
externalCloudProvider extraAnnouncedEndpoints extraArgs extraConfig extraManifestHeaders
extraManifests extraMounts extraTags extraVolumes failOverMac failureThreshold features files
filesystem filesystemType filtering filters firewallMark flannel format forwardKubeDNSToHost fwMark
fwMask gateway gid gidMappings grow grubUseUKICmdline hardwareAddr harvestExtraEndpoints headers
holdTime hostDNS hostID hostPath hostname hostnames id identityToken ignoreHostname ignoreRoutes
iifName image imageCache importRoutes ingress inlineManifests insecureSkipVerify install
installRoutes installer interval issuer issuerURL issuers issuingCA kernel key keySize keys kind kms
kubeNetworkPoliciesEnabled kubePrism kubelet kubernetes kubernetesTalosAPIAccess labels lacpRate
legacyBIOSSupport level limits link links listenPort listenSubnets local localAPIServerPort localASN
localEnabled lockToState logging lpInterval machine manifest manifests match maxPaths maxPoolPercent
maxSize memory metadata metric miimon minAllocationGroupSize minLinks minSize mirrors missedMax
modalias mode model modules mount mountPath mounts mtu multicast multipath name nameservers
neighbors network networks nodeAddressSortAlgorithm nodeAnnotations nodeCIDRMaskSizeIPv4
nodeCIDRMaskSizeIPv6 nodeID nodeIP nodeLabels nodeTaints nsIp6Targets ntp numPeerNotif oifName op
options other overridePath overrides packetsPerSlave parameters params parent passive passphrase
password path paths pcrs peer peerASN peerNotifDelay peers permissions persistentKeepaliveInterval
pod podSubnets pods port portSelector ports prefixes presharedKey primaryReselect privateKey profile
projectQuotaSupport protocol provider provisioning proxy ptp publicKey publicKeys readOnly readonly
reboot receiveInterval registerWithFQDN registries requests resendIGMP resolveMemberNames resources
rings routeMetric routePriority routeSource routerID routes rules runAs rx rx-buf-len rx-jumbo
rx-mini rx-push sampleInterval scheduler scrub searchDomains seccompProfiles secret
secretboxEncryptionSecret secure security selector serial servers service serviceAccount
serviceSubnets shrinkerEnabled size skipFallback skipNodeRegistration slot source src startupProbes
static stp strictCgroupClassOrdering stripes subnet sysctls sysfs table tag taints targetDriver
tcp-data-split time timeout tlbLogicalLb tlsServerName tmpfs token tpm transmitInterval
triggerExpression trim tx tx-push tx-push-buf-len type udev uid uidMappings uniqueToken up updelay
url urls useCarrier useNTS userVolume username uuid validSubnets value variables version virtiofs
vlan vlanID vlanMode volumeGroup volumeSelector volumeType vrf wakeOnLan webhook wipe workingDir
workloadIsolation wwid xfs xmitHashPolicy
"""
_OF_KUBERNETES = """
anonymous audit audit-version conditions defaults enforce enforce-version exemptions jwt namespaces persist providers
runtimeClasses secretbox usernames warn warn-version
node-role.kubernetes.io/control-plane node.kubernetes.io/exclude-from-external-load-balancers
"""
TALOS_KEYS = frozenset((_OF_TALOS + _OF_KUBERNETES).split())
"""Keys of Talos machine configurations.

From Talos' JSON Schemas v1.13.9 and v1.14.0-rc.1 (siderolabs/talos, pkg/machinery/config/schemas), and from Kubernetes'
documents in its default configurations (admission control, audit policy, encryption, node labels).
"""

_NUMBER = r"-?\d{1,10}[KMG]?"
KERNEL_ARGUMENTS = {
    "amd_iommu": "on|off",
    "cgroup_enable": "memory|cpuset",
    "cgroup_memory": "[01]",
    "cma": _NUMBER,
    "console": r"(?:tty[A-Z]{0,4}\d{1,3}|serial\d)(?:,\d{3,7}n?8?)?",
    "consoleblank": _NUMBER,
    "default_hugepagesz": _NUMBER,
    "fsck.repair": "yes|no|preen",
    "hugepages": _NUMBER,
    "hugepagesz": _NUMBER,
    "init_on_alloc": "[01]",
    "init_on_free": "[01]",
    "intel_iommu": "on|off",
    "iommu": "pt|on|off|soft",
    "ip": "dhcp|off|on|any",
    "ipv6.disable": "[01]",
    "lockdown": "integrity|confidentiality",
    "loglevel": "[0-8]",
    "mitigations": "auto|off|auto,nosmt",
    "module.sig_enforce": "[01]",
    "net.ifnames": "[01]",
    "nomodeset": None,
    "nvme_core.io_timeout": _NUMBER,
    "panic": _NUMBER,
    "pcie_aspm": "off|force",
    "printk.devkmsg": "on|off|ratelimit",
    "proc_mem.force_override": "never|ptrace|always",
    "pti": "on|off|auto",
    "quiet": None,
    "ro": None,
    "root": r"LABEL=(?:writable|rootfs)|/dev/(?:ram0|mmcblk\dp\d|sd[a-z]\d)",
    "rootfstype": "ext4|btrfs|xfs|squashfs|vfat",
    "rootwait": None,
    "rw": None,
    "selinux": "[01]",
    "slab_nomerge": "",
    "talos.dashboard.disabled": "[01]",
    "talos.halt_if_installed": "[01]",
    "talos.platform": "metal",
}
"""Kernel arguments that are no secrets, and what their values look like (None: there is no value).

From Linux' kernel-parameters.txt and Talos' kernel reference.
"""

_COMMANDS = """
#!ipxe boot chain clear config console cpuid dhcp echo exit goto ifclose ifconf iflinkwait ifopen ifstat imgargs imgexec
imgextract imgfetch imgfree imgload imgselect imgstat imgtrust imgverify inc initrd iseq isset item kernel login menu module
nslookup ntp param params ping poweroff prompt read reboot route sanboot sanhook sanunhook set shell show sleep sync time
vcreate vdestroy
"""
IPXE_COMMANDS = frozenset(_COMMANDS.split())
"""Commands of iPXE (ipxe.org/cmd)."""
