"""What Talos requires of addresses, routes, links and of what listens: read from v1.13.9 and v1.14.1. Pure."""

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from iluvatar_pxe.layers.arda.checks import formats as form
from iluvatar_pxe.layers.arda.checks.expressions import is_expression
from iluvatar_pxe.layers.arda.checks.rule import (
    Check,
    Rules,
    at,
    both,
    exactly_one_of,
    excludes,
    has,
    is_a,
    is_true,
    lasts,
    needs,
    needs_one_of,
    number,
    where,
    words,
)
from iluvatar_pxe.layers.arda.checks.variables import LINK
from iluvatar_pxe.layers.arda.schema import Finding

_ROUTES = both(
    at("routes[].network", is_a(form.NETWORK)),
    at("routes[].gateway", is_a(form.PLAIN_ADDRESS)),
    at("routes[].source", is_a(form.PLAIN_ADDRESS)),
    at("routes[]", needs_one_of("network", "gateway")),
)
_ADDRESSES = both(
    at("cidr", is_a(form.ADDRESS_OR_NETWORK)),
    at("addresses[]", is_a(form.ADDRESS_OR_NETWORK)),
    excludes("addresses", "cidr"),
)
_WIREGUARD = both(
    at("privateKey", is_a(form.WIREGUARD_KEY)),
    at("peers[].publicKey", is_a(form.WIREGUARD_KEY)),
    at("peers[].endpoint", is_a(form.HOST_PORT)),
    at("peers[].allowedIPs[]", is_a(form.NETWORK)),
    needs("privateKey"),
    at("peers[]", needs("publicKey")),
)
_INTERFACE = where(
    lambda device: not is_true(device, "ignore"),
    exactly_one_of("interface", "deviceSelector"),
    _ADDRESSES,
    _ROUTES,
    at("vip.ip", is_a(form.PLAIN_ADDRESS)),
    at("vlans[]", _ADDRESSES),
    at("wireguard", _WIREGUARD),
)
_LINK: tuple[tuple[str, Check], ...] = (
    ("addresses[].address", is_a(form.NETWORK)),
    ("addresses[]", needs("address")),
    ("routes[].destination", is_a(form.NETWORK)),
    ("routes[].gateway", is_a(form.ADDRESS)),
    ("routes[].source", is_a(form.ADDRESS)),
)
_KUBESPAN_MTU = number(1_280, 65_535)
_DUID = where(
    lambda config: (
        isinstance(config, dict) and (config.get("clientIdentifier") == "duid") != has(config, "duidRaw")
    ),
    lambda _config: iter([(("duidRaw",), "belongs to clientIdentifier: duid; write both, or neither")]),
)
_VIP = (("name", is_a(form.ADDRESS)), ("", needs("link")))
_PROBE = (
    ("interval", lasts(0, "1s or more")),
    ("timeout", lasts(0, "1s or more")),
)


def _are_apart(value: Any) -> Iterator[Finding]:
    """Ranges of ports must not overlap, and begin with the lower port."""
    texts = [str(item) for item in (value if isinstance(value, list | tuple) else ())]
    ranges = [
        (int(first), int(last or first), index)
        for index, (first, _, last) in enumerate(text.partition("-") for text in texts)
        if form.PORTS.holds(texts[index])
    ]
    for first, last, index in ranges:
        if first > last:
            yield (index,), "ends before it begins; write the lower port first"
    for (_, end, _), (begin, _, index) in pairwise(sorted(ranges)):
        if begin <= end:
            yield (index,), "overlaps with another range; write each port once"


def _is_encrypted(server: Any) -> bool:
    return (
        str(server.get("protocol") or "Do53").lower() in {"dot", "doh"} if isinstance(server, dict) else False
    )


_PRIORITY = form.Form(
    lambda text: (
        re.fullmatch(r"0*[0-9]{1,10}", text) is not None and int(text) not in {0, 32_500, 32_766, 32_767}
    ),
    "a priority that is free",
    "1000",
)

