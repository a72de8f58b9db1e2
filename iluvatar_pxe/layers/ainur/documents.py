"""The documents that cloud-init reads, and the secret files that a machine swaps its ticket for. Pure."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from iluvatar_pxe.layers.ainur.cloud_config import cloud_config_of
from iluvatar_pxe.layers.ainur.fragments import merged, sealed_files
from iluvatar_pxe.layers.ainur.k3s_files import secret_files
from iluvatar_pxe.layers.ainur.manifests import manifests_of
from iluvatar_pxe.layers.ainur.node import K3sCluster, K3sNode, Surroundings
from iluvatar_pxe.layers.ainur.node_file import NodeFile
from iluvatar_pxe.layers.ainur.part import K3sPart

PASSWORDS = "/etc/iluvatar/passwords"


@dataclass(frozen=True, slots=True)
class CloudInitDocuments:
    """What the datasource NoCloud reads, by HTTP or from a disk."""

    meta_data: str
    user_data: str = field(repr=False)
    network_config: str
    vendor_data: str = ""


def documents_of(
    cluster: K3sCluster, node: K3sNode, around: Surroundings, programs: Mapping[str, str]
) -> CloudInitDocuments:
    """Return a machine's documents; ``programs`` are those that it runs for k3s, by name. Raises ConfigurationError."""
    config = merged(cloud_config_of(cluster, node, around, programs), node.fragments)
    return CloudInitDocuments(
        meta_data=_lines({"instance-id": node.instance_id, "local-hostname": node.name}),
        user_data=f"#cloud-config\n{_dump(config)}",
        network_config=_dump(_network(node)),
    )


def secret_files_of(cluster: K3sCluster, node: K3sNode, part: K3sPart) -> Mapping[str, NodeFile]:
    """Return by path all that a machine swaps its ticket for, k3s' token last; raises ConfigurationError.

    The one that founds the cluster also gets Argo CD's manifests: what it applies is then in etcd, for all servers.
    """
    lines = [
        f"{user.name}:{cluster.passwords[user.name]}"
        for user in cluster.users
        if user.name in cluster.passwords
    ]
    passwords = {PASSWORDS: NodeFile("".join(f"{line}\n" for line in lines))} if lines else {}
    founds = cluster.argo_cd if part is K3sPart.INIT else None
    manifests = manifests_of(founds) if founds else {}
    return {
        **sealed_files(node.fragments),
        **passwords,
        **manifests,
        **secret_files(cluster, node, part),
    }


def swap_answer(files: Mapping[str, NodeFile], receipt: str) -> str:
    """Return the answer to a swap, as ``prepare`` reads it; ``receipt`` comes back once the files are stored."""
    listed = [
        {"path": path, "mode": f"{file.mode:o}", "text": file.text, "stays": file.stays}
        for path, file in files.items()
    ]
    return json.dumps({"receipt": receipt, "files": listed})


def _network(node: K3sNode) -> Mapping[str, Any]:
    """Return the machine's NICs with DHCP. Its identity there is its MAC: in memory a machine is new at each start."""
    return {
        "version": 2,
        "ethernets": {
            f"net{number}": {
                "match": {"macaddress": mac},
                "dhcp4": True,
                "dhcp-identifier": "mac",
                "optional": number > 0,
            }
            for number, mac in enumerate(node.macs)
        },
    }


def _lines(values: Mapping[str, str]) -> str:
    return "".join(f"{key}: {json.dumps(value)}\n" for key, value in values.items())


class _Dumper(yaml.SafeDumper):
    """Writes texts of several lines as blocks, and every other one out."""

    def ignore_aliases(self, data: Any) -> bool:
        """Write everything out."""
        del data
        return True


def _text(dumper: _Dumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _text)
_Dumper.add_representer(tuple, yaml.SafeDumper.represent_list)


def _dump(values: Mapping[str, Any]) -> str:
    text: str = yaml.dump(dict(values), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=1_000_000)
    return text
