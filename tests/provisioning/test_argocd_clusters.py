"""Argo CD of the k3s cluster gets the Talos cluster's Secret, against strict stand-ins for both API servers."""

import base64
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from support.founded_clusters import TALOS, FoundedClusters, founded_clusters
from support.waiting import until

from iluvatar_pxe.errors import KubernetesError
from iluvatar_pxe.inventory.memory import wall_clock
from iluvatar_pxe.layers.argocd.clusters import LIFETIME, argo_cd_of, cluster_secret, is_good
from iluvatar_pxe.layers.credentials import Credentials
from iluvatar_pxe.layers.kubernetes.client import cluster_id

URL = "https://api.arda.home.arpa:6443"
SECRET = ("Secret", "iluvatar-cluster-arda")
BINDING = ("ClusterRoleBinding", "iluvatar-pxe-argocd-ainur")


def decoded(secret: dict[str, Any], key: str) -> str:
    return base64.b64decode(secret["data"][key]).decode()


def credentials_in(secret: dict[str, Any]) -> Credentials:
    """Return what Argo CD reads of it."""
    tls = json.loads(decoded(secret, "config"))["tlsClientConfig"]
    ca, crt, key = (base64.b64decode(tls[name]).decode() for name in ("caData", "certData", "keyData"))
    return Credentials(ca=ca, crt=crt, key=key)


async def registered(site: FoundedClusters) -> dict[str, Any]:
    await until(lambda: SECRET in site.ainur.objects)
    return site.ainur.objects[SECRET]


async def test_a_founded_cluster_is_registered_as_a_user_whose_rights_can_be_taken_back(
    tmp_path: Path,
) -> None:
    async with founded_clusters(tmp_path) as site, site.arda_on():
        secret = await registered(site)
        assert secret["metadata"]["labels"]["argocd.argoproj.io/secret-type"] == "cluster"
        assert (decoded(secret, "name"), decoded(secret, "server")) == ("arda", URL)
        found = credentials_in(secret)
        assert await cluster_id(site.arda.address, found)
        del site.arda.objects[BINDING]
        with pytest.raises(KubernetesError, match="403"):
            await cluster_id(site.arda.address, found)
        changes = len(site.ainur.asked)
        await site.push({"fleet.yaml": "domain: home.arpa\nmaxAttempts: 4\n"})
        await until(lambda: site.context.fleet().settings.max_attempts == 4 and not site.line("ainur"))
        assert len(site.ainur.asked) == changes, "a good one is left alone"
        assert BINDING not in site.arda.objects, "what a person took back stays so"


async def test_a_certificate_is_renewed_before_it_ends(tmp_path: Path) -> None:
    async with founded_clusters(tmp_path) as site, site.arda_on():
        await registered(site)
        short = LIFETIME / 2 - timedelta(hours=1)
        old = await site.context.secrets.talos_kubernetes("arda", argo_cd_of("ainur"), short)
        site.ainur.objects[SECRET] = dict(cluster_secret("arda", URL, old))
        await until(lambda: credentials_in(site.ainur.objects[SECRET]).crt != old.crt)
        assert is_good(site.ainur.objects[SECRET], URL, TALOS.kubernetes.crt, wall_clock())


async def test_a_cluster_that_is_off_is_named_and_registered_later(tmp_path: Path) -> None:
    async with founded_clusters(tmp_path) as site:
        await until(lambda: f"https://{site.arda.address}:6443: Connection refused" in site.line("ainur"))
        assert site.ainur.objects == {}
        async with site.arda_on():
            await registered(site)
            await until(lambda: not site.line("ainur"))


async def test_argo_cd_that_is_not_installed_yet_is_waited_for(tmp_path: Path) -> None:
    async with founded_clusters(tmp_path) as site, site.arda_on():
        await registered(site)
        site.ainur.namespaces.clear()
        site.ainur.objects.clear()
        asked = len(site.ainur.asked)
        await until(lambda: BINDING in site.arda.objects and not site.line("ainur"))
        assert site.ainur.objects == {}
        site.ainur.namespaces.add("argocd")
        await registered(site)
        assert site.ainur.asked[asked:] == ["PATCH Secret iluvatar-cluster-arda"]


async def test_a_layer_that_is_gone_is_registered_no_more_and_others_secrets_stay(tmp_path: Path) -> None:
    async with founded_clusters(tmp_path) as site, site.arda_on():
        theirs = {"kind": "Secret", "metadata": {"name": "cluster-far", "labels": {"argocd.argoproj.io/secret-type": "cluster"}}}  # fmt: skip
        site.ainur.objects["Secret", "cluster-far"] = theirs
        await registered(site)
        gone = (
            "layers/arda.yaml",
            "machines/arda-01.yaml",
            "clusters/arda.yaml",
            "clusters/arda.secrets.age",
        )
        await site.push(dict.fromkeys(gone))
        await until(lambda: SECRET not in site.ainur.objects)
        assert ("Secret", "cluster-far") in site.ainur.objects


@pytest.mark.parametrize("data", [{}, {"config": "!"}, {"config": "e30="}, {"config": "/w=="}])
def test_a_damaged_secret_is_made_again(data: dict[str, str]) -> None:
    assert not is_good({"data": data}, URL, TALOS.kubernetes.crt, wall_clock())
