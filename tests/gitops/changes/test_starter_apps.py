"""What Argo CD is to run in the clusters of a starter fleet: Applications, and those that are commented out."""

import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from itertools import product
from typing import Any

import pytest
import yaml

from iluvatar_pxe.catalogue.model import parse_catalogue
from iluvatar_pxe.fleet.k3s import Packaged
from iluvatar_pxe.fleet.parse import parse_fleet
from iluvatar_pxe.gitops.changes.starter import starter_files
from iluvatar_pxe.layers.arda.configuration.common import LONGHORN
from iluvatar_pxe.resources import read_catalogue

APPS = {
    path: content.decode()
    for path, content in starter_files().items()
    if path.startswith("apps/") and path.endswith(".yaml")
}
DIRECT = {path: text for path, text in APPS.items() if path.count("/") == 2}
"""What the Application of a folder reads itself."""
SEALED = "sealed-secrets"
DECLARED = ("fleet.yaml", "layers/ainur.yaml", "layers/arda.yaml")
_INGRESS = (
    "ingress.enabled",
    "ingress.annotations.cert-manager.io/cluster-issuer",
    "ingress.hosts",
    "ingress.tls",
)
VALUES: Mapping[str, tuple[str, ...]] = {
    "longhorn": (
        "preUpgradeChecker.jobEnabled",
        "persistence.defaultClassReplicaCount",
        "defaultSettings.defaultDataPath",
        "defaultSettings.nodeDrainPolicy",
        "defaultSettings.upgradeChecker",
        "defaultSettings.allowCollectingLonghornUsageMetrics",
        "csi.attacherReplicaCount",
        "csi.provisionerReplicaCount",
        "csi.resizerReplicaCount",
        "csi.snapshotterReplicaCount",
        "longhornUI.replicas",
    ),
    "metallb": ("frrk8s.enabled",),
    "traefik": ("service.annotations.metallb.io/loadBalancerIPs",),
    "cert-manager": ("crds.enabled",),
    "sealed-secrets": ("fullnameOverride",),
    "dex": ("configSecret.create", "configSecret.name", "ingress.className", *_INGRESS),
    "headlamp": ("clusterRoleBinding.clusterRoleName", "ingress.ingressClassName", *_INGRESS),
    "omni": (
        "etcdEncryptionKey.existingSecret",
        "additionalConfigSources",
        "config.account.id",
        "config.account.name",
        "config.auth.auth0.enabled",
        "config.auth.initialUsers",
        *(f"config.auth.oidc.{key}" for key in ("enabled", "providerURL", "clientID", "scopes")),
        *(f"config.services.{one}.advertisedURL" for one in ("api", "kubernetesProxy", "machineAPI")),
        "config.services.siderolink.wireGuard.advertisedEndpoint",
        *(
            f"ingress.{one}.{key}"
            for one in ("main", "kubernetesProxy", "siderolinkApi")
            for key in ("enabled", "className", "annotations.cert-manager.io/cluster-issuer", "host", "tls")
        ),
        "persistence.size",
    ),
}
"""Values that each chart has, by the charts' own values.yaml: longhorn/longhorn 1.12 chart/, metallb/metallb 0.16
charts/metallb/, traefik/traefik-helm-chart 41 traefik/ (annotations are free), cert-manager 1.21, sealed-secrets 2.18
helm/, dexidp/helm-charts 0.2x charts/dex/, kubernetes-sigs/headlamp 0.40 charts/headlamp/, siderolabs/omni deploy/helm/v2/."""


def documents(text: str) -> list[dict[str, Any]]:
    """Return what a file installs once what it has commented out is uncommented: all after its first ``#`` alone."""
    if yaml.safe_load(text) is None:
        text = re.sub("^# ?", "", text.partition("\n#\n")[2], flags=re.MULTILINE)
    return list(yaml.safe_load_all(text))


def applications(layer: str) -> dict[str, dict[str, Any]]:
    """Return a layer's Applications by their names, with those that are commented out."""
    texts = [text for path, text in DIRECT.items() if path.startswith(f"apps/{layer}/")]
    return {one["metadata"]["name"]: one for text in texts for one in documents(text)}


def application(name: str, layer: str = "arda") -> dict[str, Any]:
    return applications(layer)[name]


def wave(name: str) -> int:
    return int(application(name, "ainur")["metadata"]["annotations"]["argocd.argoproj.io/sync-wave"])


def places(values: Mapping[str, Any], above: str = "") -> Iterator[str]:
    for key, value in values.items():
        if isinstance(value, dict):
            yield from places(value, f"{above}{key}.")
        else:
            yield above + key


def test_what_needs_nothing_of_its_owner_is_installed() -> None:
    installed = [path for path, text in APPS.items() if yaml.safe_load(text.split("\n---\n")[0])]
    names = ("cert-manager", "longhorn", "metallb", "sealed-secrets")
    assert installed == [*(f"apps/ainur/{name}.yaml" for name in names), "apps/arda/longhorn.yaml"]


