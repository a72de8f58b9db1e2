"""A stand-in for k3s starts with the secrets that the daemon makes, and an administrator reaches it with our kubeconfig."""

import json
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

from support.k3s.access import Access
from support.k3s.authorities import FILES
from support.k3s.by_hand import API, Cluster
from support.k3s.machine import Machine
from support.secrets_of import k3s_bundle_of, seeded
from support.waiting import until

from iluvatar_pxe.layers.ainur.bundle import full_token, tls_files
from iluvatar_pxe.layers.ainur.credentials import administrator_credentials

NOW = datetime.now(UTC)
BUNDLE = k3s_bundle_of("ours", NOW - timedelta(minutes=1))
SERVER, AGENT = full_token(BUNDLE, "server"), full_token(BUNDLE, "node")


def given(machine: Machine) -> Machine:
    """Give a server our files in place of those by hand."""
    for path, text in tls_files(BUNDLE).items():
        (machine.root / "var/lib/rancher/k3s/server/tls" / path).write_text(text)
    return machine


def reached(machine: Machine, directory: Path) -> Access:
    """Return access to a server by what a kubeconfig has."""
    found = administrator_credentials(BUNDLE, timedelta(hours=1), NOW, seeded("admin"))
    context = ssl.create_default_context(cadata=found.ca)
    (directory / "pem").write_text(found.crt + found.key)
    context.load_cert_chain(directory / "pem")
    return Access(machine.site, f"https://{API}:6443", context)


async def test_servers_and_agents_join_by_our_tokens_and_our_kubeconfig_reads_them(
    cluster: Cluster, tmp_path: Path
) -> None:
    tokens = {"token": SERVER, "agent-token": AGENT}
    first = given(cluster.first("mother", **tokens))
    await first.power_on()
    await until(lambda: first.is_ready)
    others = [given(cluster.server("one", **tokens)), cluster.agent("worker", token=AGENT)]
    for machine in others:
        await machine.power_on()
    await until(lambda: all(machine.is_ready for machine in others))
    nodes = json.loads(await reached(first, tmp_path).ask("/api/v1/nodes"))["items"]
    assert {node["metadata"]["name"] for node in nodes} == {"mother", "one", "worker"}
    assert set(tls_files(BUNDLE)) == set(FILES)
