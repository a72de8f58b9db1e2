"""Masks the YAML of a machine configuration, by ruamel.yaml; see ``masking`` for what is shown, and why."""

import base64
import io
import re
from collections import Counter
from collections.abc import Mapping
from types import MappingProxyType

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from ruamel.yaml.tag import Tag

from iluvatar_pxe.replies.masking import CERTIFICATE, MASK
from iluvatar_pxe.replies.public_words import TALOS_KEYS

_WORD = r"[A-Za-z0-9][\w.-]{0,62}"
_IMAGE = r"[a-z0-9][\w./:-]{0,254}"
_URL = r"https?://[\w.:\[\]-]{1,253}/?"
_NAMED = r"[\w.:-]{1,253}"
_HARDWARE = r"[\w .:/-]{1,256}"
_AT = r"[\d.]{7,15}:\d{1,5}"
_NETWORK = r"[0-9a-f.:]{2,39}/\d{1,3}"
_PUBLIC_VALUES: Mapping[str, str] = MappingProxyType(
    {
        "version": _WORD,
        "apiVersion": r"[\w./-]{1,100}",
        "kind": _WORD,
        "name": _WORD,
        "auto": "stable|off",
        "bootTimeout": r"[\dhms]{1,12}",
        "certExtraSANs": _NAMED,
        "clusterName": _WORD,
        "dnsDomain": _WORD,
        "endpoint": rf"{_URL}|{_AT}",
        "endpoints.url": _URL,
        "hostname": _WORD,
        "image": _IMAGE,
        "installer.image": _IMAGE,
        "interval": r"[\dhms]{1,12}",
        "link": _WORD,
        "nameservers.address": r"[0-9a-f.:]{2,39}",
        "ntp.servers": _NAMED,
        "podSubnets": _NETWORK,
        "port": r"\d{1,5}",
        "provisioning.diskSelector.match": rf'disk\.\w+ == "{_HARDWARE}"(?: && !?disk\.\w+(?: == "{_HARDWARE}")?)*',
        "selector.match": r'mac\(link\.permanent_addr\) == "[0-9a-f:]{17}"',
        "serviceSubnets": _NETWORK,
        "url": rf"(?:tcp|udp)://{_AT}",
        "volumeType": "directory|disk|partition",
        "machine.type": "controlplane|worker|init",
        "machine.certSANs": _NAMED,
        "machine.features.kubePrism.port": r"\d{1,5}",
        "machine.install.disk": r"/dev/[\w/.:-]{1,100}",
        "machine.install.diskSelector.serial": _HARDWARE,
        "machine.install.diskSelector.wwid": _HARDWARE,
        "machine.install.diskSelector.busPath": _HARDWARE,
        "machine.install.image": _IMAGE,
        "machine.kubelet.image": _IMAGE,
        "machine.network.hostname": _WORD,
        "cluster.clusterName": _WORD,
        "cluster.controlPlane.endpoint": _URL,
        "cluster.network.dnsDomain": _WORD,
        "cluster.network.podSubnets": _NETWORK,
        "cluster.network.serviceSubnets": _NETWORK,
        "cluster.network.cni.name": _WORD,
        "cluster.apiServer.certSANs": _NAMED,
        "cluster.apiServer.image": _IMAGE,
        "cluster.controllerManager.image": _IMAGE,
        "cluster.proxy.image": _IMAGE,
        "cluster.scheduler.image": _IMAGE,
    }
)
"""By its keys, a value of a machine configuration that is no secret, and what one looks like."""

_CERTIFICATES = re.compile(r"(?:-----BEGIN CERTIFICATE-----\n[A-Za-z0-9+/=\n]+-----END CERTIFICATE-----\s*)+")
_CERTIFICATE_KEYS = frozenset({"crt", "cert", "acceptedCAs"})

_CORE = "tag:yaml.org,2002:"
_TEXT = f"{_CORE}str"
_ALWAYS_SHOWN = {f"{_CORE}bool": "true|false", f"{_CORE}null": "null|~|"}
"""By its tag, a value that is no secret, and what it looks like: a tag may be written before any text."""
_COLLECTIONS = frozenset({f"{_CORE}map", f"{_CORE}seq"})
_YAML_FAULTS = (
    *(YAMLError, RecursionError),
    *(ValueError, TypeError, KeyError, IndexError, AttributeError, AssertionError, NotImplementedError),
)
"""The second line: what ruamel.yaml raises besides its own errors."""


def mask_configuration(text: str) -> str:
    """Return the YAML documents of a machine configuration without comments, and with what is public in them.

    Of a text that is no YAML, or no mapping, only the size in bytes is told.
    """
    try:
        documents = list(_yaml().compose_all(text))
        seen: set[tuple[int, str]] = set()
        for document in documents:
            if not isinstance(document, MappingNode):
                raise TypeError("a text or a list")
            _mask(document, seen, "")
        written = io.StringIO()
        _yaml().serialize_all(documents, written)
    except _YAML_FAULTS:
        return f"(not shown: {len(text.encode())} bytes that are not a YAML mapping)\n"
    return written.getvalue()


def _yaml() -> YAML:
    yaml = YAML(typ="safe", pure=True)
    yaml.width = 1 << 20
    yaml.indent(mapping=4, sequence=6, offset=4)
    yaml.explicit_start = True
    return yaml


def _mask(node: Node, seen: set[tuple[int, str]], place: str) -> None:
    """Mask a node in place; one that an alias repeats may contain itself, and is public only where all of them are."""
    if (id(node), place) in seen:
        return
    seen.add((id(node), place))
    if not isinstance(node, ScalarNode) and node.tag not in _COLLECTIONS:
        node.ctag = Tag(suffix=f"{_CORE}{'map' if isinstance(node, MappingNode) else 'seq'}")
    if isinstance(node, ScalarNode):
        _mask_scalar(node, place)
    elif isinstance(node, SequenceNode):
        for item in node.value:
            _mask(item, seen, place)
    elif isinstance(node, MappingNode):
        _mask_mapping(node, seen, place)


def _mask_mapping(node: MappingNode, seen: set[tuple[int, str]], place: str) -> None:
    hidden = Counter[str]()
    for key, value in node.value:
        known = isinstance(key, ScalarNode) and key.value in TALOS_KEYS
        _mask(value, seen, f"{place}.{key.value}".lstrip(".") if known else MASK)
        if known:
            continue
        hidden[MASK] += 1
        if isinstance(key, ScalarNode):
            shown = MASK if hidden[MASK] == 1 else f"{MASK[:-1]} {hidden[MASK]})"
            _write(key, shown)
        else:
            _mask(key, seen, MASK)


def _mask_scalar(node: ScalarNode, place: str) -> None:
    harmless = _ALWAYS_SHOWN.get(str(node.tag))
    if node.value and not (harmless and re.fullmatch(harmless, node.value, re.IGNORECASE)):
        shown = _shown(node.value, place)
        if shown != node.value:
            _write(node, shown)


def _write(node: ScalarNode, text: str) -> None:
    node.value, node.style, node.ctag = text, None, Tag(suffix=_TEXT)


def _shown(text: str, place: str) -> str:
    if place.rpartition(".")[2] in _CERTIFICATE_KEYS:
        is_one = _CERTIFICATES.fullmatch(text) or _CERTIFICATES.fullmatch(_decoded(text))
        return CERTIFICATE if is_one else MASK
    pattern = _PUBLIC_VALUES.get(place)
    return text if pattern and re.fullmatch(pattern, text, re.ASCII) else MASK


def _decoded(text: str) -> str:
    try:
        return base64.b64decode(text, validate=True).decode()
    except ValueError:
        return ""
