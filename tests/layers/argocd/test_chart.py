"""Argo CD's chart as k3s installs it."""

import json
from typing import Any

from iluvatar_pxe.layers.argocd.chart import helm_chart
from iluvatar_pxe.layers.argocd.following import Followed

URL = "https://git.lab.home.arpa:8443/git/fleet.git"
FOLLOWED = Followed(layer="west", url=URL, branch="main", token="ilu_secret", authority="-----BEGIN…\n")
CHART = "https://%{KUBERNETES_API}%/static/charts/argo-cd.tgz"
VALUES = {
    *("crds.keep", "dex.enabled", "notifications.enabled", "applicationSet.replicas", "configs.cm"),
    "configs.tls.certificates",
}
"""Values that the chart has, by argo-helm's charts/argo-cd/values.yaml."""


def values(followed: Followed) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(helm_chart(followed, CHART)["spec"]["valuesContent"])
    return found


def test_a_failed_upgrade_is_left_to_a_person_and_removes_nothing() -> None:
    chart = helm_chart(FOLLOWED, CHART)
    assert (chart["apiVersion"], chart["kind"]) == ("helm.cattle.io/v1", "HelmChart")
    assert chart["metadata"] == {"name": "argocd", "namespace": "kube-system"}
    spec = chart["spec"]
    assert (spec["chart"], spec["targetNamespace"], spec["failurePolicy"]) == (CHART, "argocd", "abort")
    assert spec["forceConflicts"] is True


def test_values_are_those_that_the_chart_has() -> None:
    found = values(FOLLOWED)
    places = {f"{key}.{part}" for key in found.keys() - {"configs"} for part in found[key]}
    assert places | {"configs.cm", "configs.tls.certificates"} == VALUES
    assert found["configs"].keys() == {"cm", "tls"}


def test_waves_wait_for_the_health_of_applications() -> None:
    (check,) = values(FOLLOWED)["configs"]["cm"].items()
    assert check[0] == "resource.customizations.health.argoproj.io_Application"
    assert "hs.status = obj.status.health.status" in check[1]


def test_the_authority_is_known_by_the_servers_name_without_its_port() -> None:
    assert values(FOLLOWED)["configs"]["tls"]["certificates"] == {"git.lab.home.arpa": FOLLOWED.authority}
    forge = Followed(layer="west", url="https://forge.example/me/fleet.git", branch="main")
    assert values(forge)["configs"]["tls"]["certificates"] == {}


def test_the_token_is_no_value_of_the_chart() -> None:
    assert "ilu_secret" not in json.dumps(helm_chart(FOLLOWED, CHART))
