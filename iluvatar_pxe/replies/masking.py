"""Masks a plan for display: only values known not to be secret are shown.

The fleet is its owner's own words, and any of them may be a secret. So a value is shown because its place is in a table
here, never because it looks harmless. Keys that Talos or Kubernetes define are shown whatever their values are.
"""

import base64
import io
import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from ruamel.yaml.tag import Tag

from iluvatar_pxe.boot.plan import Plan, RunScript, ServePiFiles
from iluvatar_pxe.replies.public_words import IPXE_COMMANDS, KERNEL_ARGUMENTS, TALOS_KEYS

MASK = "(masked)"
CERTIFICATE = "(certificate)"

_WORD = r"[A-Za-z0-9][\w.-]{0,62}"
_IMAGE = r"[a-z0-9][\w./:-]{0,254}"
_URL = r"https?://[\w.:\[\]-]{1,253}/?"
_NETWORK = r"[0-9a-f.:]{2,39}/\d{1,3}"
_PUBLIC_VALUES: Mapping[str, str] = MappingProxyType(
    {
        "version": _WORD,
        "apiVersion": r"[\w./-]{1,100}",
        "kind": _WORD,
        "name": _WORD,
        "auto": "stable|off",
        "clusterName": _WORD,
        "dnsDomain": _WORD,
        "endpoint": _URL,
        "hostname": _WORD,
        "image": _IMAGE,
        "interval": r"[\dhms]{1,12}",
        "podSubnets": _NETWORK,
        "port": r"\d{1,5}",
        "serviceSubnets": _NETWORK,
        "machine.type": "controlplane|worker|init",
        "machine.features.kubePrism.port": r"\d{1,5}",
        "machine.install.disk": r"/dev/[\w/.:-]{1,100}",
        "machine.install.image": _IMAGE,
        "machine.kubelet.image": _IMAGE,
        "machine.network.hostname": _WORD,
        "cluster.clusterName": _WORD,
        "cluster.controlPlane.endpoint": _URL,
        "cluster.network.dnsDomain": _WORD,
        "cluster.network.podSubnets": _NETWORK,
        "cluster.network.serviceSubnets": _NETWORK,
        "cluster.network.cni.name": _WORD,
        "cluster.apiServer.image": _IMAGE,
        "cluster.controllerManager.image": _IMAGE,
        "cluster.proxy.image": _IMAGE,
        "cluster.scheduler.image": _IMAGE,
    }
)
"""By its keys, a value of a machine configuration that is no secret, and what one looks like."""

_ARGUMENT = re.compile(r"([a-z_.\d]+)(?:=[\w.,:/-]*)?", re.IGNORECASE | re.ASCII)

_PUBLIC_CONFIG_LINES = re.compile(
    r"(?:arm_64bit|arm_boost|auto_initramfs|boot_ramdisk|camera_auto_detect|cmdline|disable_overscan|"
    r"display_auto_detect|dtoverlay|dtparam|enable_uart|gpu_mem|hdmi_\w+|initramfs|kernel|max_framebuffers|uart_2ndstage)"
    r"[= ][\w.,:=-]*(?: followkernel)?",
    re.ASCII,
)
"""Lines of a Raspberry Pi's ``config.txt`` that are no secrets (documentation of config.txt)."""

_REQUEST = re.compile(r"(?P<scheme>\w+://)(?:[^/@\s]*@)?(?P<place>[^\s?#]*)(?P<rest>[?#]\S*)?")
_BEFORE_ARGUMENTS = re.compile(r"(\s*(?:kernel|imgargs|chain|boot|imgexec)\s+(?:--\S+\s+\S+\s+)*\S+)(.*)")

_CERTIFICATES = re.compile(r"(?:-----BEGIN CERTIFICATE-----\n[A-Za-z0-9+/=\n]+-----END CERTIFICATE-----\s*)+")
_CERTIFICATE_KEYS = frozenset({"crt", "cert", "acceptedCAs"})

_CORE = "tag:yaml.org,2002:"
_TEXT = f"{_CORE}str"
_ALWAYS_SHOWN = frozenset({f"{_CORE}bool", f"{_CORE}null"})
_YAML_FAULTS = (
    *(YAMLError, RecursionError),
    *(ValueError, TypeError, KeyError, IndexError, AttributeError, AssertionError, NotImplementedError),
)
"""The second line: what ruamel.yaml raises besides its own errors."""


def masked(plan: Plan) -> Plan:
    """Return a plan that may be shown, but for its configuration. Of a script that the fleet gives only the commands stay."""
    return _masked(plan, mask_script)


def rehearsed(plan: Plan) -> Plan:
    """Return a plan as a simulated machine on this host gets it: like ``masked``, but the fleet's script still runs."""
    return _masked(plan, runnable)


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


def mask_argument(argument: str) -> str:
    """Return a kernel argument that is known to be no secret as it is; of any other nothing."""
    match = _ARGUMENT.fullmatch(argument)
    return argument if match and match[1] in KERNEL_ARGUMENTS else MASK


def mask_arguments(line: str) -> str:
    """Return a kernel's command line with its public arguments."""
    return " ".join(map(mask_argument, line.split()))


def mask_script(script: str) -> str:
    """Return the commands of an iPXE script."""
    return "".join(_command(line) for line in script.splitlines(keepends=True))


def runnable(script: str) -> str:
    """Return an iPXE script without user names, passwords and queries in its addresses, nor secret kernel arguments."""
    return "".join(_runnable(line) for line in script.splitlines(keepends=True))


def _masked(plan: Plan, script: Callable[[str], str]) -> Plan:
    if isinstance(plan, ServePiFiles):
        lines = (line if _PUBLIC_CONFIG_LINES.fullmatch(line) else f"# {MASK}" for line in plan.config_lines)
        arguments = tuple(map(mask_argument, plan.kernel_args))
        return replace(plan, config_lines=tuple(lines), kernel_args=arguments)
    if not isinstance(plan, RunScript):
        return plan
    edits = {"script": script, "kernel_args": mask_arguments}
    values = {key: edits[key](str(value)) if key in edits else value for key, value in plan.values.items()}
    return replace(plan, values=values)


def _command(line: str) -> str:
    words = line.split()
    if not words:
        return line
    indent = line[: len(line) - len(line.lstrip())]
    shown = [words[0] if words[0] in IPXE_COMMANDS else MASK, *([MASK] if len(words) > 1 else [])]
    return indent + " ".join(shown) + _ending(line)


def _runnable(line: str) -> str:
    line = _REQUEST.sub(lambda found: f"{found['scheme']}{found['place']}", line)
    found = _BEFORE_ARGUMENTS.match(line)
    if found is None:
        return line
    arguments, mark, otherwise = found[2].partition("||")
    words = arguments.strip()
    return (
        found[1] + (f" {mask_arguments(words)} " if words else arguments) + mark + otherwise + _ending(line)
    )


def _ending(line: str) -> str:
    return "\n" if line.endswith("\n") else ""


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
    if node.value and node.tag not in _ALWAYS_SHOWN:
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
