"""Argo CD in the clusters whose configurations the daemon makes: what it follows, and by which token."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs
from support.fleets import fleet_of
from support.hosted import Hosted
from support.repositories import git
from support.secrets_of import bundle_of, k3s_bundle_of
from support.waiting import wait_until
from support.warm import run_warm

from iluvatar_pxe import ratelimit
from iluvatar_pxe.assets.store import AssetStore
from iluvatar_pxe.layers.ainur.bundle import dump_k3s_bundle
from iluvatar_pxe.layers.arda.bundle import dump_bundle
from iluvatar_pxe.layers.arda.clock import BUILT
from iluvatar_pxe.provisioning.applied import Applied
from iluvatar_pxe.provisioning.argocd import ArgoCd, read_token
from iluvatar_pxe.settings.model import Settings
from iluvatar_pxe.values import replace

FILE = "manifests/argo-cd/v3.5.1/install.yaml"
RELEASE = "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: argocd-server}\n"
BUNDLE = bundle_of("one", BUILT)
CHART = "charts/argo-cd-10.1.1.tgz"
URL = "https://git.lab.home.arpa:8443/git/fleet.git"


async def objects(
    directory: Path, *, release: str | None = RELEASE, **fleet: str
) -> Mapping[str, Mapping[str, Any]]:
    """Return what the control planes of a layer bring into its cluster, by kind."""
    if release is not None:
        (directory / FILE).parent.mkdir(parents=True)
        (directory / FILE).write_text(release)
    store = AssetStore(directory)
    await store.refresh()
    settings = Settings.model_validate({"fleet": fleet})
    argo_cd = ArgoCd(
        settings,
        Applied(fleet_of()),
        store,
        lambda: FILE,
        lambda: CHART,
        lambda: "-----BEGIN own",
        lambda: ["192.168.1.2:8080", "pi2"],
    )
    found = await argo_cd.manifests("west", BUNDLE)
    assert found == await argo_cd.manifests("west", BUNDLE)
    texts = [line for one in found for line in one.text.splitlines() if line != "---"]
    return {one["kind"]: one for one in map(json.loads, texts)}


async def test_the_hosted_fleet_is_followed_by_name_with_our_ca_and_a_token(tmp_path: Path) -> None:
    found = await objects(tmp_path)
    assert found["ServiceAccount"]["metadata"]["namespace"] == "argocd"
    assert found["Application"]["spec"]["source"]["repoURL"] == URL
    assert found["ConfigMap"]["data"] == {"git.lab.home.arpa": "-----BEGIN own"}
    secret = found["Secret"]["stringData"]
    assert (secret["url"], secret["password"]) == (URL, read_token(BUNDLE))


@pytest.mark.parametrize(
    "host", ["192.168.1.2", "pi2", "pi2.lab.home.arpa", "git.lab.home.arpa", os.uname().nodename]
)
async def test_a_daemon_that_follows_another_says_the_same(tmp_path: Path, host: str) -> None:
    (tmp_path / "ca.crt").write_text("-----BEGIN own")
    followed = await objects(
        tmp_path / "two", source=f"https://{host}:8443/git/fleet", ca_file=str(tmp_path / "ca.crt")
    )
    assert followed == await objects(tmp_path / "one")


@pytest.mark.parametrize(
    "source",
    [
        "https://forge.example/me/fleet.git",
        "git@forge.example:me/fleet.git",
        "https://gitea.example.com/git/fleet.git",
        "https://192.0.2.1:8443/git/fleet.git",
    ],
)
async def test_the_token_is_for_no_forge(tmp_path: Path, source: str) -> None:
    found = await objects(tmp_path, source=source)
    assert found["Application"]["spec"]["source"]["repoURL"] == source
    assert "Secret" not in found


@pytest.mark.parametrize("release", [None, "junk: [", "kind: Pod\n"])
async def test_a_cluster_does_not_wait_for_the_release(
    tmp_path: Path, release: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ratelimit._complaints, "_limiters", {})
    with capture_logs() as logs:
        assert await objects(tmp_path, release=release) == {}
    assert [line["event"] for line in logs][:1] == ["argocd.missing"]


def test_the_token_is_the_same_on_every_daemon_and_of_this_cluster_alone() -> None:
    assert read_token(BUNDLE) == read_token(replace(BUNDLE, bootstrap_token="another"))
    assert read_token(BUNDLE) != read_token(bundle_of("two"))
    assert read_token(BUNDLE).startswith("ilu_")
    assert BUNDLE.secretbox_key not in read_token(BUNDLE)


def test_argo_cd_reads_the_fleet_by_name_once_the_cluster_has_secrets(tmp_path: Path) -> None:
    """By the calls that Argo CD makes; the name leads to the address as the cluster's DNS would say."""
    with Hosted(tmp_path) as pi:
        bundle, token = tmp_path / "bundle.yaml", read_token(BUNDLE)
        bundle.write_text(dump_bundle(BUNDLE))
        told = run_warm("cluster", "secrets", "import", "arda", str(bundle), "--config", str(pi._file))
        assert told.status == 0, told.error
        listed = ("fleet", "token", "list", "--config", str(pi._file))
        wait_until(lambda: "argocd/arda" in run_warm(*listed).output, "the token to be known")
        here = f"git.lab.home.arpa:{pi.port}"
        url = f"https://argocd-arda:{token}@{here}/git/fleet.git"
        calls = ("-c", f"http.curloptResolve={here}:127.0.0.1")
        environment = {"GIT_SSL_CAINFO": str(pi.authority())}
        assert "refs/heads/main" in git(tmp_path, *calls, "ls-remote", url, environment=environment)
        clone = pi.owner(tmp_path / "clone").directory
        refused = git(clone, *calls, "push", url, "HEAD:main", check=False, environment=environment)
        assert "403" in refused, "it only reads"
        assert not any(token in line for line in pi.errors), "never in the log"


