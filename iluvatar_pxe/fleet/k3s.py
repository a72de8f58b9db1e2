"""The ``k3s:`` part of a layer's file: which version of k3s its machines run, and with which options."""

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, StrictBool, StrictInt, StrictStr, WithJsonSchema

from iluvatar_pxe.catalogue.lock import STABLE
from iluvatar_pxe.catalogue.versions import NUMBER
from iluvatar_pxe.declared.base import Model
from iluvatar_pxe.declared.shapes import Shape, hint
from iluvatar_pxe.fleet.fields.kubernetes import LabelKey, LabelValue, Taint
from iluvatar_pxe.machines.states import ROLES, LayerKind, Role

DEFAULT_VERSION = "v1.36.3+k3s1"
"""What k3s' own channel ``stable`` said when this was written."""
ALL = "all"
"""Stands for every role in ``config``."""

_RELEASE = rf"v{NUMBER}\.{NUMBER}\.{NUMBER}\+k3s{NUMBER}"
_OPTION = r"[a-z0-9]+(?:-[a-z0-9]+)*\+?"
_NO_OPTION = "write an option of k3s without '--', such as flannel-iface"
_ELSEWHERE: Mapping[str, str] = {
    **dict.fromkeys(
        ("server", "s", "cluster-init", "token", "t", "token-file", "agent-token", "agent-token-file"),
        "the daemon says which cluster a machine joins, and how",
    ),
    **dict.fromkeys(
        ("cluster-reset", "cluster-reset-restore-path"),
        "it would reset the cluster at each start; use: iluvatar-pxe cluster recover --layer LAYER",
    ),
    **dict.fromkeys(
        ("node-name", "with-node-id"), "a node has the name of its machine; rename the file in machines"
    ),
    **dict.fromkeys(
        ("data-dir", "d", "config", "c", "private-registry"), "the daemon puts files into the usual place"
    ),
    **dict.fromkeys(
        ("datastore-endpoint", "disable-etcd", "disable-apiserver", "disable-agent"),
        "the daemon founds clusters with k3s' own etcd, and every server runs all of k3s",
    ),
    **dict.fromkeys(("https-listen-port", "supervisor-port"), "the daemon publishes port 6443"),
    "disable": "write it as 'k3s.disable'",
    "node-label": "write it as 'k3s.labels'",
    "node-taint": "write it as 'k3s.taints'",
}
"""By option that ``config`` may not have, why not. k3s takes short names there, too (k3s, ``pkg/configfilearg``)."""
_ONLY_OF_SERVERS = frozenset(
    [
        *(
            "advertise-address",
            "advertise-port",
            "tls-san",
            "tls-san-security",
            "cluster-cidr",
            "service-cidr",
        ),
        *("service-node-port-range", "cluster-dns", "cluster-domain", "flannel-backend", "flannel-ipv6-masq"),
        *("flannel-external-ip", "egress-selector-mode", "servicelb-namespace", "write-kubeconfig"),
        *(
            "write-kubeconfig-mode",
            "write-kubeconfig-group",
            "helm-job-image",
            "kube-apiserver-arg",
            "etcd-arg",
        ),
        *("kube-controller-manager-arg", "kube-scheduler-arg", "kube-cloud-controller-manager-arg"),
        *("etcd-expose-metrics", "etcd-disable-snapshots", "etcd-snapshot-name", "etcd-snapshot-dir"),
        *("etcd-snapshot-schedule-cron", "etcd-snapshot-retention", "etcd-snapshot-compress"),
        *(
            "default-local-storage-path",
            "disable-scheduler",
            "disable-cloud-controller",
            "disable-kube-proxy",
        ),
        *(
            "disable-network-policy",
            "disable-helm-controller",
            "disable-controller-manager",
            "embedded-registry",
        ),
        *("secrets-encryption", "supervisor-metrics", "system-default-registry"),
    ]
)
"""Options without which ``k3s agent`` does not start (k3s, ``pkg/cli/cmds/server.go``)."""


class Packaged(StrEnum):
    """A component that k3s brings, and installs by itself (``--disable``)."""

    COREDNS = "coredns"
    LOCAL_STORAGE = "local-storage"
    METRICS_SERVER = "metrics-server"
    RUNTIMES = "runtimes"
    SERVICELB = "servicelb"
    TRAEFIK = "traefik"


class Oidc(Model):
    """The ``oidc:`` part of ``k3s``: who else may log in to the cluster, by OpenID Connect."""

    issuer: Annotated[
        str, Shape(r"https://[!-~]{1,500}", "write the issuer's URL, such as https://dex.lab.home.arpa")
    ]
    """URL of the identity provider; its certificate has to be one that the nodes trust."""
    client_id: Annotated[str, Shape(r"[!-~]{1,200}", "write the client's id, such as kubernetes")]
    """The client that its tokens are for."""
    username_claim: Annotated[str, Shape(r"[!-~]{1,100}", "write a claim, such as email")] = "email"
    """The claim that is the user's name."""
    groups_claim: Annotated[str, Shape(r"[!-~]{1,100}", "write a claim, such as groups")] = "groups"
    """The claim that lists the user's groups."""