RULES: Rules = {
    "": (
        ("machine.network.interfaces[]", _INTERFACE),
        ("machine.network.interfaces[]", excludes("bond", "bridge")),
        ("machine.network.kubespan.filters.endpoints[]", is_a(form.FILTER)),
        ("machine.network.kubespan", where(lambda span: is_true(span, "enabled"), at("mtu", _KUBESPAN_MTU))),
    ),
    "BGPInstanceConfig": (("", needs("localASN")), *_LINK),
    "BlackholeRouteConfig": (("name", is_a(form.NETWORK)),),
    "BondConfig": (("", needs("links", "bondMode")), *_LINK),
    "BridgeConfig": _LINK,
    "DHCPv4Config": (("", _DUID),),
    "DHCPv6Config": (("", _DUID),),
    "DummyLinkConfig": _LINK,
    "HCloudVIPConfig": (*_VIP, ("", needs("apiToken"))),
    "HTTPProbeConfig": (
        ("", needs("url")),
        ("url", is_a(form.url("http", "https", has_host=True))),
        *_PROBE,
    ),
    "HostnameConfig": (
        (
            "hostname",
            is_a(
                form.Form(
                    lambda text: len(text) <= 253 and 0 < len(text.partition(".")[0]) <= 63,
                    "a host name: its first part has 1 to 63 characters",
                    "node-1",
                )
            ),
        ),
    ),
    "KubeSpanConfig": (("mtu", _KUBESPAN_MTU), ("filters.endpoints[]", is_a(form.FILTER))),
    "KubeSpanEndpointsConfig": (("extraAnnouncedEndpoints[]", is_a(form.ADDRESS_PORT)),),
    "Layer2VIPConfig": _VIP,
    "LinkAliasConfig": (("selector.match", is_expression(LINK)),),
    "LinkConfig": _LINK,
    "NetworkRuleConfig": (
        ("", needs("portSelector")),
        ("portSelector", needs("ports", "protocol")),
        ("portSelector.ports[]", is_a(form.PORTS)),
        ("portSelector.ports", _are_apart),
        ("ingress[].subnet", is_a(form.NETWORK)),
        ("ingress[].except", is_a(form.NETWORK)),
        ("ingress[]", needs("subnet")),
    ),
    "ResolverConfig": (
        ("nameservers[].address", is_a(form.ADDRESS)),
        ("nameservers[]", needs("address")),
        ("nameservers[]", where(_is_encrypted, needs("tlsServerName"))),
    ),
    "RoutingRuleConfig": (
        ("name", is_a(_PRIORITY)),
        (
            "action",
            words(
                *("unspec", "unicast", "local", "broadcast", "anycast", "multicast", "blackhole"),
                *("unreachable", "prohibit"),
            ),
        ),
    ),
    "StaticHostConfig": (("name", is_a(form.ADDRESS)), ("", needs("hostnames"))),
    "TCPProbeConfig": (("", needs("endpoint")), *_PROBE),
    "TimeSyncConfig": (("", excludes("ntp", "ptp")), ("bootTimeout", lasts(0, "0s or more"))),
    "VLANConfig": (("", needs("vlanID", "parent")), ("vlanID", number(1, 4_094)), *_LINK),
    "VRFConfig": (
        (
            "table",
            is_a(
                form.Form(lambda text: text not in {"main", "local", "default", "unspec"}, "allowed", "100")
            ),
        ),
        *_LINK,
    ),
    "WireguardConfig": (
        ("", needs("privateKey")),
        ("privateKey", is_a(form.WIREGUARD_KEY)),
        ("listenPort", number(0, 65_535)),
        ("peers[]", needs("publicKey")),
        ("peers[].publicKey", is_a(form.WIREGUARD_KEY)),
        ("peers[].presharedKey", is_a(form.WIREGUARD_KEY)),
        *_LINK,
    ),
}
"""By kind; also of kinds that only one of the versions has."""
