"""What Argo CD needs to follow the fleet's repository; see Argo CD's "Declarative Setup"."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from iluvatar_pxe.layers.argocd.objects import Object, config_map, of_kind

PROJECT = "fleet"
"""The project of the Applications that read a layer's folder: it installs Applications, and nothing else."""
_HERE = "https://kubernetes.default.svc"


@dataclass(frozen=True, slots=True, kw_only=True)
class Followed:
    """A repository, and what Argo CD in a layer's cluster needs to read it."""

    layer: str
    url: str
    branch: str
    token: str = field(default="", repr=False)
    """A token that may read it; empty where the daemon has none to give."""
    authority: str = ""
    """The CA of its server in PEM; empty where any client trusts that."""

    @property
    def path(self) -> str:
        """The folder that is followed."""
        return f"apps/{self.layer}"

    @property
    def authorities(self) -> Mapping[str, str]:
        """The data of ``argocd-tls-certs-cm``: by the name of a server, without the port, its CA."""
        return {urlsplit(self.url).hostname or "": self.authority} if self.authority else {}


def following(followed: Followed) -> Iterator[Object]:
    """Yield the CA of the repository's server, if it is known, and what ``repository`` does."""
    if followed.authorities:
        yield config_map("argocd-tls-certs-cm", followed.authorities)
    yield from repository(followed)


def repository(followed: Followed) -> Iterator[Object]:
    """Yield the repository's Secret, if a token is known, a project, and the app of apps."""
    if followed.token:
        yield _secret(followed)
    yield _project(followed)
    yield _application(followed)


def _secret(followed: Followed) -> Object:
    user = f"argocd-{followed.layer}"
    data = {"type": "git", "url": followed.url, "username": user, "password": followed.token}
    found = of_kind("v1", "Secret", "iluvatar-fleet", stringData=data)
    found["metadata"]["labels"] = {"argocd.argoproj.io/secret-type": "repository"}
    return found


def _project(followed: Followed) -> Object:
    """Return a project that reads this repository alone, and installs only Applications in Argo CD's namespace."""
    kinds = [{"group": "argoproj.io", "kind": kind} for kind in ("Application", "ApplicationSet")]
    spec = {
        "sourceRepos": [followed.url],
        "destinations": [{"server": _HERE, "namespace": "argocd"}],
        "clusterResourceWhitelist": [],
        "namespaceResourceWhitelist": kinds,
    }
    return of_kind("argoproj.io/v1alpha1", "AppProject", PROJECT, spec=spec)


def _application(followed: Followed) -> Object:
    """Return the app of apps. It has no finalizer: when it is removed, what it has installed stays."""
    spec = {
        "project": PROJECT,
        "source": {"repoURL": followed.url, "targetRevision": followed.branch, "path": followed.path},
        "destination": {"server": _HERE, "namespace": "argocd"},
        "syncPolicy": {"automated": {"prune": True, "selfHeal": True}},
    }
    return of_kind("argoproj.io/v1alpha1", "Application", followed.layer, spec=spec)