async def test_a_k3s_cluster_follows_the_same_by_a_token_of_its_own(tmp_path: Path) -> None:
    def argo_cd(chart: str | None) -> ArgoCd:
        return ArgoCd(
            Settings(),
            Applied(fleet_of()),
            AssetStore(tmp_path),
            lambda: None,
            lambda: chart,
            lambda: "own",
            tuple,
        )

    bundle = k3s_bundle_of("one", BUILT)
    installed = await argo_cd(CHART).installed("ainur", bundle)
    assert installed
    assert (installed.chart, installed.followed.url, installed.followed.authority) == (CHART, URL, "own")
    assert installed.followed.token == read_token(bundle) == read_token(replace(bundle, agent_token="other"))
    assert bundle.server_token not in read_token(bundle)
    assert await argo_cd(None).installed("ainur", bundle) is None


def test_the_token_of_a_k3s_cluster_is_known_once_it_has_secrets(tmp_path: Path) -> None:
    with Hosted(tmp_path) as pi:
        file = tmp_path / "bundle.yaml"
        file.write_text(dump_k3s_bundle(k3s_bundle_of("one", BUILT)))
        told = run_warm("cluster", "secrets", "import", "ainur", str(file), "--config", str(pi._file))
        assert told.status == 0, told.error
        listed = ("fleet", "token", "list", "--config", str(pi._file))
        wait_until(lambda: "argocd/ainur" in run_warm(*listed).output, "the token to be known")


async def test_it_is_read_once_for_each_file(tmp_path: Path) -> None:
    (tmp_path / FILE).parent.mkdir(parents=True)
    store = AssetStore(tmp_path)
    argo_cd = ArgoCd(Settings(), Applied(fleet_of()), store, lambda: FILE, lambda: None, lambda: "", tuple)
    for name in ("first", "second"):
        (tmp_path / FILE).write_text(RELEASE.replace("argocd-server", name))
        await store.refresh()
        (found,) = await argo_cd.manifests("west", BUNDLE)
        assert f'"name":"{name}"' in found.text
        (same,) = await argo_cd.manifests("west", BUNDLE)
        assert same == found
