"""What the documentation shows of a fleet is a fleet."""

import re
from pathlib import Path

import pytest
from support.fleets import CONFIGURED

from iluvatar_pxe.catalogue.lock import AssetsLock
from iluvatar_pxe.catalogue.model import AssetsPart, Entry, File, Sums
from iluvatar_pxe.declared.base import Model
from iluvatar_pxe.fleet.dns import DnsRecords, Srv
from iluvatar_pxe.fleet.k3s import K3s, Oidc
from iluvatar_pxe.fleet.layers import K3sLayer, TalosLayer
from iluvatar_pxe.fleet.models import Boot, Enrolment, FleetFile, MachineFile, Menu, MenuEntry, Rule, Traits
from iluvatar_pxe.fleet.parse import parse_fleet
from iluvatar_pxe.fleet.registries import Registries
from iluvatar_pxe.fleet.root import Data, Root
from iluvatar_pxe.fleet.source import is_declaration
from iluvatar_pxe.fleet.users import User
from iluvatar_pxe.layers.ainur.fragment_check import check_fragments
from iluvatar_pxe.layers.ainur.schemas import cloud_config_schema
from iluvatar_pxe.layers.arda.patch_check import check_patches
from iluvatar_pxe.layers.arda.schemas import schema_of

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "fleet.md").read_text(encoding="utf-8")
README = (ROOT / "boot_assets" / "fleet" / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```yaml\n# (\S+)\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL)
EXAMPLES = [(path, text) for path, text in BLOCKS if is_declaration(path)]
PATCHES = {path: text for path, text in BLOCKS if not is_declaration(path)}
PATCHES_README = (ROOT / "boot_assets" / "fleet" / "patches" / "README.md").read_text(encoding="utf-8")


ASSETS = (ROOT / "docs" / "assets.md").read_text(encoding="utf-8")
SHOWN = re.findall(r"^```yaml\n# (\S+)\n(.*?)^```$", ASSETS, re.MULTILINE | re.DOTALL)


def files_named_in(text: str) -> dict[str, str]:
    return dict.fromkeys(re.findall(r"(?:configs|scripts|secrets)/[\w.-]+", text), "#!ipxe\n")


@pytest.mark.parametrize(("path", "text"), EXAMPLES, ids=[path for path, _ in EXAMPLES])
def test_an_example_is_valid(path: str, text: str) -> None:
    named = files_named_in(text + CONFIGURED)
    fleet = parse_fleet(
        {
            "fleet.yaml": "",
            "layers/arda.yaml": CONFIGURED,
            "layers/ainur.yaml": "kind: k3s\n",
            **named,
            path: text,
        }
    )
    assert set(fleet.texts) == set(named)


def test_every_example_is_tested() -> None:
    assert len(EXAMPLES) + len(PATCHES) == GUIDE.count("```") / 2 == 8


@pytest.mark.parametrize(
    ("version", "text"),
    [
        ("v1.13.9", PATCHES["patches/arda.yaml"]),
        ("v1.14.1", PATCHES["patches/valinor.yaml"]),
        ("v1.13.9", PATCHES_README.partition("```yaml\n")[2].partition("```")[0]),
    ],
)
def test_a_patch_that_is_shown_is_one_that_talos_takes(version: str, text: str) -> None:
    layer = f"kind: talos\ntalos: {{version: {version}}}\npatches: [patches/a.yaml]\n"
    fleet = parse_fleet({"fleet.yaml": "", "layers/arda.yaml": layer, "patches/a.yaml": text})
    assert "extraArgs" in text
    assert check_patches(fleet, schema_of) == []


def test_a_cloud_config_that_is_shown_is_one_that_cloud_init_takes() -> None:
    layer = "kind: k3s\npatches: [patches/ainur.yaml]\n"
    text = PATCHES["patches/ainur.yaml"]
    fleet = parse_fleet({"fleet.yaml": "", "layers/ainur.yaml": layer, "patches/ainur.yaml": text})
    assert "write_files" in text
    assert check_fragments(fleet, cloud_config_schema) == []


def test_all_examples_are_one_fleet() -> None:
    named = files_named_in(" ".join(text for _, text in EXAMPLES))
    assert parse_fleet({**dict(EXAMPLES), **named}).names == {"arda-01", "nas"}


def test_the_starter_fleets_machine_is_valid() -> None:
    lines = "".join(line[4:] + "\n" for line in README.splitlines() if line.startswith("    "))
    path = re.findall(r"`(machines/[a-z0-9-]+\.yaml)`", README)[0]
    configs = dict.fromkeys(re.findall(r"configs/[\w.-]+", lines + CONFIGURED), "machine: {}\n")
    files = {"fleet.yaml": "", "layers/arda.yaml": CONFIGURED, **configs}
    assert parse_fleet({**files, path: lines}).names == {"arda-01"}
    assert parse_fleet({**files, path: lines.replace("# intent", "intent")}).listed[0].file.intent


@pytest.mark.parametrize(
    "model",
    [
        Boot,
        MachineFile,
        Rule,
        Traits,
        Enrolment,
        Menu,
        Registries,
        MenuEntry,
        FleetFile,
        DnsRecords,
        Srv,
        TalosLayer,
        K3sLayer,
        K3s,
        Oidc,
        Root,
        Data,
        User,
    ],
)
def test_every_key_is_documented(model: type[FleetFile]) -> None:
    keys = {info.alias for info in model.model_fields.values()}
    assert {key for key in keys if f"`{key}`" not in GUIDE} == set()


def test_what_is_shown_of_boot_files_is_one_fleet() -> None:
    assert len(SHOWN) == ASSETS.count("```yaml") == 3
    image, *together = SHOWN
    assert parse_fleet(dict([image])).settings.assets.entries["mine"].image == "mine-{version}"
    fleet = parse_fleet(dict(together))
    assert set(fleet.settings.assets.versions) == {"metallb", "chart-argo-cd"}
    assert set(fleet.lock.files) == {"memtest/7.20/memtest.efi"}


@pytest.mark.parametrize("model", [AssetsPart, Entry, File, Sums, AssetsLock])
def test_every_key_of_boot_files_is_documented(model: type[Model]) -> None:
    keys = {info.alias for info in model.model_fields.values()}
    assert {key for key in keys if f"`{key}`" not in ASSETS} == set()
