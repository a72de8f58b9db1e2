"""The files by which k3s runs on a machine."""

import configparser
import re
from collections.abc import Mapping
from typing import Any

import pytest
import yaml
from support.ainur import bundle_of, cluster_of, node_of

from iluvatar_pxe.fleet.registries import Registries
from iluvatar_pxe.layers.ainur.bundle import ca_hash, full_token, tls_files
from iluvatar_pxe.layers.ainur.k3s_files import (
    AGENT_TOKEN,
    CONFIG,
    JOIN,
    NODE_PASSWORD,
    TASK_KEY,
    TLS,
    TOKEN,
    public_files,
    secret_files,
)
from iluvatar_pxe.layers.ainur.node import K3sCluster
from iluvatar_pxe.layers.ainur.node_file import NodeFile
from iluvatar_pxe.layers.ainur.part import K3sPart
from iluvatar_pxe.machines.states import Role

SERVER, AGENT = node_of(), node_of("ainur-04", Role.AGENT)
PARTS = {K3sPart.INIT: SERVER, K3sPart.JOIN_SERVER: SERVER, K3sPart.AGENT: AGENT}
OIDC = {"issuer": "https://dex.lab.home.arpa", "clientId": "kubernetes"}


def configuration(role: Role, **k3s: object) -> Mapping[str, Any]:
    """Return what a machine's configuration says."""
    node = SERVER if role is Role.SERVER else AGENT
    found: dict[str, Any] = yaml.safe_load(public_files(cluster_of(**k3s), node)[CONFIG].text)
    return found


def secrets_of(part: K3sPart, cluster: K3sCluster | None = None) -> Mapping[str, NodeFile]:
    return secret_files(cluster or cluster_of(), PARTS[part], part)


def test_a_server_is_configured_with_what_the_fleet_says() -> None:
    assert configuration(
        Role.SERVER,
        disable=["servicelb", "traefik"],
        oidc=OIDC,
        labels={"server": {"example.org/disk": "nvme"}, "agent": {"a": "b"}},
        taints={"server": ["a=b:NoSchedule"]},
        config={"all": {"kubelet-arg": ["max-pods=200"]}, "server": {"secrets-encryption": True}},
    ) == {
        "node-name": "ainur-01",
        "token-file": TOKEN,
        "agent-token-file": AGENT_TOKEN,
        "node-label": ["example.org/disk=nvme"],
        "node-taint": ["a=b:NoSchedule"],
        "tls-san": ["api.ainur.lab.home.arpa", "ainur-01.lab.home.arpa"],
        "disable": ["servicelb", "traefik"],
        "kube-apiserver-arg": [
            "oidc-issuer-url=https://dex.lab.home.arpa",
            "oidc-client-id=kubernetes",
            "oidc-username-claim=email",
            "oidc-groups-claim=groups",
        ],
        "kubelet-arg": ["max-pods=200"],
        "secrets-encryption": True,
    }


def test_an_agent_has_nothing_that_keeps_it_from_starting() -> None:
    found = configuration(Role.AGENT, disable=["traefik"], oidc=OIDC, labels={"agent": {"a": "b"}})
    assert found == {"node-name": "ainur-04", "token-file": TOKEN, "node-label": ["a=b"]}


@pytest.mark.parametrize("option", ["kube-apiserver-arg", "kube-apiserver-arg+"])
@pytest.mark.parametrize("value", ["v=2", ["v=2"]])
def test_the_fleet_s_items_of_a_list_come_after_ours(option: str, value: object) -> None:
    found = configuration(Role.SERVER, oidc=OIDC, config={"server": {option: value, "tls-san": "10.0.0.9"}})
    assert [item.partition("=")[0] for item in found["kube-apiserver-arg"]] == [
        *("oidc-issuer-url", "oidc-client-id", "oidc-username-claim", "oidc-groups-claim", "v"),
    ]
    assert found["tls-san"][-1] == "10.0.0.9"
    assert configuration(Role.SERVER, config={"server": {option: value}})["kube-apiserver-arg"] == value


def test_options_of_all_are_appended_to_by_those_of_a_role() -> None:
    config = {"all": {"kubelet-arg": ["a=1"]}, "agent": {"kubelet-arg+": "b=2"}}
    assert configuration(Role.AGENT, config=config)["kubelet-arg"] == ["a=1", "b=2"]
    config = {"all": {"kubelet-arg+": ["a=1"]}, "agent": {"kubelet-arg": ["b=2"]}}
    assert configuration(Role.AGENT, config=config)["kubelet-arg"] == ["b=2"], "as k3s reads its files"


@pytest.mark.parametrize("value", ["yes", "0x10", "1_000", "~", "a: b", "é # x", "1.10", "- a"])
def test_a_text_stays_a_text(value: str) -> None:
    assert configuration(Role.AGENT, config={"agent": {"a": value}})["a"] == value


