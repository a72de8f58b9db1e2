"""Registries of this network for container images: what may be written, and what Talos and k3s make of it."""

from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator
from support.fleets import fleet_of

from iluvatar_pxe.errors import FleetError
from iluvatar_pxe.fleet.registries import Registries, k3s_registries, talos_documents

WRITTEN = """
registries:
  mirrors:
    docker.io: ["https://registry.lab.home.arpa:5000", "http://[fd00::2]:5000"]
    registry.lab.home.arpa:5000: [http://10.0.0.2]
    "*": ["http://192.168.1.2:5000"]
"""
DECLARED = fleet_of(fleet=WRITTEN).settings.registries

OF_TALOS: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["apiVersion", "kind", "name"],
    "properties": {
        "apiVersion": {"enum": ["v1alpha1"]},
        "kind": {"enum": ["RegistryMirrorConfig"]},
        "name": {"type": "string"},
        "skipFallback": {"type": "boolean"},
        "endpoints": {
            "type": "array",
            "items": {
                "type": "object",
                "additionalProperties": False,
                "required": ["url"],
                "properties": {
                    "url": {"type": "string", "pattern": "^(http|https)://"},
                    "overridePath": {"type": "boolean"},
                },
            },
        },
    },
}
"""Talos' own JSON Schema of the document, the same in v1.13.9 and v1.14.0-rc.1 (siderolabs/talos, pkg/machinery/config/schemas)."""


def test_talos_gets_a_document_for_each_registry() -> None:
    documents = list(yaml.safe_load_all(talos_documents(DECLARED)))
    for document in documents:
        Draft202012Validator(OF_TALOS).validate(document)
    assert [(one["name"], [url["url"] for url in one["endpoints"]]) for one in documents] == [
        (name, list(urls)) for name, urls in DECLARED.mirrors.items()
    ]


def test_they_are_appended_to_a_machine_configuration() -> None:
    first, *others = yaml.safe_load_all("machine: {type: worker}\n" + talos_documents(DECLARED))
    assert first == {"machine": {"type": "worker"}}
    assert len(others) == 3


def test_k3s_gets_one_file() -> None:
    assert yaml.safe_load(k3s_registries(DECLARED)) == {
        "mirrors": {name: {"endpoint": list(urls)} for name, urls in DECLARED.mirrors.items()}
    }


def test_without_a_mirror_there_is_nothing() -> None:
    assert talos_documents(Registries()) == k3s_registries(Registries()) == ""


@pytest.mark.parametrize(
    ("line", "remedy"),
    [
        ("docker.io: []", "at least 1 item"),
        ("docker.io/library: [https://a.example]", "write a registry as image names begin with it"),
        ("https://docker.io: [https://a.example]", "write a registry as image names begin with it"),
        ("docker.io: [a.example]", "write the address of a registry without a path"),
        ("docker.io: [https://a.example/]", "write the address of a registry without a path"),
        ("docker.io: [https://a.example/v2/hub]", "write the address of a registry without a path"),
        ("docker.io: [https://user:word@a.example]", "write the address of a registry without a path"),
        ("docker.io: ['ftp://a.example']", "write the address of a registry without a path"),
    ],
)
def test_a_mistake_is_named(line: str, remedy: str) -> None:
    with pytest.raises(FleetError, match=r"fleet\.yaml:") as caught:
        fleet_of(fleet=f"registries:\n  mirrors:\n    {line}\n")
    assert remedy in str(caught.value)
    assert "word" not in str(caught.value) or "user" not in line
