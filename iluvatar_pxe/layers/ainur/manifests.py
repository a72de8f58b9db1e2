"""The files that have k3s install Argo CD, in the directory from which it applies manifests by itself. Pure."""

from collections.abc import Mapping

from iluvatar_pxe.layers.ainur.node import InstalledArgoCd
from iluvatar_pxe.layers.ainur.node_file import NodeFile
from iluvatar_pxe.layers.argocd.chart import helm_chart
from iluvatar_pxe.layers.argocd.following import repository
from iluvatar_pxe.layers.argocd.objects import stream

MANIFESTS = "/var/lib/rancher/k3s/server/manifests"
CHARTS = "/var/lib/rancher/k3s/server/static/charts"
"""What is there, every server gives to anyone as ``/static/charts``."""
CHART = f"{CHARTS}/argo-cd.tgz"
_URL = "https://%{KUBERNETES_API}%/static/charts/argo-cd.tgz"
"""As k3s' helm-controller writes the address of the API, behind which is any server: all of them have the chart."""


def manifests_of(argo_cd: InstalledArgoCd) -> Mapping[str, NodeFile]:
    """Return Argo CD's files by path.

    They are two: k3s tries a file again as a whole, and the kinds of the second only exist once the first is installed.
    """
    found = {
        "iluvatar-argo-cd.yaml": stream([helm_chart(argo_cd.followed, _URL)], indent=1),
        "iluvatar-fleet.yaml": stream(repository(argo_cd.followed), indent=1),
    }
    return {f"{MANIFESTS}/{name}": NodeFile(text) for name, text in found.items()}