@pytest.mark.parametrize(("node", "kind"), [(SERVER, "notify"), (AGENT, "exec")])
def test_the_unit_is_the_one_of_k3s_own_installer(node: Any, kind: str) -> None:
    name = {"notify": "k3s.service", "exec": "k3s-agent.service"}[kind]
    file = public_files(cluster_of(), node)[f"/etc/systemd/system/{name}"]
    assert file.mode == 0o644
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.read_string(file.text)
    service = unit["Service"]
    assert (service["Type"], service["Restart"], service["KillMode"]) == (kind, "always", "process")
    assert re.sub(r"\\\s+", "", service["ExecStart"]) == f"/usr/local/bin/k3s {node.role}"
    assert "ExecStartPre=-/sbin/modprobe overlay\n" in file.text
    assert f"EnvironmentFile=-/etc/systemd/system/{name}.env\n" in file.text


def test_registries_of_this_network_are_asked_first() -> None:
    path = "/etc/rancher/k3s/registries.yaml"
    assert path not in public_files(cluster_of(), SERVER)
    registries = Registries.model_validate({"mirrors": {"docker.io": ["http://192.168.1.2:5000"]}})
    cluster = K3sCluster(
        name="a", domain="b.c", k3s=cluster_of().k3s, bundle=bundle_of(), registries=registries
    )
    assert yaml.safe_load(public_files(cluster, SERVER)[path].text) == {
        "mirrors": {"docker.io": {"endpoint": ["http://192.168.1.2:5000"]}}
    }


def test_only_the_one_that_initialises_the_cluster_joins_no_other() -> None:
    joins = {"server": "https://api.ainur.lab.home.arpa:6443"}
    assert {part: yaml.safe_load(secrets_of(part)[JOIN].text) for part in K3sPart} == {
        K3sPart.INIT: {"cluster-init": True},
        K3sPart.JOIN_SERVER: joins,
        K3sPart.AGENT: joins,
    }


def test_whoever_joins_trusts_only_this_cluster() -> None:
    bundle = bundle_of()
    tokens = {part: secrets_of(part)[TOKEN].text for part in K3sPart}
    assert tokens == {
        K3sPart.INIT: f"{bundle.server_token}\n",
        K3sPart.JOIN_SERVER: f"{full_token(bundle, 'server')}\n",
        K3sPart.AGENT: f"K10{ca_hash(bundle)}::node:{bundle.agent_token}\n",
    }
    assert secrets_of(K3sPart.INIT)[AGENT_TOKEN].text == f"{bundle.agent_token}\n"


def test_an_agent_gets_nothing_of_the_servers() -> None:
    bundle = bundle_of()
    assert set(secrets_of(K3sPart.AGENT)) == {NODE_PASSWORD, TASK_KEY, JOIN, TOKEN}
    text = "".join(file.text for file in secrets_of(K3sPart.AGENT).values())
    hidden = (bundle.server_token, bundle.service_key, *(text for text in tls_files(bundle).values()))
    assert not [one for one in hidden if one in text]


@pytest.mark.parametrize("part", [K3sPart.INIT, K3sPart.JOIN_SERVER])
def test_a_server_has_all_eleven_files_of_the_cas(part: K3sPart) -> None:
    files = {
        path.removeprefix(f"{TLS}/"): file for path, file in secrets_of(part).items() if path.startswith(TLS)
    }
    assert {path: file.text for path, file in files.items()} == tls_files(bundle_of())
    assert len(files) == 11
    assert {path.rpartition(".")[2]: file.mode for path, file in files.items()} == {
        "crt": 0o644,
        "key": 0o600,
    }


@pytest.mark.parametrize("part", K3sPart)
def test_the_token_comes_last_and_only_the_owner_reads_secrets(part: K3sPart) -> None:
    files = secrets_of(part)
    assert list(files)[-1] == TOKEN
    assert {file.mode for path, file in files.items() if not path.endswith(".crt")} == {0o600}
    assert not re.search("[0-9a-f]{32}|BEGIN", repr(files))


def test_a_node_password_is_the_same_after_each_installation_and_each_node_s_own() -> None:
    one, again = (secrets_of(part)[NODE_PASSWORD] for part in (K3sPart.INIT, K3sPart.JOIN_SERVER))
    assert one == again
    assert one.stays
    assert re.fullmatch(r"[0-9a-f]{32}\n", one.text)
    assert secrets_of(K3sPart.AGENT)[NODE_PASSWORD].text != one.text


@pytest.mark.parametrize("node", [SERVER, AGENT])
def test_no_secret_is_among_the_public_files(node: Any) -> None:
    bundle, text = bundle_of(), "".join(file.text for file in public_files(cluster_of(), node).values())
    assert not [one for one in (bundle.server_token, bundle.agent_token, "PRIVATE KEY") if one in text]
