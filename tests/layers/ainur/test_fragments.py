"""The fleet's cloud-configs: which a machine gets, how they are merged, and what none may say."""

from pathlib import Path
from typing import Any

import pytest
from support.fleets import fleet_of

from iluvatar_pxe.errors import ConfigurationError, FleetError
from iluvatar_pxe.fleet.sealed import ARMOR
from iluvatar_pxe.gitops.repository.revision import parse_texts
from iluvatar_pxe.layers.ainur.fragment_check import check_fragments
from iluvatar_pxe.layers.ainur.fragments import Fragment, fragments_of, merged, sealed_files
from iluvatar_pxe.layers.ainur.schemas import cloud_config_schema
from iluvatar_pxe.machines.states import Role
from iluvatar_pxe.values import replace

SEALED = f"{ARMOR}\nx\n"
LAYER = "patches: [patches/layer.yaml]\nrolePatches: {agent: [patches/agent.yaml]}\n"
PI = ("ainur-01", "dc:a6:32:00:00:01", "layer: ainur\nrole: agent\npatches: [patches/one.yaml]\n")
TEXTS = {
    "patches/layer.yaml": "runcmd: [[a]]\nntp: {pools: [x]}\ntimezone: Europe/Berlin\n",
    "patches/agent.yaml": "#cloud-config\nruncmd:\n  - [b]\nntp: {servers: [s]}\n",
    "patches/one.yaml": "timezone: Etc/UTC\nruncmd: [c d]\n",
}


def merge(*texts: str, base: dict[str, Any] | None = None) -> dict[str, Any]:
    return merged(base or {}, [Fragment(f"patches/{number}.yaml", text) for number, text in enumerate(texts)])


def test_a_machine_gets_its_layer_s_its_role_s_and_its_own() -> None:
    fleet = fleet_of(PI, ainur=LAYER, **TEXTS)
    layer, file = fleet.k3s("ainur"), fleet.listed[0].file
    assert layer
    paths = {role: [one.path for one in fragments_of(layer, role, file, fleet)] for role in layer.roles}
    assert paths == {
        Role.AGENT: ["patches/layer.yaml", "patches/agent.yaml", "patches/one.yaml"],
        Role.SERVER: ["patches/layer.yaml", "patches/one.yaml"],
    }
    assert merged({"hostname": "x"}, fragments_of(layer, Role.AGENT, file, fleet)) == {
        "hostname": "x",
        "runcmd": [("a",), ("b",), "c d"],
        "ntp": {"pools": ("x",), "servers": ("s",)},
        "timezone": "Etc/UTC",
    }


def test_lists_are_appended_maps_merged_and_other_values_replaced() -> None:
    base = {"a": [1], "b": {"c": {"d": 1}, "e": [1]}, "f": 1, "g": [1]}
    assert merge("a: [2]\nb: {c: {x: 2}, e: [2]}\nf: 2\ng: 3\nh: 4\n", base=base) == {
        "a": [1, 2],
        "b": {"c": {"d": 1, "x": 2}, "e": [1, 2]},
        "f": 2,
        "g": 3,
        "h": 4,
    }
    assert base == {"a": [1], "b": {"c": {"d": 1}, "e": [1]}, "f": 1, "g": [1]}


