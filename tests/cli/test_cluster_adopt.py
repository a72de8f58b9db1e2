"""``cluster adopt``: where the secrets are read from, and what it says without a cluster."""

import tarfile
from datetime import UTC, datetime
from pathlib import Path

import pytest
from support.command import Host
from support.secrets_of import k3s_bundle_of

from iluvatar_pxe.cli.cluster.secret_sources import secrets_at
from iluvatar_pxe.errors import OperationError
from iluvatar_pxe.layers.ainur.bundle import dump_k3s_bundle, full_token, load_k3s_bundle, tls_files

BUNDLE = k3s_bundle_of("a", datetime(2026, 11, 29, tzinfo=UTC))


@pytest.fixture
def server(tmp_path: Path) -> Path:
    """The directory of a server of k3s, which links one token to the other."""
    directory = tmp_path / "server"
    texts = {f"tls/{path}": text for path, text in tls_files(BUNDLE).items()}
    tokens = {"node-token": full_token(BUNDLE, "server"), "agent-token": full_token(BUNDLE, "node")}
    for path, text in {**texts, **tokens, "db/etcd/member": "large"}.items():
        (directory / path).parent.mkdir(parents=True, exist_ok=True)
        (directory / path).write_text(text)
    (directory / "token").symlink_to(directory / "node-token")
    return directory


def test_a_directory_a_tar_of_it_and_a_file_have_the_same_secrets(server: Path, tmp_path: Path) -> None:
    expected = load_k3s_bundle(secrets_at(server))
    assert dump_k3s_bundle(expected).replace(BUNDLE.server_token, "") == dump_k3s_bundle(expected).replace(
        expected.server_token, ""
    )
    for name, mode in (("var/lib/rancher/k3s/server", "w"), (".", "w:gz")):
        with tarfile.open(tmp_path / "tar", mode) as archive:  # type: ignore[call-overload]
            archive.add(server, name)
        assert load_k3s_bundle(secrets_at(tmp_path / "tar")) == expected
    (tmp_path / "file").write_text(dump_k3s_bundle(expected))
    assert load_k3s_bundle(secrets_at(tmp_path / "file")) == expected


def test_what_is_missing_is_named(server: Path, tmp_path: Path) -> None:
    (server / "tls/service.key").unlink()
    with pytest.raises(OperationError, match=r"^tls/service.key: is not among these files; give /var/lib"):
        secrets_at(server)
    with tarfile.open(tmp_path / "tar", "w") as archive:
        archive.add(server / "tls", "tls")
    with pytest.raises(OperationError, match=r"^token: is not among"):
        secrets_at(tmp_path / "tar")


def test_a_faulty_mac_and_no_daemon_are_told(server: Path, tmp_path: Path) -> None:
    host = Host(tmp_path)
    (tmp_path / "kubeconfig").write_text(
        "clusters: [{name: a, cluster: {server: 'https://10.0.0.1:6443'}}]\n"
        "contexts: [{name: a, context: {cluster: a}}]\ncurrent-context: a\n"
    )
    words = (
        "cluster",
        "adopt",
        "ainur",
        "--kubeconfig",
        str(tmp_path / "kubeconfig"),
        "--secrets",
        str(server),
    )
    assert "--mac pi-1: write NODE=MAC" in host.run(*words, "--mac", "pi-1").error
    assert "is not a MAC address" in host.run(*words, "--mac", "pi-1=x").error
    assert "no daemon listens there" in host.run(*words).error
