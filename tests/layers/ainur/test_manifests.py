"""The files by which the server that founds a cluster brings Argo CD into it."""

import re
import shutil
import subprocess
from pathlib import PurePosixPath
from typing import Any

import pytest
import yaml
from support.ainur import cluster_of, node_of

from iluvatar_pxe.layers.ainur.documents import documents_of, secret_files_of
from iluvatar_pxe.layers.ainur.k3s_files import TOKEN
from iluvatar_pxe.layers.ainur.manifests import CHART, MANIFESTS, manifests_of
from iluvatar_pxe.layers.ainur.node import InstalledArgoCd, Surroundings
from iluvatar_pxe.layers.ainur.part import K3sPart
from iluvatar_pxe.layers.argocd.following import Followed
from iluvatar_pxe.machines.states import Role
from iluvatar_pxe.values import replace

URL = "https://git.lab.home.arpa:8443/git/fleet.git"
SECRET = "ilu_secret"
ARGO_CD = InstalledArgoCd(
    "charts/argo-cd-10.1.1.tgz",
    Followed(layer="ainur", url=URL, branch="main", token=SECRET, authority="-----BEGIN…\n"),
)
CLUSTER = replace(cluster_of(), argo_cd=ARGO_CD)
PACKAGED = {"ccm", "coredns", "local-storage", "rolebindings", "runtimes", "traefik"}
VERSION = CLUSTER.k3s.version
SUMS = {
    ARGO_CD.chart: "cd" * 32,
    **{f"k3s/{VERSION}/{name}": "ab" * 32 for name in ("k3s-arm64", "k3s-airgap-images-arm64.tar.zst")},
}
AROUND = Surroundings(daemons=("http://192.168.1.2:8080",), ticket="ticket", sums=SUMS)


def objects() -> dict[str, list[dict[str, Any]]]:
    """Return what is in the files, by their names."""
    return {
        PurePosixPath(path).name: list(yaml.safe_load_all(file.text))
        for path, file in manifests_of(ARGO_CD).items()
    }


def user_data(role: Role) -> str:
    return documents_of(CLUSTER, node_of(role=role), AROUND, {}).user_data


def test_the_server_that_founds_the_cluster_gets_them_and_no_other() -> None:
    found = {part: secret_files_of(CLUSTER, node_of(), part) for part in K3sPart}
    has = {part for part, files in found.items() if any(path.startswith(MANIFESTS) for path in files)}
    assert has == {K3sPart.INIT}
    assert list(found[K3sPart.INIT])[-1] == TOKEN, "k3s starts with all of them there"
    assert {file.mode for path, file in found[K3sPart.INIT].items() if path.startswith(MANIFESTS)} == {0o600}


def test_a_cluster_without_argo_cd_gets_none() -> None:
    assert not any(
        path.startswith(MANIFESTS) for path in secret_files_of(cluster_of(), node_of(), K3sPart.INIT)
    )


def test_the_token_is_in_a_secret_file_and_in_no_document() -> None:
    assert (
        SECRET in secret_files_of(CLUSTER, node_of(), K3sPart.INIT)[f"{MANIFESTS}/iluvatar-fleet.yaml"].text
    )
    for role in (Role.SERVER, Role.AGENT):
        documents = documents_of(CLUSTER, node_of(role=role), AROUND, {})
        assert SECRET not in f"{documents.user_data}{documents.meta_data}{documents.network_config}"
    assert SECRET not in repr(CLUSTER)


def test_names_are_those_that_k3s_takes() -> None:
    """It calls an AddOn after the file, up to the first dot; a packaged component of that name would be overwritten."""
    names = [name.partition(".")[0] for name in objects()]
    assert all(re.fullmatch("[a-z0-9]([-a-z0-9]*[a-z0-9])?", name) for name in names)
    assert len(set(names)) == len(names)
    assert not set(names) & PACKAGED


def test_what_needs_the_kinds_of_argo_cd_is_in_a_file_of_its_own() -> None:
    kinds = {name: [one["kind"] for one in found] for name, found in objects().items()}
    assert kinds == {
        "iluvatar-argo-cd.yaml": ["HelmChart"],
        "iluvatar-fleet.yaml": ["Secret", "AppProject", "Application"],
    }


def test_the_root_application_follows_the_layers_folder_by_the_url_of_the_secret() -> None:
    secret, _, application = objects()["iluvatar-fleet.yaml"]
    assert secret["metadata"]["labels"] == {"argocd.argoproj.io/secret-type": "repository"}
    source = application["spec"]["source"]
    assert (source["path"], source["repoURL"]) == ("apps/ainur", secret["stringData"]["url"])


def test_every_server_has_the_chart_since_the_api_is_any_of_them() -> None:
    (chart,) = objects()["iluvatar-argo-cd.yaml"]
    assert chart["spec"]["chart"].rpartition("/")[2] == PurePosixPath(CHART).name
    assert "/assets/charts/argo-cd-10.1.1.tgz" in user_data(Role.SERVER)
    assert CHART in user_data(Role.SERVER)
    assert CHART not in user_data(Role.AGENT)


@pytest.mark.skipif(not shutil.which("kubectl"), reason="kubectl is not installed")
def test_kubectl_reads_all_of_it() -> None:
    command = ["kubectl", "annotate", "--local", "-f", "-", "a=b", "-o", "name"]
    for file in manifests_of(ARGO_CD).values():
        told = subprocess.run(command, input=file.text, capture_output=True, text=True, check=True)
        assert len(told.stdout.splitlines()) == len(list(yaml.safe_load_all(file.text)))
