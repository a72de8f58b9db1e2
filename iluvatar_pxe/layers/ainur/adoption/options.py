"""From the options with which nodes of a k3s cluster were started to the ``k3s:`` part of a layer's file. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from functools import reduce
from typing import Any

from msgspec import Struct

from iluvatar_pxe.fleet.k3s import Packaged
from iluvatar_pxe.layers.ainur.adoption.observed import ObservedNode, Options
from iluvatar_pxe.machines.states import Role

_OF_THE_DAEMON = frozenset(
    [
        *("server", "cluster-init", "cluster-reset", "cluster-reset-restore-path", "config", "node-name"),
        *("token", "token-file", "agent-token", "agent-token-file", "tls-san"),
    ]
)
"""What the daemon says to the nodes that it configures."""
_OF_ONE_NODE = frozenset(
    [
        *("node-ip", "node-external-ip", "node-internal-dns", "node-external-dns", "advertise-address"),
        *("bind-address", "with-node-id", "data-dir", "private-registry"),
    ]
)
"""What is true of one node, or of where its files are."""
_LISTS = ("disable", "node-label", "node-taint")
_LABEL, _TAINT = "node-label", "node-taint"


class Translated(Struct, frozen=True):
    """The ``k3s:`` part without the version, and one line for each thing that is not in it."""

    k3s: Mapping[str, Any]
    left_out: tuple[str, ...]


def translated(nodes: Iterable[ObservedNode]) -> Translated:
    """Return what all nodes of a role have in common; nodes that do not tell their options have none."""
    by_role: dict[Role, list[ObservedNode]] = {}
    for node in nodes:
        by_role.setdefault(Role.SERVER if node.leads else Role.AGENT, []).append(node)
    common = {role: _common([one.options or {} for one in ones]) for role, ones in by_role.items()}
    disabled = common.get(Role.SERVER, {}).get("disable", ())
    known = {one.value for one in Packaged}
    parts: dict[str, Any] = {
        "disable": [one for one in disabled if one in known],
        "labels": {role.value: dict(map(_pair, one.get(_LABEL, ()))) for role, one in common.items()},
        "taints": {role.value: list(one.get(_TAINT, ())) for role, one in common.items()},
        "config": {role.value: _config(one) for role, one in common.items()},
    }
    for part in ("labels", "taints", "config"):
        parts[part] = {role: values for role, values in parts[part].items() if values}
    strange = [
        f"disable: {one} is no component that a layer's file can name" for one in disabled if one not in known
    ]
    left_out = [
        line for role, ones in by_role.items() for one in ones for line in _left_out(one, role, common[role])
    ]
    return Translated({key: value for key, value in parts.items() if value}, (*strange, *left_out))


def _common(options: list[Options]) -> dict[str, tuple[str, ...]]:
    """Return the options that all have; of lists, what is in all of them."""
    found: dict[str, tuple[str, ...]] = {}
    for option, values in options[0].items():
        if option in _LISTS:
            shared = reduce(set.intersection, (set(_split(option, one.get(option, ()))) for one in options))
            found[option] = tuple(one for one in _split(option, values) if one in shared)
        elif all(one.get(option) == values for one in options):
            found[option] = values
    return {option: values for option, values in found.items() if values}


def _split(option: str, values: Iterable[str]) -> list[str]:
    """Return the components of ``disable``, which may stand in one value with commas."""
    found = [one for value in values for one in (value.split(",") if option == "disable" else (value,))]
    return list(dict.fromkeys(filter(None, found)))


def _config(common: Options) -> dict[str, Any]:
    told = common.keys() - _OF_THE_DAEMON - _OF_ONE_NODE - {*_LISTS}
    return {option: _value(common[option]) for option in sorted(told) if not option.startswith("etcd-s3")}


def _value(values: tuple[str, ...]) -> Any:
    plain = [{"true": True, "false": False}.get(one, one) for one in values]
    return plain[0] if len(plain) == 1 else plain


def _left_out(node: ObservedNode, role: Role, common: Options) -> Iterator[str]:
    options = node.options or {}
    for option, values in options.items():
        if option in _OF_ONE_NODE:
            yield f"{node.name}: --{option}={' '.join(values)} is not taken: it is of this node only"
        elif option.startswith("etcd-s3"):
            yield f"{node.name}: --{option} is not taken: set 'backup' of the fleet, or keep it on the node"
        elif option in _LISTS:
            lost = [one for one in _split(option, values) if one not in common.get(option, ())]
            yield from (
                f"{node.name}: --{option}={one} is not taken: not every {role} has it" for one in lost
            )
        elif option not in _OF_THE_DAEMON and option not in common:
            yield f"{node.name}: --{option}={' '.join(values)} is not taken: not every {role} has it"
    for name in sorted(node.environment):
        if name.removeprefix("K3S_") not in {
            "TOKEN",
            "URL",
            "AGENT_TOKEN",
            "TOKEN_FILE",
            "NODE_NAME",
            "CLUSTER_INIT",
        }:
            yield f"{node.name}: {name} of its environment is not taken"
    yield from _set_by_hand(node, options)


def _set_by_hand(node: ObservedNode, options: Options) -> Iterator[str]:
    """Say which labels and taints a node loses when it is installed again."""
    labels = node.labels - {"=".join(_pair(one)) for one in options.get(_LABEL, ())}
    taints = node.taints - {_full(one) for one in options.get(_TAINT, ())}
    for what, found in (("label", labels), ("taint", taints)):
        for one in sorted(found):
            yield f"{node.name}: {what} {one} was set by hand, and is lost when the node is installed again"


def _pair(text: str) -> tuple[str, str]:
    key, _, value = text.partition("=")
    return key, value


def _full(taint: str) -> str:
    """Return a taint as the API has it, whose value may be empty."""
    key, _, effect = taint.rpartition(":")
    return f"{key if '=' in key else f'{key}='}:{effect}"
