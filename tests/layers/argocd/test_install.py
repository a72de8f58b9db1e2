"""Argo CD's manifest as a cluster gets it: every object in its place, once, and as small as can be."""

import json
import shutil
import subprocess
from typing import Any

import pytest
import yaml

from iluvatar_pxe.errors import ConfigurationError
from iluvatar_pxe.layers.argocd.following import Followed, following
from iluvatar_pxe.layers.argocd.install import installed_objects, manifest

URL = "https://git.lab.home.arpa:8443/git/fleet.git"
FOLLOWED = Followed(layer="west", url=URL, branch="main", token="ilu_secret", authority="-----BEGIN…\n")
RELEASE = """\
apiVersion: v1
kind: ServiceAccount
metadata: {name: argocd-server}
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: appprojects.argoproj.io, annotations: {created: 2026-01-01}}
spec:
  versions:
  - schema:
      openAPIV3Schema:
        description: AppProject is a group of Applications
        properties:
          description: {description: Description of the project, maxLength: 255, type: string}
          spec: {type: object, default: {description: kept}}
        required: [description]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: argocd-server}
subjects: [{kind: ServiceAccount, name: argocd-server, namespace: argocd}]
---
apiVersion: v1
kind: ConfigMap
metadata: {name: argocd-cm, labels: {app.kubernetes.io/part-of: argocd}}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: argocd-tls-certs-cm, labels: {app.kubernetes.io/part-of: argocd}}
---
"""
"""Of every sort that a release's manifest has, one."""


def made(followed: Followed = FOLLOWED) -> list[dict[str, Any]]:
    lines = manifest(installed_objects(RELEASE), following(followed)).split("---\n")
    assert lines[0] == ""
    assert all(line.count("\n") == 1 for line in lines[1:]), "each is one line"
    return [json.loads(line) for line in lines[1:]]


def one(kind: str, name: str) -> dict[str, Any]:
    (found,) = (each for each in made() if (each["kind"], each["metadata"]["name"]) == (kind, name))
    return found


def test_namespaces_come_first_then_definitions_then_the_rest() -> None:
    assert [each["kind"] for each in made()] == [
        *("Namespace", "CustomResourceDefinition", "ServiceAccount", "ClusterRoleBinding"),
        *("ConfigMap", "ConfigMap", "Secret", "AppProject", "Application"),
    ]


def test_everything_that_is_in_a_namespace_is_in_that_of_argo_cd() -> None:
    wide = {"Namespace", "CustomResourceDefinition", "ClusterRoleBinding"}
    assert all((each["metadata"].get("namespace") == "argocd") != (each["kind"] in wide) for each in made())


def test_definitions_lose_their_descriptions_and_nothing_else() -> None:
    definition = one("CustomResourceDefinition", "appprojects.argoproj.io")
    assert definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"] == {
        "properties": {
            "description": {"maxLength": 255, "type": "string"},
            "spec": {"type": "object", "default": {"description": "kept"}},
        },
        "required": ["description"],
    }
    assert definition["metadata"]["annotations"] == {"created": "2026-01-01"}


def test_talos_creates_each_once_so_ours_take_the_place_of_the_empty_ones() -> None:
    names = [(each["kind"], each["metadata"]["name"]) for each in made()]
    assert len(names) == len(set(names))
    authority = one("ConfigMap", "argocd-tls-certs-cm")
    assert authority["data"] == {"git.lab.home.arpa": FOLLOWED.authority}, "by name, without the port"
    assert authority["metadata"]["labels"]["app.kubernetes.io/part-of"] == "argocd"
    assert "hs.status = obj.status.health.status" in next(
        iter(one("ConfigMap", "argocd-cm")["data"].values())
    )


def test_the_app_of_apps_reads_its_folder_and_installs_applications_alone() -> None:
    app, project = one("Application", "west"), one("AppProject", "fleet")
    assert app["spec"]["source"] == {"repoURL": URL, "targetRevision": "main", "path": "apps/west"}
    assert "finalizers" not in app["metadata"], "removing it would remove all volumes"
    assert app["spec"]["project"] == project["metadata"]["name"]
    assert project["spec"]["sourceRepos"] == [URL]
    assert [kind["kind"] for kind in project["spec"]["namespaceResourceWhitelist"]] == [
        "Application",
        "ApplicationSet",
    ]
    assert project["spec"]["destinations"] == [app["spec"]["destination"]]


def test_what_is_not_known_is_left_out() -> None:
    bare = Followed(layer="west", url="https://forge.example/me/fleet.git", branch="main")
    kinds = [(each["kind"], each["metadata"]["name"]) for each in made(bare)]
    assert ("Secret", "iluvatar-fleet") not in kinds
    assert ("ConfigMap", "argocd-tls-certs-cm") in kinds, "the release's own"


def test_a_token_is_in_no_text_for_people() -> None:
    assert "ilu_secret" not in repr(FOLLOWED)


@pytest.mark.parametrize(
    "text", ["", "a: [", "x\n", "kind: Pod\n", "{apiVersion: v1, kind: [], metadata: {name: a}}"]
)
def test_what_is_no_manifest_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match=r"^Argo CD's manifest "):
        installed_objects(text)


@pytest.mark.skipif(not shutil.which("kubectl"), reason="kubectl is not installed")
def test_kubectl_reads_all_of_it() -> None:
    text = manifest(installed_objects(RELEASE), following(FOLLOWED))
    command = ["kubectl", "annotate", "--local", "-f", "-", "a=b", "-o", "name"]
    told = subprocess.run(command, input=text, capture_output=True, text=True, check=True)
    assert len(told.stdout.splitlines()) == len(list(yaml.safe_load_all(text)))
