"""Patches that Talos refuses for their values, and some that it takes, of both contracts or of 1.14 alone."""

from typing import NamedTuple

from iluvatar_pxe.layers.arda.documents import Contract
from iluvatar_pxe.machines.states import Role

BOTH, OLD, NEW = tuple(Contract), (Contract.V1_13,), (Contract.V1_14,)
CONTROLPLANE, WORKER = Role.CONTROLPLANE, Role.WORKER
_SELECTED = "diskSelector: {match: system_disk}"
_INTERFACE = "machine: {{network: {{interfaces: [{{{}}}]}}}}"


class Case(NamedTuple):
    """A patch, and a part of what we say about it; empty where Talos takes it."""

    patch: str
    says: str
    contracts: tuple[Contract, ...] = BOTH
    role: Role = WORKER


def _of(kind: str, body: str, says: str, contracts: tuple[Contract, ...] = BOTH, role: Role = WORKER) -> Case:
    return Case(f"apiVersion: v1alpha1\nkind: {kind}\n{body}", says, contracts, role)


def _interface(body: str, says: str) -> Case:
    return Case(_INTERFACE.format(body), says)


def _volume(body: str, says: str) -> Case:
    return _of("UserVolumeConfig", f"name: data\n{body}", says)


def _match(expression: str, says: str) -> Case:
    return _volume(f"provisioning:\n  minSize: 1GB\n  diskSelector:\n    match: |-\n      {expression}", says)


