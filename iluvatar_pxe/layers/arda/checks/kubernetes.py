"""What Talos requires of Kubernetes' parts: read from v1.13.9 and v1.14.1. Pure."""

import re
from collections.abc import Iterator, Mapping
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any

from iluvatar_pxe.catalogue.kubernetes import RANGES
from iluvatar_pxe.layers.arda.checks import formats as form
from iluvatar_pxe.layers.arda.checks.rule import (
    Check,
    Rules,
    at,
    both,
    excludes,
    has,
    is_a,
    is_true,
    keys_are,
    needs,
    nothing_in,
    number,
    refused,
    unique,
    where,
    words,
)
from iluvatar_pxe.layers.arda.schema import Finding

_NODE: tuple[tuple[str, Check], ...] = (
    ("labels", keys_are(form.QUALIFIED)),
    ("labels.*", is_a(form.LABEL_VALUE)),
    ("annotations", keys_are(form.QUALIFIED)),
    ("taints", keys_are(form.QUALIFIED)),
    ("taints.*", is_a(form.TAINT)),
    ("nodeIP.validSubnets[]", is_a(form.FILTER)),
)
_OF_TALOS = (
    *("apiVersion", "authentication", "authorization", "cgroupRoot", "kind", "kubeletCgroups", "port"),
    *("protectKernelDefaults", "resolvConf", "rotateCertificates", "systemCgroups", "staticPodPath"),
    "seccompDefault",
)
"""Fields of the kubelet's configuration."""
_ROLES = words(
    *("os:admin", "os:operator", "os:reader", "os:etcd:backup", "os:image:verifier", "os:meta:writer"),
    "os:impersonator",
)
_DENIED = re.compile(
    r"anonymous-auth.*|oidc-.*|authentication-config.*|authorization-(?:config|mode|webhook-).*", re.DOTALL
)
_ARGUMENTS = form.Form(
    lambda name: _DENIED.fullmatch(name) is None,
    "allowed, since a document says that",
    "what it is in a KubeAuthenticationConfig or a KubeAuthorizerConfig",
)
_RESOURCE = form.Form(lambda name: name in {"cpu", "memory"}, "a resource that Talos knows", "cpu, or memory")
_RESOURCES = both(at("resources.requests", keys_are(_RESOURCE)), at("resources.limits", keys_are(_RESOURCE)))
_WEBHOOK = where(
    lambda authorizer: (
        isinstance(authorizer, Mapping)
        and authorizer.get("type") == "Webhook"
        and not authorizer.get("webhook")
    ),
    refused("has no webhook, which an authorizer of type Webhook needs; add it"),
)


def _subnets(*, service: bool) -> Check:
    def found(value: Any) -> Iterator[Finding]:
        networks = list(_networks(value))
        for index, network in networks:
            if text := _size_fault(network, service=service):
                yield (index,), text
        versions = [network.version for _, network in networks]
        if len(versions) > len(set(versions)):
            yield (), "has two subnets of one version of IP; write at most one of IPv4 and one of IPv6"

    return found


def _networks(value: Any) -> Iterator[tuple[int, IPv4Network | IPv6Network]]:
    for index, text in enumerate(value if isinstance(value, list | tuple) else ()):
        if form.NETWORK.holds(str(text)):
            yield index, ip_network(str(text), strict=False)


def _size_fault(network: IPv4Network | IPv6Network, *, service: bool) -> str:
    bits = network.max_prefixlen - network.prefixlen
    if bits < 4:
        return f"is too small; write a prefix length of {network.max_prefixlen - 4} or less"
    if service and bits > 20:
        return f"is too large; write a prefix length of {network.max_prefixlen - 20} or more"
    return ""


def _pod_sizes(value: Any) -> Iterator[Finding]:
    """Every node gets a part of each pod subnet."""
    for index, network in _networks(value.get("podSubnets")) if isinstance(value, Mapping) else ():
        key, usual = ("nodeCIDRMaskSizeIPv4", 24) if network.version == 4 else ("nodeCIDRMaskSizeIPv6", 80)
        part = value.get(key) or usual
        if isinstance(part, int) and not 0 <= part - network.prefixlen <= 16:
            yield (
                ("podSubnets", index),
                f"does not fit a part of /{part} for each node; write a prefix length from /{part - 16} to /{part}",
            )


def _as_many(value: Any) -> Iterator[Finding]:
    pods, services = (
        (value.get(key) for key in ("podSubnets", "serviceSubnets"))
        if isinstance(value, Mapping)
        else (None, None)
    )
    if isinstance(pods, list | tuple) and isinstance(services, list | tuple) and len(pods) != len(services):
        yield (
            ("podSubnets",),
            f"has {len(pods)} of them, and serviceSubnets {len(services)}; write as many of both",
        )


def _is_masked(text: str) -> bool:
    return form.NETWORK.holds(text) and str(ip_network(text, strict=False).network_address) == str(
        ip_network(text.partition("/")[0]).network_address
    )


_MASKED = form.Form(_is_masked, "a network: what follows its prefix is 0", "10.244.0.0/16")
_MANIFEST: tuple[tuple[str, Check], ...] = (("name", is_a(form.SUBDOMAIN)),)
_CNI = both(
    where(
        lambda cni: has(cni, "name") and cni["name"] != "custom", nothing_in("urls", because="for this CNI")
    ),
    at("urls[]", is_a(form.ENDPOINT)),
)