def test_waves_bring_what_others_need_first() -> None:
    assert wave("metallb") < wave("metallb-addresses") < wave("traefik")
    assert wave("cert-manager") < wave("cert-manager-ca")
    assert wave("traefik") < wave("dex") < min(wave("headlamp"), wave("omni"))
    assert max(wave("longhorn"), wave("sealed-secrets")) < wave("omni"), "its volume, and its Secrets"


def test_k3s_leaves_to_its_applications_what_they_bring() -> None:
    layer = parse_fleet({name: starter_files()[name].decode() for name in DECLARED}).k3s("ainur")
    assert layer
    assert {Packaged.SERVICELB, Packaged.TRAEFIK, Packaged.LOCAL_STORAGE} <= set(layer.k3s.disable)
    assert {"metallb", "traefik", "longhorn"} <= applications("ainur").keys()


@pytest.mark.parametrize("path", DIRECT)
def test_what_is_read_directly_is_an_application(path: str) -> None:
    """The Application of the folder may install nothing else (its project)."""
    for one in documents(DIRECT[path]):
        assert (one["apiVersion"], one["kind"]) == ("argoproj.io/v1alpha1", "Application")
        assert one["metadata"]["namespace"] == "argocd"
        assert "finalizers" not in one["metadata"]
        assert one["spec"].keys() == {"project", "source", "destination", "syncPolicy"}
        assert one["spec"]["destination"]["server"] == "https://kubernetes.default.svc"


@pytest.mark.parametrize("layer", ["ainur", "arda"])
def test_applications_name_only_values_that_their_charts_have(layer: str) -> None:
    for name, one in applications(layer).items():
        values = one["spec"]["source"].get("helm", {}).get("valuesObject", {})
        assert set(places(values)) <= set(VALUES.get(name, ()))


def test_the_charts_are_those_that_the_catalogue_knows() -> None:
    catalogue = parse_catalogue(read_catalogue())
    for layer, name in (*product(("ainur", "arda"), ("longhorn", "metallb", "traefik")), ("ainur", SEALED)):
        source = application(name, layer)["spec"]["source"]
        assert source["targetRevision"] == catalogue.entries[f"chart-{name}"].version
        assert source["chart"] == name


def test_longhorn_has_its_place_on_the_disk_and_the_rights_that_it_needs() -> None:
    spec = application("longhorn")["spec"]
    assert (
        spec["source"]["helm"]["valuesObject"]["defaultSettings"]["defaultDataPath"] == f"/var/mnt/{LONGHORN}"
    )
    labels = spec["syncPolicy"]["managedNamespaceMetadata"]["labels"]
    assert labels == {"pod-security.kubernetes.io/enforce": "privileged"}
    assert "CreateNamespace=true" in spec["syncPolicy"]["syncOptions"]


def test_volumes_have_as_many_copies_as_the_starter_has_nodes() -> None:
    layer = parse_fleet({name: starter_files()[name].decode() for name in DECLARED}).talos("arda")
    values = application("longhorn")["spec"]["source"]["helm"]["valuesObject"]
    assert layer
    assert values["persistence"]["defaultClassReplicaCount"] == min(3, layer.control_planes)
    assert layer.talos.extensions == ("iscsi-tools", "util-linux-tools")


def folder_of(name: str, layer: str) -> list[dict[str, Any]]:
    """Return what lies in the folder that an Application reads."""
    path = application(name, layer)["spec"]["source"]["path"]
    return [one for name in APPS if name.startswith(f"{path}/") for one in documents(APPS[name])]


@pytest.mark.parametrize("layer", ["ainur", "arda"])
def test_the_addresses_of_metallb_are_read_by_an_application_of_their_own(layer: str) -> None:
    kinds = [(one["apiVersion"], one["kind"]) for one in folder_of("metallb-addresses", layer)]
    assert kinds == [("metallb.io/v1beta1", "IPAddressPool"), ("metallb.io/v1beta1", "L2Advertisement")]


def test_the_labs_issuer_signs_with_the_ca_that_cert_manager_makes() -> None:
    root, certificate, issuer = folder_of("cert-manager-ca", "ainur")
    assert {one["apiVersion"] for one in (root, certificate, issuer)} == {"cert-manager.io/v1"}
    assert certificate["spec"]["issuerRef"]["name"] == root["metadata"]["name"]
    assert certificate["spec"]["isCA"]
    assert issuer["spec"]["ca"]["secretName"] == certificate["spec"]["secretName"]
    assert certificate["metadata"]["namespace"] == "cert-manager", (
        "where it looks for a ClusterIssuer's Secret"
    )


@pytest.mark.skipif(not shutil.which("kubectl"), reason="kubectl is not installed")
@pytest.mark.parametrize("path", APPS)
def test_kubectl_reads_each_of_them(path: str) -> None:
    text = yaml.safe_dump_all(documents(APPS[path]))
    told = subprocess.run(
        ["kubectl", "annotate", "--local", "-f", "-", "a=b", "-o", "name"],
        input=text,
        capture_output=True,
        text=True,
        check=True,
    )
    assert len(told.stdout.splitlines()) == len(documents(APPS[path]))