NETWORK = [
    _interface("interface: a, addresses: [10.0.0.5/99]", "addresses.1: is not an IP address"),
    _interface("interface: a, addresses: [nonsense]", "addresses.1: is not an IP address"),
    _interface("interface: a, cidr: 10.0.0.5/24, addresses: [10.0.0.6/24]", "together with addresses"),
    _interface("interface: a, routes: [{network: 10.0.0.0/99}]", "network: is not an address with"),
    _interface("interface: a, routes: [{gateway: x}]", "gateway: is not an IP address"),
    _interface("interface: a, routes: [{metric: 1}]", "has no network and no gateway; add one of the two"),
    _interface("dhcp: true", "has no interface and no deviceSelector; add one of the two"),
    _interface("interface: a, deviceSelector: {driver: x}", "deviceSelector: cannot be there together with"),
    _interface("interface: a, vlans: [{vlanId: 1, addresses: [x]}]", "vlans.1.addresses.1: is not an IP"),
    _interface("ignore: true, interface: a, addresses: [nonsense]", ""),
    _interface("interface: a, addresses: [10.0.0.5/24, 'fd00::1/64', 10.0.0.6]", ""),
    Case("machine: {kubelet: {nodeIP: {validSubnets: [10.0.0.0/99]}}}", "is not a subnet or", OLD),
    Case("machine: {kubelet: {nodeIP: {validSubnets: ['!10.0.0.0/8', 'fd00::/8', 10.0.0.1]}}}", "", OLD),
    _of("LinkConfig", "name: a\naddresses: [{address: 10.0.0.5/99}]", "address: is not an address with"),
    _of("LinkConfig", "name: a\naddresses: [{address: 10.0.0.5/24}]\nroutes: [{gateway: 10.0.0.1}]", ""),
    _of(
        "VLANConfig",
        "name: a.5\nvlanID: 5000\nparent: a",
        "vlanID: is out of range; write a number from 1 to",
    ),
    _of("VLANConfig", "name: a.5\nvlanID: 5\nparent: a", ""),
    _of("WireguardConfig", "name: wg0\nprivateKey: foo", "privateKey: is not a key of 32 bytes"),
    _of("StaticHostConfig", "name: x\nhostnames: [a]", "name: is not an IP address"),
    _of("StaticHostConfig", "name: 10.0.0.1", "hostnames: is missing; add it"),
    _of("BlackholeRouteConfig", "name: foo", "name: is not an address with its prefix length"),
    _of("BlackholeRouteConfig", "name: 10.0.0.0/8", ""),
    _of("Layer2VIPConfig", "name: x\nlink: a", "name: is not an IP address", role=CONTROLPLANE),
    _of("Layer2VIPConfig", "name: 10.0.0.9", "link: is missing; add it", role=CONTROLPLANE),
    _of("Layer2VIPConfig", "name: 10.0.0.9\nlink: a", "", role=CONTROLPLANE),
    _of("HostnameConfig", f"auto: off\nhostname: {'a' * 64}", "hostname: is not a host name"),
    _of(
        "TimeSyncConfig", "ptp: {devices: [/dev/ptp0]}\nntp: {servers: [a]}", "cannot be there together with"
    ),
    _of("TimeSyncConfig", "bootTimeout: -5s", "bootTimeout: is too short"),
    _of(
        "NetworkRuleConfig",
        "name: a\nportSelector: {ports: [99999], protocol: tcp}",
        "is not a port or a range",
    ),
    _of(
        "NetworkRuleConfig", "name: a\nportSelector: {ports: [10-5], protocol: tcp}", "ends before it begins"
    ),
    _of(
        "NetworkRuleConfig",
        "name: a\nportSelector: {ports: [1-5, 4], protocol: tcp}",
        "overlaps with another",
    ),
    _of("NetworkRuleConfig", "name: a\ningress: [{subnet: 10.0.0.0/8}]", "portSelector: is missing"),
    _of("NetworkRuleConfig", "name: a\nportSelector: {ports: [1-5, 6], protocol: tcp}", ""),
    _of("RoutingRuleConfig", "name: x\ntable: '100'", "name: is not a priority that is free"),
    _of("RoutingRuleConfig", "name: '1000'\ntable: '100'\naction: unicast", ""),
    _of("VRFConfig", "name: a\ntable: '100'", ""),
    _of("KubeSpanConfig", "enabled: true\nmtu: 5", "mtu: is out of range"),
    _of("KubeSpanEndpointsConfig", "extraAnnouncedEndpoints: [foo]", "is not an IP address and its port"),
    _of("LinkAliasConfig", "name: net%d\nselector: {match: '(('}", "ends too early; complete it"),
    _of("LinkAliasConfig", "name: a\nselector: {match: 'link.nosuch'}", "link has no nosuch"),
]
VOLUMES = [
    Case("machine: {systemDiskEncryption: {state: {provider: luks2}}}", "state.keys: is missing; add it"),
    Case(
        "machine: {systemDiskEncryption: {state: {provider: luks2, keys: [{nodeID: {}}, {slot: 0, tpm: {}}]}}}",
        "keys.2.slot: another item of the list has the same",
    ),
    Case("machine: {install: {diskSelector: {size: '> foo'}}}", "size: is not a size to compare with", OLD),
    Case("machine: {install: {diskSelector: {size: '>= 100GB'}}}", "", OLD),
    _volume(f"provisioning: {{{_SELECTED}}}", "has no minSize and no maxSize; add one of the two"),
    _volume(f"provisioning: {{{_SELECTED}, minSize: 10GB, maxSize: 1GB}}", "minSize: is more than maxSize"),
    _volume(f"provisioning: {{{_SELECTED}, minSize: 10GB, maxSize: 10GiB}}", ""),
    _volume(f"provisioning: {{{_SELECTED}, minSize: 10GB, maxSize: 80%}}", ""),
    _volume(f"provisioning: {{{_SELECTED}, minSize: foo}}", "minSize: is not a size"),
    _volume(
        f"volumeType: disk\nprovisioning: {{{_SELECTED}, minSize: 5GB}}",
        "minSize: is not allowed for a whole",
    ),
    _volume(f"volumeType: disk\nprovisioning: {{{_SELECTED}}}", ""),
    _volume(
        f"provisioning: {{{_SELECTED}, minSize: 1GB}}\nfilesystem: {{type: ext4, projectQuotaSupport: true}}",
        "projectQuotaSupport: is not allowed",
    ),
    _volume(
        f"provisioning: {{{_SELECTED}, minSize: 1GB}}\nfilesystem: {{type: ext4, projectQuotaSupport: false}}",
        "",
    ),
    _of(
        "VolumeConfig",
        "name: STATE\nencryption: {provider: luks2, keys: [{tpm: {}, lockToState: false}]}",
        "",
    ),
    _of(
        "VolumeConfig",
        "name: STATE\nencryption: {provider: luks2, keys: [{tpm: {}, lockToState: true}]}",
        "lockToState: is not allowed for STATE",
    ),
    _volume("volumeType: directory\nfilesystem: {type: ext4}", "filesystem: is not allowed for a directory"),
    _volume(
        "volumeType: directory\nencryption: {provider: luks2, keys: [{slot: 0, nodeID: {}}]}",
        "encryption: is not allowed for a directory",
    ),
    _volume(
        f"provisioning: {{{_SELECTED}, minSize: 1GB}}\nencryption: {{provider: luks2}}",
        "keys: is missing; add it",
    ),
    _volume(
        f"provisioning: {{{_SELECTED}, minSize: 1GB}}\nencryption: {{provider: luks2, keys: [{{slot: 0}}]}}",
        "keys.1: has no nodeID and no static and no kms and no tpm; add one",
    ),
    _of(
        "UserVolumeConfig", "name: bad name!\nvolumeType: directory", "name: is not a name of 1 to 34 letters"
    ),
    _of(
        "UserVolumeConfig",
        f"name: {'a' * 35}\nvolumeType: directory",
        "name: is not a name of 1 to 34 letters",
    ),
    _of(
        "VolumeConfig",
        "name: STATE\nprovisioning: {maxSize: 20GiB}",
        "provisioning: is not allowed for STATE",
    ),
    _of("VolumeConfig", "name: STATE\nmount: {secure: true}", "mount: is not allowed for STATE", NEW),
    _of("VolumeConfig", "name: STATE\nmount: {secure: true}", "", OLD),
    _of("VolumeConfig", "name: EPHEMERAL\nprovisioning: {maxSize: 20GiB}", ""),
    _of("ExternalVolumeConfig", "name: a\nfilesystemType: virtiofs", "mount: is missing; add it"),
    _of("SwapVolumeConfig", f"name: s\nprovisioning: {{{_SELECTED}}}", "has no minSize and no maxSize"),
]
EXPRESSIONS = [
    _match("((", "ends too early; complete it"),
    _match("disk.nosuch == 1", "disk has no nosuch"),
    _match("disk.size >", "ends too early"),
    _match('disk.serial == "a', "close the text"),
    _match("disk.size > 5u * XB", "XB is not known"),
    _match("disk.size > 1u)", ") cannot be there"),
    _match("disk.size = 5u", "= cannot be there"),
    _match("disk.size 5u", "5u cannot be there"),
    _match("disk.readonly and true", "and cannot be there"),
    _match("true ? false", "ends too early"),
    _match("disk.symlinks.exists(s, t == '')", "t is not known"),
    _match("volume.size > 1u", "volume is not known"),
    _match("disk.size > 5u * GB && !disk.rotational || disk.transport == 'nvme'", ""),
    _match('disk.symlinks.exists(s, s.matches("^/dev") && s != "")', ""),
    _match('glob("nvme*", disk.dev_path) && disk.wwid in ["a", "b",] // comment', ""),
    _match('(disk.size >= 0x10u ? {"a": true} : {})["a"] && size(disk.serial) > -1', ""),
    _match('google.protobuf.Timestamp{seconds: 1} == timestamp("1970-01-01T00:00:01Z")', ""),
    _of("ExistingVolumeConfig", "name: s\ndiscovery: {volumeSelector: {match: x.y}}", "x is not known"),
    _of("OOMConfig", "triggerExpression: foo(", "ends too early"),
    _of(
        "OOMConfig",
        "triggerExpression: memory_full_avg10 > 12.0 && time_since_trigger > duration('500ms')",
        "",
    ),
    _of(
        "LVMVolumeGroupConfig", "name: vg\nprovisioning: {volumeSelector: {match: x}}", "x is not known", NEW
    ),
    _of("UnattendedInstallConfig", "provisioning: {diskSelector: {match: disk.foo}}", "disk has no foo", NEW),
]
SYSTEM = [
    _of("ExtensionServiceConfig", "name: a", "has no configFiles and no environment"),
    _of(
        "ExtensionServiceConfig",
        "name: a\nconfigFiles: [{content: a, mountPath: ''}]",
        "mountPath: is missing",
    ),
    _of(
        "WatchdogTimerConfig",
        "device: /dev/watchdog0\ntimeout: 1s",
        "timeout: is too short; write 10s or more",
    ),
    _of("WatchdogTimerConfig", "device: /dev/watchdog0\ntimeout: 1m30s", ""),
    _of("KmsgLogConfig", "name: a\nurl: tcp://foo", "url: is not a URL of tcp:// or udp:// with a port"),
    _of("EventSinkConfig", "endpoint: foo", "endpoint: is not a host and its port"),
    _of("EventSinkConfig", "endpoint: '[fd00::1]:3333'", ""),
    _of("RegistryTLSConfig", "name: docker.io\nca: foo", "ca: is not a certificate as PEM text"),
    _of(
        "ImageVerificationConfig", "rules: [{image: 'a/*'}]", "has neither skip, deny, keyless nor publicKey"
    ),
    _of(
        "ImageVerificationConfig",
        "rules: [{image: 'a/*', skip: true, deny: true}]",
        "has skip and deny, which",
    ),
    _of("SysctlConfig", "params: {'': a}", "its name is not there", NEW),
    Case("machine: {features: {nodeAddressSortAlgorithm: v3}}", "is not known; write it like v1 or v2"),
    Case("machine: {logging: {destinations: [{endpoint: 'tcp://a:5', format: json_lines}]}}", ""),
    Case(
        "machine: {logging: {destinations: [{endpoint: 'http://a', format: json_lines}]}}",
        "is not a URL of tcp://",
    ),
    Case("kind: LinkConfig\nname: a", "says nothing of a configuration"),
    Case("version: v1beta1", "says nothing of a configuration"),
    Case("kind: HostnameConfig\nhostname: a", "has no apiVersion"),
]
KUBERNETES = [
    Case("machine: {nodeTaints: {a: 'b:Foo'}}", "nodeTaints.a: is not an effect of a taint", OLD),
    Case("machine: {nodeLabels: {'bad key!': x}}", "its name is not a name that Kubernetes takes", OLD),
    Case("machine: {nodeLabels: {a: two words}}", "nodeLabels.a: is not a value that Kubernetes takes", OLD),
    Case("machine: {nodeAnnotations: {'bad key!': x}}", "its name is not a name that Kubernetes takes", OLD),
    Case(
        "machine: {nodeLabels: {example.org/a: ''}, nodeTaints: {a: 'b:NoExecute', c: NoSchedule}}", "", OLD
    ),
    Case("machine: {kubelet: {extraConfig: {port: 3}}}", "port: is not allowed since Talos says it", OLD),
    Case("cluster: {network: {dnsDomain: bad domain}}", "dnsDomain: is not a DNS name", OLD),
    Case("cluster: {controlPlane: {endpoint: 'https://a:99999'}}", "endpoint: is not a URL with a host", OLD),
    Case("cluster: {discovery: {registries: {service: {endpoint: x}}}}", "is not a URL without a path", OLD),
    Case("cluster: {inlineManifests: [{contents: 'a: b'}]}", "name: is missing; add it"),
    Case(
        "cluster: {inlineManifests: [{name: a, contents: b}, {name: a, contents: b}]}",
        "name: another item of the list has the same",
    ),
    Case("cluster: {externalCloudProvider: {enabled: true, manifests: [abc]}}", "is not a URL with a host"),
    Case(
        "cluster: {externalCloudProvider: {manifests: ['http://a']}}", "is not allowed without enabled: true"
    ),
    Case("cluster: {etcd: {advertisedSubnets: [10.0.0.0/99]}}", "is not a subnet or", role=CONTROLPLANE),
    Case(
        "machine: {features: {kubernetesTalosAPIAccess: {enabled: true, allowedRoles: [os:bogus]}}}",
        "allowedRoles.1: is not known",
        role=CONTROLPLANE,
    ),
    Case(
        "machine: {features: {kubernetesTalosAPIAccess: {enabled: true, allowedRoles: [os:reader]}}}",
        "kubernetesTalosAPIAccess: is only for control planes",
    ),
    _of("KubeNodeConfig", "labels: {'bad key!': a}", "its name is not a name that Kubernetes takes", NEW),
    _of("KubeNodeConfig", "taints: {a: 'b:Foo'}", "taints.a: is not an effect of a taint", NEW),
    _of("KubeNodeConfig", "nodeIP: {validSubnets: [foo]}", "is not a subnet or an address", NEW),
    _of("KubePrismConfig", "port: 99999", "port: is out of range", NEW),
    _of(
        "KubeNetworkConfig",
        "podSubnets: [10.244.0.0/16, 'fd00::/64']",
        "has 2 of them, and serviceSubnets 1",
        NEW,
    ),
    _of("KubeNetworkConfig", "podSubnets: [10.244.0.1/16]", "is not a network: what follows", NEW),
    _of("KubeNetworkConfig", "podSubnets: [10.0.0.0/7]", "does not fit a part of /24 for each node", NEW),
    _of(
        "KubeNetworkConfig", "serviceSubnets: [10.0.0.0/8]", "is too large; write a prefix length of 12", NEW
    ),
    _of("KubeNetworkConfig", "podSubnets: [10.0.0.0/12]", "", NEW),
    _of("KubeletConfig", "image: a/kubelet:v1.20.0", "is not an image of Kubernetes 1.32 to 1.37", NEW),
    _of("KubeletConfig", "image: a/kubelet:v1.35.1", "", NEW),
    _of("KubeAuthorizerConfig", "name: w\ntype: Webhook", "has no webhook", NEW, CONTROLPLANE),
    _of(
        "KubeProxyConfig",
        "mode: bogus",
        "mode: is not known; write it like iptables or ipvs",
        NEW,
        CONTROLPLANE,
    ),
    _of("KubeProxyConfig", "mode: nftables", "", NEW, CONTROLPLANE),
    _of(
        "KubeAPIServerConfig",
        "extraArgs: {oidc-client-id: a}",
        "extraArgs.oidc-client-id: ",
        NEW,
        CONTROLPLANE,
    ),
    _of(
        "KubeAPIServerConfig",
        "resources: {limits: {gpu: 1}}",
        "gpu: its name is not a resource",
        NEW,
        CONTROLPLANE,
    ),
]
TOGETHER = [
    _of("KubeEtcdEncryptionConfig", "$patch: delete", "needs a KubeEtcdEncryptionConfig", NEW, CONTROLPLANE),
    _of(
        "DiscoveryServiceConfig",
        "name: default\n$patch: delete\n---\napiVersion: v1alpha1\nkind: KubeSpanConfig\nenabled: true",
        "KubeSpanConfig: needs a DiscoveryServiceConfig",
        NEW,
    ),
    _of("KubeSpanConfig", "enabled: true", "", NEW),
]
CASES = [
    (contract, case)
    for case in (*NETWORK, *VOLUMES, *EXPRESSIONS, *SYSTEM, *KUBERNETES, *TOGETHER)
    for contract in case.contracts
]