_SERVICE = form.matches(
    r"[a-zA-Z][a-zA-Z0-9+.-]*://[^/]*/?|/", "a URL without a path", "https://discovery.talos.dev/"
)

RULES: Rules = {
    "": (
        ("cluster.controlPlane.endpoint", is_a(form.ENDPOINT)),
        ("cluster.network.dnsDomain", is_a(form.DNS_NAME)),
        ("cluster.network.cni", _CNI),
        ("cluster.etcd.advertisedSubnets[]", is_a(form.FILTER)),
        ("cluster.etcd.listenSubnets[]", is_a(form.FILTER)),
        ("cluster.etcd.subnet", is_a(form.FILTER)),
        ("cluster.etcd", excludes("advertisedSubnets", "subnet")),
        (
            "cluster.discovery",
            where(lambda it: is_true(it, "enabled"), at("registries.service.endpoint", is_a(_SERVICE))),
        ),
        ("cluster.externalCloudProvider.manifests[]", is_a(form.ENDPOINT)),
        (
            "cluster.externalCloudProvider",
            where(
                lambda it: not is_true(it, "enabled"),
                nothing_in("manifests", because="without enabled: true"),
            ),
        ),
        ("cluster.inlineManifests[]", needs("name")),
        ("cluster.inlineManifests", unique("name")),
        ("cluster.apiServer.authorizationConfig[]", _WEBHOOK),
        *((f"cluster.{part}", _RESOURCES) for part in ("apiServer", "controllerManager", "scheduler")),
        ("machine.features.kubernetesTalosAPIAccess.allowedRoles[]", _ROLES),
        ("machine.kubelet.extraConfig", nothing_in(*_OF_TALOS, because="since Talos says it")),
        ("machine.kubelet.nodeIP.validSubnets[]", is_a(form.FILTER)),
        ("machine.nodeLabels", keys_are(form.QUALIFIED)),
        ("machine.nodeLabels.*", is_a(form.LABEL_VALUE)),
        ("machine.nodeAnnotations", keys_are(form.QUALIFIED)),
        ("machine.nodeTaints", keys_are(form.QUALIFIED)),
        ("machine.nodeTaints.*", is_a(form.TAINT)),
    ),
    "DiscoveryIdentityConfig": (
        ("", needs("clusterID", "clusterSecret")),
        ("clusterSecret", is_a(form.SECRET)),
    ),
    "DiscoveryServiceConfig": (("endpoint", is_a(form.url("http", "https", "grpc", has_host=True))),),
    "KubeAPIServerConfig": (("", needs("image")), ("extraArgs", keys_are(_ARGUMENTS)), ("", _RESOURCES)),
    "KubeAuthorizerConfig": (("", _WEBHOOK),),
    "KubeClusterConfig": (("", needs("clusterName", "endpoint")), ("endpoint", is_a(form.ENDPOINT))),
    "KubeControllerManagerConfig": (("", _RESOURCES),),
    "KubeExternalManifestConfig": (*_MANIFEST, ("", needs("url")), ("url", is_a(form.url("http", "https")))),
    "KubeFlannelCNIConfig": (("", _RESOURCES),),
    "KubeInlineManifestConfig": _MANIFEST,
    "KubeNetworkConfig": (
        ("", needs("podSubnets", "serviceSubnets")),
        ("podSubnets[]", is_a(_MASKED)),
        ("serviceSubnets[]", is_a(_MASKED)),
        ("podSubnets", _subnets(service=False)),
        ("serviceSubnets", _subnets(service=True)),
        ("", _as_many),
        ("", _pod_sizes),
        ("nodeCIDRMaskSizeIPv4", number(1, 32)),
        ("nodeCIDRMaskSizeIPv6", number(1, 128)),
    ),
    "KubeNodeConfig": _NODE,
    "KubePrismConfig": (("port", number(1, 65_535)),),
    "KubeProxyConfig": (("mode", words("iptables", "ipvs", "nftables")), ("", _RESOURCES)),
    "KubeSchedulerConfig": (("", _RESOURCES),),
    "KubeStaticPodConfig": (*_MANIFEST, ("", needs("pod"))),
    "KubeTalosAPIAccessConfig": (("allowedRoles[]", _ROLES),),
    "KubeletConfig": (
        ("", needs("image")),
        ("config", nothing_in(*_OF_TALOS, because="since Talos says it")),
    ),
}
"""By kind; also of kinds that only one of the versions has."""

_VERSION = re.compile(r".*:v([0-9]+\.[0-9]+\.[0-9]+[^@]*)(?:@.*)?", re.DOTALL)
_KNOWN = RANGES[1, 14]


def _is_run(image: str) -> bool:
    found = _VERSION.fullmatch(image)
    return found is not None and _KNOWN.has(found[1])


_IMAGE = where(
    lambda part: not (isinstance(part, Mapping) and part.get("enabled") is False),
    at(
        "image",
        is_a(form.Form(_is_run, f"an image of Kubernetes {_KNOWN}", f"registry/name:{_KNOWN.default}")),
    ),
)
IN_1_14: Rules = dict.fromkeys(
    (
        *("KubeAPIServerConfig", "KubeControllerManagerConfig", "KubeProxyConfig", "KubeSchedulerConfig"),
        "KubeletConfig",
    ),
    (("", _IMAGE),),
)
"""1.13 does not look at the version of an image."""