def _role(role: Role) -> Role:
    if role not in ROLES[LayerKind.K3S]:
        raise ValueError(
            f"a layer of kind k3s has no role {role}; it has {' and '.join(ROLES[LayerKind.K3S])}"
        )
    return role


def _role_or_all(role: str) -> str:
    if role != ALL and role not in {one.value for one in ROLES[LayerKind.K3S]}:
        raise ValueError(f"write one of {ALL}, {', '.join(ROLES[LayerKind.K3S])}")
    return role


def _option(option: str) -> str:
    if why := _ELSEWHERE.get(option.removesuffix("+")):
        raise ValueError(f"{why}; remove it")
    if option.startswith("etcd-s3"):
        raise ValueError("its keys are secrets, which nodes would keep in clear; remove it")
    return option


def _config_value(value: Any) -> Any:
    items = value if isinstance(value, list | tuple) else (value,)
    if not all(isinstance(item, str | int) for item in items):
        raise ValueError("write a text, a whole number, true or false, or a list of these")
    return value


def _for_agents(
    options: Mapping[str, Mapping[str, "ConfigValue"]],
) -> Mapping[str, Mapping[str, "ConfigValue"]]:
    for role in (ALL, Role.AGENT):
        for option in options.get(role, ()):
            if option.removesuffix("+") in _ONLY_OF_SERVERS:
                raise ValueError(f"{role}: agents with {option} do not start; write it below {Role.SERVER}")
    return options


def is_k3s_release(text: str) -> bool:
    """Say whether a text is a version of k3s, and not a word that stands for one."""
    return re.fullmatch(_RELEASE, text) is not None


def skips_minor(running: str, wanted: str) -> bool:
    """Say whether there is a minor version between two, which k3s may not skip; words in place of versions skip none."""
    if not (is_k3s_release(running) and is_k3s_release(wanted)):
        return False
    (major, minor), target = _minor(running), _minor(wanted)
    return target > (major, minor + 1)


def _minor(version: str) -> tuple[int, int]:
    major, minor, _ = version.removeprefix("v").split(".", 2)
    return int(major), int(minor)


K3sVersion = Annotated[
    str,
    Shape(
        f"{STABLE}|{_RELEASE}",
        f"write a version such as {DEFAULT_VERSION}, or {STABLE}",
    ),
]
RoleOfK3s = Annotated[Role, AfterValidator(_role), WithJsonSchema({"enum": [*ROLES[LayerKind.K3S]]})]
_RoleOrAll = Annotated[
    str, AfterValidator(_role_or_all), WithJsonSchema({"enum": [ALL, *ROLES[LayerKind.K3S]]})
]
_Option = Annotated[str, AfterValidator(_option), Shape(_OPTION, _NO_OPTION), hint(_OPTION, _NO_OPTION)]
_Scalar = StrictBool | StrictInt | StrictStr
ConfigValue = _Scalar | tuple[_Scalar, ...]
"""What k3s' configuration file says of an option."""
_Options = Mapping[_Option, Annotated[ConfigValue, BeforeValidator(_config_value)]]


class K3s(Model):
    """The ``k3s:`` part of a layer's file."""

    version: K3sVersion = DEFAULT_VERSION
    """k3s' version, such as ``v1.36.3+k3s1``; ``stable`` is what its channel ``stable`` says, once, and pinned."""
    disable: tuple[Packaged, ...] = ()
    """Components of k3s that are not installed."""
    oidc: Oidc | None = None
    """An identity provider whose users may log in."""
    labels: Mapping[RoleOfK3s, Mapping[LabelKey, LabelValue]] = Field(default_factory=dict)
    """By role, labels of the nodes; they are given when a node registers, and not changed later."""
    taints: Mapping[RoleOfK3s, tuple[Taint, ...]] = Field(default_factory=dict)
    """By role, taints of the nodes; they are given when a node registers, and not changed later."""
    config: Annotated[Mapping[_RoleOrAll, _Options], AfterValidator(_for_agents)] = Field(
        default_factory=dict
    )
    """By role, or for ``all``, further options of k3s, as in its ``config.yaml``."""
    etcd_on_card: StrictBool = False
    """Whether servers may keep etcd on an SD card or eMMC, which wears out, and is too slow for it."""

    @property
    def is_chosen(self) -> bool:
        """Say whether it is known which version it is."""
        return self.version != STABLE

    def options(self, role: Role) -> Mapping[str, ConfigValue]:
        """Return the further options for machines of a role; what is said for the role counts."""
        return {**self.config.get(ALL, {}), **self.config.get(role, {})}