@pytest.mark.parametrize(
    ("text", "value"),
    [("yes", True), ("off", False), ("0644", 420), ("'0644'", "0644"), ("2026-11-29", "2026-11-29"), ("=", "="), ("~", None)],
)  # fmt: skip
def test_values_mean_what_they_mean_to_cloud_init(text: str, value: object) -> None:
    assert merge(f"a: {text}\n") == {"a": value}


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("#!/bin/sh\nls\n", "0.yaml:1: is not supported by the daemon, which merges cloud-configs only; "),
        ("## template: jinja\n#cloud-config\na: 1\n", "0.yaml:1: is not supported"),
        ("Content-Type: multipart/mixed\n", "0.yaml:1: is not supported"),
        ("- a\n", "0.yaml:1: is no cloud-config; write 'key: value' lines below #cloud-config"),
        ("a: 1\n---\nb: 2\n", "0.yaml:3: a cloud-config is one document; write it into a file of its own"),
        ("a: [\n", "0.yaml:2: not valid YAML: "),
        (SEALED, "0.yaml: is sealed, but not to this host's key; run: iluvatar-pxe fleet recover --key FILE"),
    ],
)
def test_what_cannot_be_merged_is_named(text: str, fault: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        merge(text)
    assert str(caught.value).startswith(f"patches/{fault}")


def test_files_of_sealed_fragments_come_with_the_secrets() -> None:
    text = "write_files:\n- {path: /a, content: x, permissions: '0600'}\n- {path: /b}\n"
    fragments = [Fragment("patches/a.yaml", text, is_sealed=True), Fragment("patches/b.yaml", "a: 1\n")]
    found = sealed_files(fragments)
    assert [(path, file.text, file.mode) for path, file in found.items()] == [
        ("/a", "x", 0o600),
        ("/b", "", 0o644),
    ]
    assert merged({}, fragments) == {"a": 1}


def checked(text: str, **more: str) -> list[str]:
    """Return the faults of a layer's fragment."""
    fleet = fleet_of(ainur="patches: [patches/a.yaml]\n", **{"patches/a.yaml": text, **more})
    return check_fragments(fleet, cloud_config_schema)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "#cloud-config\npackages: [htop]\n",
        "write_files: [{path: /etc/rancher/k3s/config.yaml.d/60-mine.yaml, content: 'v: 1'}]\n",
        "runcmd: [[ls], ls]\nbootcmd: [x]\nmounts: [[tmpfs, /tmp, tmpfs]]\n",
        "rpi: {interfaces: {spi: true}}\nenable_ssh: true\n",
        "reporting: {mine: {type: log}}\nssh_pwauth: true\n",
        SEALED,
    ],
)
def test_what_cloud_init_takes_is_taken(text: str) -> None:
    assert checked(text) == []


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("#cloud-config\n\nruncmds: [a]\n", "3: runcmds: cloud-init has no such key; did you mean runcmd?"),
        ("packages: htop\n", "1: packages: cloud-init would not take it: 'htop' is not of type 'array'; correct it"),
        ("write_files:\n- path: /a\n  permissions: 0644\n", "3: write_files.1.permissions: cloud-init takes a text here; put it in"),
        ("write_files:\n- content: a\n", "2: write_files.1: cloud-init would not take it: 'path' is a required property"),
        ("hostname: a\n", "1: hostname: no fragment may say this: a machine has the name of its file"),
        ("users: [default]\n", "1: users: no fragment may say this: write 'users' in the layer's file"),
        ("chpasswd: {expire: false}\n", "1: chpasswd: no fragment may say this: write 'users'"),
        ("disk_setup: {/dev/sda: {overwrite: true}}\n", "1: disk_setup: no fragment may say this: the daemon lays out disks"),
        ("growpart: {mode: auto}\n", "1: growpart: no fragment may say this"),
        ("merge_how: list(append)\n", "1: merge_how: no fragment may say this"),
        ("cloud_final_modules: []\n", "1: cloud_final_modules: no fragment may say this"),
        ("reporting:\n  iluvatar: {type: log}\n", "2: reporting.iluvatar: no fragment may say this"),
        *(
            (f"write_files:\n- path: {path}\n", f"2: write_files.1.path: {why}")
            for path, why in (
                ("/etc/iluvatar/node.json", "no fragment may write this: the folder is the daemon's"),
                ("//var/./lib/rancher/k3s/server/tls/server-ca.key", "no fragment may write this: the folder"),
                ("/etc/../etc/hosts", "write a path from the root on, without '..'"),
                ("hosts", "write a path from the root on"),
                ("/etc/rancher/k3s/config.yaml", "no fragment may write this: write 'k3s.config' in the layer's file"),
                ("/etc/rancher/k3s/registries.yaml", "no fragment may write this: write 'registries' in fleet.yaml"),
                ("/etc/systemd/system/k3s.service", "no fragment may write this: the file is the daemon's; remove it"),
            )
        ),
        ("a: [\n", "2: not valid YAML"),
    ],
)  # fmt: skip
def test_what_no_fragment_may_say_is_refused_with_its_line(text: str, fault: str) -> None:
    found = checked(text)
    assert [line for line in found if line.startswith(f"patches/a.yaml:{fault}")], found


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("runcmd: [a]\n", "1: runcmd: a sealed fragment may only have write_files; "),
        ("write_files:\n- path: /a\n  owner: a:b\n", "3: write_files.1.owner: files of a sealed fragment have content, path"),
        ("write_files:\n- path: /a\n  permissions: u=rw\n", "3: write_files.1.permissions: write octal digits in quotes"),
        ("write_files: [{path: /a, content: x, permissions: '0600'}]\n", ""),
    ],
)  # fmt: skip
def test_a_sealed_fragment_that_was_opened_has_files_only(text: str, fault: str) -> None:
    fleet = fleet_of(ainur="patches: [patches/a.yaml]\n", **{"patches/a.yaml": SEALED})
    assert fleet.sealed == {"patches/a.yaml"}
    found = check_fragments(replace(fleet, texts={"patches/a.yaml": text}), cloud_config_schema)
    assert [line[: len(f"patches/a.yaml:{fault}")] for line in found] == (
        [f"patches/a.yaml:{fault}"] if fault else []
    )


def test_machines_and_roles_are_looked_at_and_other_layers_are_not() -> None:
    wrong = "a: 1\n"
    fleet = fleet_of(PI, ainur=LAYER, **dict.fromkeys(TEXTS, wrong))
    assert [line.partition(":")[0] for line in check_fragments(fleet, cloud_config_schema)] == sorted(TEXTS)
    talos = fleet_of(
        arda="kind: talos\ntalos: {version: v1.13.9}\npatches: [patches/a.yaml]\n",
        **{"patches/a.yaml": wrong},
    )
    assert check_fragments(talos, cloud_config_schema) == []


def test_a_push_is_refused_for_it() -> None:
    files = {
        "fleet.yaml": "",
        "layers/ainur.yaml": "kind: k3s\npatches: [patches/a.yaml]\n",
        "patches/a.yaml": "x: 1\n",
    }
    with pytest.raises(FleetError, match=r"patches/a\.yaml:1: x: cloud-init has no such key"):
        parse_texts(files, {})


def test_the_readme_s_example_is_taken() -> None:
    readme = Path(__file__).parents[3] / "boot_assets/fleet/patches/README.md"
    example = readme.read_text().partition("#cloud-config\n")[2].partition("```")[0]
    assert "write_files" in example
    assert checked(example) == []
