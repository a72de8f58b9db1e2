"""The files by which k3s runs on a machine: configuration, unit, tokens and certificates. Pure.

What is the same whenever it is asked for, and no secret, is in the machine's cloud-config. The rest it swaps its ticket
for: whether it initialises the cluster is only known then.
"""

import hashlib
import hmac
import json
from collections.abc import Mapping

from iluvatar_pxe.fleet.k3s import ConfigValue
from iluvatar_pxe.fleet.registries import k3s_registries
from iluvatar_pxe.layers.ainur.bundle import full_token, tls_files
from iluvatar_pxe.layers.ainur.node import K3sCluster, K3sNode
from iluvatar_pxe.layers.ainur.node_file import NodeFile
from iluvatar_pxe.layers.ainur.node_tasks import task_key
from iluvatar_pxe.layers.ainur.part import K3sPart
from iluvatar_pxe.machines.states import Role

CONFIG = "/etc/rancher/k3s/config.yaml"
JOIN = "/etc/rancher/k3s/config.yaml.d/50-join.yaml"
"""Read after ``CONFIG``: which cluster is joined, and how."""
TOKEN = "/etc/rancher/k3s/token"  # noqa: S105 - a path
AGENT_TOKEN = "/etc/rancher/k3s/agent-token"  # noqa: S105 - a path
NODE_PASSWORD = "/etc/rancher/node/password"  # noqa: S105 - a path
TASK_KEY = "/etc/iluvatar/task-key"
TLS = "/var/lib/rancher/k3s/server/tls"
BINARY = "/usr/local/bin/k3s"
UNITS: Mapping[Role, str] = {Role.SERVER: "k3s.service", Role.AGENT: "k3s-agent.service"}
PORT = 6443

_UNIT = f"""\
[Unit]
Description=Lightweight Kubernetes
Documentation=https://k3s.io
Wants=network-online.target
After=network-online.target

[Install]
WantedBy=multi-user.target

[Service]
Type={{type}}
EnvironmentFile=-/etc/default/%N
EnvironmentFile=-/etc/sysconfig/%N
EnvironmentFile=-/etc/systemd/system/{{name}}.env
KillMode=process
Delegate=yes
User=root
LimitNOFILE=1048576
LimitNPROC=infinity
LimitCORE=infinity
TasksMax=infinity
TimeoutStartSec=0
Restart=always
RestartSec=5s
ExecStartPre=-/sbin/modprobe br_netfilter
ExecStartPre=-/sbin/modprobe overlay
ExecStart={BINARY} \\
    {{command}}
"""
"""As k3s' own install.sh writes it."""


def public_files(cluster: K3sCluster, node: K3sNode) -> Mapping[str, NodeFile]:
    """Return by path what is no secret, and does not depend on how the cluster is."""
    registries = k3s_registries(cluster.registries)
    unit = UNITS[node.role]
    return {
        CONFIG: NodeFile(_yaml(_configuration(cluster, node))),
        **({"/etc/rancher/k3s/registries.yaml": NodeFile(registries)} if registries else {}),
        f"/etc/systemd/system/{unit}": NodeFile(_unit(node.role), 0o644),
    }


def secret_files(cluster: K3sCluster, node: K3sNode, part: K3sPart) -> Mapping[str, NodeFile]:
    """Return by path what a machine swaps its ticket for, in the order in which it is to be written.

    The token comes last: without it k3s does not start, so it never runs without what says which cluster it joins.
    """
    bundle = cluster.bundle
    files = {
        NODE_PASSWORD: NodeFile(_node_password(cluster, node), stays=True),
        TASK_KEY: NodeFile(f"{task_key(bundle, node.name).hex()}\n"),
        JOIN: NodeFile(_yaml(_joining(cluster, part))),
    }
    if part is K3sPart.AGENT:
        return {**files, TOKEN: NodeFile(f"{full_token(bundle, 'node')}\n")}
    for path, text in tls_files(bundle).items():
        files[f"{TLS}/{path}"] = NodeFile(text, 0o644 if path.endswith(".crt") else 0o600)
    own = bundle.server_token if part is K3sPart.INIT else full_token(bundle, "server")
    return {**files, AGENT_TOKEN: NodeFile(f"{bundle.agent_token}\n"), TOKEN: NodeFile(f"{own}\n")}


def _configuration(cluster: K3sCluster, node: K3sNode) -> dict[str, ConfigValue]:
    k3s = cluster.k3s
    ours: dict[str, ConfigValue] = {"node-name": node.name, "token-file": TOKEN}
    lists: dict[str, tuple[str, ...]] = {
        "node-label": tuple(f"{key}={value}" for key, value in k3s.labels.get(node.role, {}).items()),
        "node-taint": k3s.taints.get(node.role, ()),
    }
    if node.role is Role.SERVER:
        ours["agent-token-file"] = AGENT_TOKEN
        lists |= {
            "tls-san": (cluster.api, f"{node.name}.{cluster.domain}"),
            "disable": k3s.disable,
            "kube-apiserver-arg": _login(cluster),
        }
    return ours | _with_lists(k3s.options(node.role), lists)


def _with_lists(
    options: Mapping[str, ConfigValue], lists: Mapping[str, tuple[str, ...]]
) -> dict[str, ConfigValue]:
    """Return options with our items of lists before those of the fleet, however it writes the option."""
    found: dict[str, ConfigValue] = {key: items for key, items in lists.items() if items}
    for option, value in options.items():
        key = option.removesuffix("+")
        before = found.get(key, ()) if key in lists or option != key else ()
        found[key] = (*_items(before), *_items(value)) if before else value
    return found


def _items(value: ConfigValue) -> tuple[bool | int | str, ...]:
    return value if isinstance(value, tuple) else (value,)


def _login(cluster: K3sCluster) -> tuple[str, ...]:
    oidc = cluster.k3s.oidc
    if oidc is None:
        return ()
    return (
        f"oidc-issuer-url={oidc.issuer}",
        f"oidc-client-id={oidc.client_id}",
        f"oidc-username-claim={oidc.username_claim}",
        f"oidc-groups-claim={oidc.groups_claim}",
    )


def _joining(cluster: K3sCluster, part: K3sPart) -> dict[str, ConfigValue]:
    return {"cluster-init": True} if part is K3sPart.INIT else _server(cluster.api)


def join_text(api: str) -> str:
    """Return the file by which a server joins the cluster with an API of this name, also one that has initialised it."""
    return _yaml(_server(api))


def _server(api: str) -> dict[str, ConfigValue]:
    return {"server": f"https://{api}:{PORT}"}


def _node_password(cluster: K3sCluster, node: K3sNode) -> str:
    """Return what a node proves its name with: the same after each installation, and unknown to agents."""
    told = f"node password of {node.name}".encode()
    return f"{hmac.new(cluster.bundle.server_token.encode(), told, hashlib.sha256).hexdigest()[:32]}\n"


def _unit(role: Role) -> str:
    kind = "notify" if role is Role.SERVER else "exec"
    return _UNIT.format(type=kind, name=UNITS[role], command=role.value)


def _yaml(values: Mapping[str, ConfigValue]) -> str:
    """Return a line for each key; its value is JSON, which YAML of any version reads as the same."""
    return "".join(f"{key}: {json.dumps(value, ensure_ascii=False)}\n" for key, value in values.items())
