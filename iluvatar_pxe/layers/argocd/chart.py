"""Argo CD's Helm chart as k3s installs it (``HelmChart`` of k3s' helm-controller). Pure.

The chart in place of the release's manifest: one definition is larger than client-side apply takes, and k3s applies a
manifest in that way, while Helm does not.
"""

import json
from typing import Any

from iluvatar_pxe.layers.argocd.following import Followed
from iluvatar_pxe.layers.argocd.health import HEALTH
from iluvatar_pxe.layers.argocd.objects import NAMESPACE, Object

_NAME = "argocd"
"""Of the release, by which the chart names its objects."""


def helm_chart(followed: Followed, chart: str) -> Object:
    """Return what has k3s install the chart at a URL, and reinstall nothing: that would remove all Applications."""
    spec = {
        "chart": chart,
        "targetNamespace": NAMESPACE,
        "createNamespace": True,
        "failurePolicy": "abort",
        # Helm applies server-side, and takes over what another has written.
        "forceConflicts": True,
        # Hooks of the chart wait for its image, which may take long to download.
        "timeout": "30m0s",
        "valuesContent": json.dumps(_values(followed), ensure_ascii=False, indent=1),
    }
    # k3s' controller reads charts in this namespace.
    metadata = {"name": _NAME, "namespace": "kube-system"}
    return {"apiVersion": "helm.cattle.io/v1", "kind": "HelmChart", "metadata": metadata, "spec": spec}


def _values(followed: Followed) -> dict[str, Any]:
    """Return the chart's values: its ConfigMaps are Helm's, so what we add to them comes by these."""
    return {
        "crds": {"keep": True},
        "dex": {"enabled": False},
        "notifications": {"enabled": False},
        "applicationSet": {"replicas": 1},
        "configs": {"cm": dict(HEALTH), "tls": {"certificates": dict(followed.authorities)}},
    }
