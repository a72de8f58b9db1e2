"""A machine's cloud-config as the daemon makes it, before the fleet's fragments. Pure.

It holds no secret but the ticket, which dies once it is swapped, and needs nothing of the internet.
"""

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from iluvatar_pxe.errors import ConfigurationError
from iluvatar_pxe.fleet.root import DATA_FOLDERS, Data, RootKind
from iluvatar_pxe.fleet.users import User
from iluvatar_pxe.layers.ainur.k3s_files import BINARY, UNITS, public_files
from iluvatar_pxe.layers.ainur.keys import load_chain
from iluvatar_pxe.layers.ainur.manifests import CHART
from iluvatar_pxe.layers.ainur.node import K3sCluster, K3sNode, Surroundings
from iluvatar_pxe.layers.ainur.node_file import NodeFile
from iluvatar_pxe.machines.states import Role

PROGRAMS = "/usr/local/lib/iluvatar"
NODE = "/etc/iluvatar/node.json"
IMAGES = "/var/lib/rancher/k3s/agent/images"
_ARCH = "arm64"
_DROP_IN = f"""\
[Unit]
Wants=time-sync.target
After=time-sync.target

[Service]
ExecStartPre=/usr/bin/python3 -I {PROGRAMS}/prepare.py
ExecStartPre=-/usr/bin/python3 -I {PROGRAMS}/tasks.py before-k3s
"""
"""What fails in ``prepare`` is tried again with the unit, whose Restart is always. A failed task keeps no k3s down."""
_TASKS_SERVICE = f"""\
[Unit]
Description=Tasks of the daemons for k3s

[Service]
Type=oneshot
ExecStart=/usr/bin/python3 -I {PROGRAMS}/tasks.py
"""
_TASKS_TIMER = """\
[Unit]
Description=Tasks of the daemons for k3s

[Timer]
OnBootSec=2min
OnUnitInactiveSec=1min
AccuracySec=10s

[Install]
WantedBy=timers.target
"""
_UNITS = "/etc/systemd/system"
_TIMER = "iluvatar-tasks.timer"
_NOBODY = ({"name": "root", "lock_passwd": True},)
"""Without users cloud-init makes the image's own one, and Debian 12's takes no empty list."""


def cloud_config_of(
    cluster: K3sCluster, node: K3sNode, around: Surroundings, programs: Mapping[str, str]
) -> dict[str, Any]:
    """Return the values of a cloud-config; ``programs`` are those that the machine runs for k3s, by their names.

    Raises ConfigurationError where k3s' files are not there yet.
    """
    files = {
        **public_files(cluster, node),
        f"{_UNITS}/{UNITS[node.role]}.d/10-iluvatar.conf": NodeFile(_DROP_IN, 0o644),
        f"{_UNITS}/iluvatar-tasks.service": NodeFile(_TASKS_SERVICE, 0o644),
        f"{_UNITS}/{_TIMER}": NodeFile(_TASKS_TIMER, 0o644),
        **{f"{PROGRAMS}/{name}": NodeFile(text, 0o644) for name, text in programs.items()},
        NODE: NodeFile(json.dumps(_told(cluster, node, around), indent=1) + "\n"),
    }
    return {
        "hostname": node.name,
        "fqdn": f"{node.name}.{cluster.domain}",
        "manage_etc_hosts": True,
        "users": [_user(user) for user in cluster.users] or list(_NOBODY),
        "disable_root": True,
        "ssh_pwauth": False,
        "package_update": False,
        "package_upgrade": False,
        "apt": {"preserve_sources_list": True},
        "growpart": {"mode": "off"},
        "resize_rootfs": node.root.kind is RootKind.DISK,
        **(
            {"ntp": {"enabled": True, "pools": [], "servers": [*around.time_servers]}}
            if around.time_servers
            else {}
        ),
        "write_files": [_file(path, file) for path, file in files.items()],
        "runcmd": _commands(node),
        "reporting": {
            "iluvatar": {
                "type": "webhook",
                "endpoint": f"{around.url}/report",
                "timeout": 5,
                "retries": 1,
            }
        },
        "phone_home": {
            "url": f"{around.url}/phone-home",
            "post": ["instance_id", "hostname", "fqdn"],
            "tries": 3,
        },
    }


def _user(user: User) -> dict[str, Any]:
    return {
        "name": user.name,
        "shell": "/bin/bash",
        "lock_passwd": True,
        "ssh_authorized_keys": list(user.ssh_keys),
        **({"sudo": "ALL=(ALL) NOPASSWD:ALL"} if user.sudo else {}),
    }


def _file(path: str, file: NodeFile) -> dict[str, str]:
    return {"path": path, "owner": "root:root", "permissions": f"{file.mode:04o}", "content": file.text}


def _commands(node: K3sNode) -> list[list[str]]:
    """Return what is run last in the first boot. Longhorn needs iscsid, and multipathd takes its volumes away."""
    return [
        ["systemctl", "daemon-reload"],
        ["systemctl", "enable", "--now", "--no-block", "iscsid.service"],
        ["systemctl", "mask", "--now", "multipathd.service", "multipathd.socket"],
        ["systemctl", "enable", "--now", "--no-block", UNITS[node.role]],
        ["systemctl", "enable", "--now", "--no-block", _TIMER],
    ]


def _told(cluster: K3sCluster, node: K3sNode, around: Surroundings) -> Mapping[str, Any]:
    """Return what the programs read."""
    argo_cd = cluster.argo_cd if node.role is Role.SERVER else None
    return {
        "name": node.name,
        "unit": UNITS[node.role],
        "version": cluster.k3s.version,
        "daemons": around.daemons,
        "clocks": around.clocks,
        "url": around.url,
        "not_before": int(load_chain(cluster.bundle.server.crt)[0].not_valid_before_utc.timestamp()),
        "data": _data(node.root.data),
        "assets": [
            *k3s_assets(cluster.k3s.version, around.sums),
            *([_asset(argo_cd.chart, CHART, 0o644, around.sums)] if argo_cd else []),
        ],
    }


def k3s_assets(version: str, sums: Mapping[str, str]) -> list[Mapping[str, str]]:
    """Return what a node downloads to run a version of k3s, and where it puts that; ``sums`` are of files that are here.

    Raises ConfigurationError where they are not all here.
    """
    k3s, images = f"k3s/{version}", f"k3s-airgap-images-{_ARCH}.tar.zst"
    return [
        _asset(f"{k3s}/k3s-{_ARCH}", BINARY, 0o755, sums),
        _asset(f"{k3s}/{images}", f"{IMAGES}/{images}", 0o644, sums),
    ]


def _data(data: Data | None) -> Mapping[str, Any] | None:
    if data is None:
        return None
    return {"source": data.source, "folders": {**DATA_FOLDERS, data.longhorn: "/var/lib/longhorn"}}


def _asset(name: str, to: str, mode: int, sums: Mapping[str, str]) -> Mapping[str, str]:
    if name not in sums:
        raise ConfigurationError(f"{name} is not there yet; see: iluvatar-pxe assets status")
    return {"path": f"/assets/{quote(name)}", "sha256": sums[name], "to": to, "mode": f"{mode:o}"}
