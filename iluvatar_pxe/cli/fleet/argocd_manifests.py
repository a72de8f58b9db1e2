"""What Argo CD needs to follow a repository, as Kubernetes manifests; see Argo CD's "Declarative Setup"."""

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit


def argocd_manifests(layer: str, url: str, branch: str, token: str, authority: str) -> Iterator[str]:
    """Give the lines of a YAML stream: the repository's Secret, the CA (where it is ours), and the app of apps."""
    documents = [_secret(layer, url, token), _application(layer, url, branch)]
    if authority:
        documents.insert(1, _authority(url, authority))
    for document in documents:
        yield "---"
        yield from json.dumps(document, indent=2).splitlines()  # which is YAML


def _secret(layer: str, url: str, token: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": "iluvatar-fleet",
            "namespace": "argocd",
            "labels": {"argocd.argoproj.io/secret-type": "repository"},
        },
        "stringData": {"type": "git", "url": url, "username": f"argocd-{layer}", "password": token},
    }


def _authority(url: str, authority: str) -> dict[str, Any]:
    """By the server's name, without its port, the CA that Argo CD believes there."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": "argocd-tls-certs-cm",
            "namespace": "argocd",
            "labels": {
                "app.kubernetes.io/name": "argocd-tls-certs-cm",
                "app.kubernetes.io/part-of": "argocd",
            },
        },
        "data": {urlsplit(url).hostname: authority},
    }


def _application(layer: str, url: str, branch: str) -> dict[str, Any]:
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": {"name": layer, "namespace": "argocd"},
        "spec": {
            "project": "default",
            "source": {"repoURL": url, "targetRevision": branch, "path": f"apps/{layer}"},
            "destination": {"server": "https://kubernetes.default.svc", "namespace": "argocd"},
            "syncPolicy": {"automated": {"prune": True, "selfHeal": True}},
        },
    }
