"""What a fleet wants to be downloaded, before any machine asks."""

import pytest
from support.fleets import ARDA, SCHEMATIC, fleet_of, talos

from iluvatar_pxe.boot.chains.talos import asset_names
from iluvatar_pxe.boot.wanted import wishes_of
from iluvatar_pxe.catalogue.model import parse_catalogue
from iluvatar_pxe.catalogue.resolve import downloads
from iluvatar_pxe.catalogue.wish import Wish
from iluvatar_pxe.fleet.models import Fleet, TalosLayer
from iluvatar_pxe.fleet.parse import parse_fleet
from iluvatar_pxe.fleet.source import is_read
from iluvatar_pxe.gitops.changes.starter import starter_files
from iluvatar_pxe.resources import read_catalogue

CATALOGUE = parse_catalogue(read_catalogue())
ARGO_CD = "manifests/argo-cd/v3.5.1/install.yaml"
ANY = "rules: [{layer: arda}]\n"
ARM = "rules: [{layer: arda, match: {arch: arm64}}]\n"
X86 = "rules: [{layer: arda, match: {arch: x86_64}}]\n"
ONE = "52:54:00:00:00:01"


def wanted(fleet: Fleet) -> list[str]:
    """Return the names of all files that a fleet wants, but for iPXE's."""
    got = downloads(CATALOGUE, fleet.settings.assets, fleet.lock, wishes_of(fleet))
    return [one.name for one in got if not one.name.startswith("ipxe/")]


def of(fleet: Fleet, entry: str) -> list[Wish]:
    return [wish for wish in wishes_of(fleet) if wish.entry == entry]


def test_every_fleet_wants_ipxe() -> None:
    assert [wish.entry for wish in wishes_of(parse_fleet({"fleet.yaml": ""}))] == ["ipxe"]


def test_what_a_talos_layer_wants_is_what_its_machines_boot() -> None:
    fleet = fleet_of(fleet=X86)
    layer = fleet.layers["arda"]
    assert isinstance(layer, TalosLayer)
    assert wanted(fleet) == [*asset_names(layer.talos, "amd64"), ARGO_CD]
    (wish,) = of(fleet, "talos")
    assert (wish.version, wish.schematic, wish.wanted_by) == ("v1.13.9", SCHEMATIC, "layers/arda.yaml")


def test_a_layer_whose_configurations_are_its_owners_wants_no_argo_cd() -> None:
    files = {f"configs/{role}.yaml": "machine: {}\n" for role in ("controlplane", "worker")}
    layer = f"{ARDA}config: {{controlplane: configs/controlplane.yaml, worker: configs/worker.yaml}}\n"
    assert ARGO_CD not in wanted(parse_fleet({"fleet.yaml": "", "layers/arda.yaml": layer, **files}))


@pytest.mark.parametrize(
    ("fleet", "seen", "expected"),
    [
        ("", None, ["amd64"]),
        (X86, None, ["amd64"]),
        (ARM, None, ["arm64"]),
        (ANY, None, ["amd64", "arm64"]),
        ("rules: [{layer: arda, match: {firmware: bios-pxe}}]\n", None, ["amd64", "arm64"]),
        ('rules: [{layer: arda, match: {arch: "*64", product: "X*"}}]\n', None, ["amd64", "arm64"]),
        ("rules: [{layer: arda, match: {arch: x86_64, firmware: raspberry-pi}}]\n", None, ["amd64"]),
        ("rules: [{intent: local, match: {arch: arm64}}]\n", None, ["amd64"]),
        ("", "arm64", ["arm64"]),
        (X86, "arm64", ["amd64", "arm64"]),
        (ARM, "x86_64", ["amd64", "arm64"]),
        (ARM, "", ["amd64", "arm64"]),
        (ARM, "sparc", ["amd64", "arm64"]),
    ],
)
def test_the_architectures_are_those_that_its_machines_may_have(
    fleet: str, seen: str | None, expected: list[str]
) -> None:
    name, mac, lines = talos("one", ONE)
    told = f"{lines}layer: arda\n" + (f"seen: {{arch: {seen}}}\n" if seen else "")
    machines = [] if seen is None else [(name, mac, told)]
    assert [wish.arch for wish in of(fleet_of(*machines, fleet=fleet), "talos")] == expected


def test_a_layer_of_pis_wants_its_image_and_firmware() -> None:
    names = wanted(fleet_of(fleet=X86, ainur="image: ubuntu-24.04.5\n"))
    assert names[-1].startswith("images/ubuntu-24.04.5-"), "it is the largest, so all else comes before"
    assert [name.rpartition("/")[2] for name in names[:5]] == [
        "bootcode.bin",
        "start.elf",
        "fixup.dat",
        "start4.elf",
        "fixup4.dat",
    ]


def test_an_image_that_was_copied_by_hand_is_not_wanted() -> None:
    fleet = fleet_of(("one", ONE, "layer: ainur\nimage: mine\n"), fleet=X86, ainur="image: ubuntu-24.04\n")
    assert not any(name.startswith("images/") for name in wanted(fleet))


def test_machines_and_rules_may_want_an_image_of_their_own() -> None:
    rules = "rules: [{layer: ainur, image: raspios-lite-2026-09-15}]\n"
    machine = ("one", ONE, "layer: ainur\nimage: ubuntu-26.04.1\n")
    fleet = fleet_of(machine, fleet=rules, ainur="image: ubuntu-26.04.1\n")
    got = downloads(CATALOGUE, fleet.settings.assets, fleet.lock, wishes_of(fleet))
    images = {one.folder: one.wanted_by for one in got if one.folder}
    assert images == {
        "raspberry-pi/ubuntu-26.04.1": ("layers/ainur.yaml", "machines/one.yaml"),
        "raspberry-pi/raspios-lite-2026-09-15": ("rule 1 of fleet.yaml",),
    }


def test_many_machines_with_the_same_image_are_one_wish() -> None:
    """A machine's file has the image of the rule that let it in, so all of a large fleet may say the same."""
    machines = [
        (f"ainur-{number:02}", f"52:54:00:00:01:{number:02x}", "layer: ainur\nimage: ubuntu-26.04.1\n")
        for number in range(1, 41)
    ]
    (wish,) = [wish for wish in wishes_of(fleet_of(*machines, ainur="")) if wish.image]
    assert wish.wanted_by == "machines/ainur-01.yaml and 39 more"


def test_k3s_is_wanted_by_layers_of_its_kind_in_the_version_that_they_name() -> None:
    assert not of(fleet_of(), "k3s")
    (wish,) = of(fleet_of(ainur=""), "k3s")
    assert (wish.version, wish.arch, wish.wanted_by) == ("v1.36.3+k3s1", "arm64", "layers/ainur.yaml")
    assert [wish.wanted_by for wish in of(fleet_of(ainur=""), "chart-argo-cd")] == ["layers/ainur.yaml"]
    assert not of(fleet_of(ainur='kernelArgs: ["ds=nocloud"]\n'), "chart-argo-cd")
    assert "k3s/v1.37.1+k3s1/k3s-arm64" in wanted(fleet_of(ainur="k3s: {version: v1.37.1+k3s1}\n"))


def test_what_the_fleet_names_itself_is_wanted_for_that() -> None:
    entry = "{files: [{name: memtest.efi, urls: [https://example.org/memtest.efi]}]}"
    fleet = fleet_of(
        fleet=f"assets: {{versions: {{argo-cd: v3.5.0, ipxe: 2.0.1}}, entries: {{memtest: {entry}}}}}\n"
    )
    assert [wish.wanted_by for wish in wishes_of(fleet) if wish.entry in {"argo-cd", "memtest"}] == [
        "layers/arda.yaml",
        "assets in fleet.yaml",
        "assets in fleet.yaml",
    ]
    assert {"memtest.efi", "manifests/argo-cd/v3.5.0/install.yaml"} <= set(wanted(fleet))
    assert len(of(fleet, "ipxe")) == 1


def test_an_image_of_the_fleets_own_is_wanted_by_its_name() -> None:
    entry = "{image: 'mine-{version}', files: [{name: 'mine/{version}', urls: ['https://e.org/{version}'], unpack: pi-image}]}"
    assets = f"assets: {{entries: {{mine: {entry}}}}}\n"
    assert "mine/7" not in wanted(fleet_of(fleet=assets, ainur=""))
    assert "mine/7" in wanted(fleet_of(fleet=assets, ainur="image: mine-7\n"))


def test_two_layers_want_the_same_files_once() -> None:
    fleet = parse_fleet({"fleet.yaml": "", "layers/arda.yaml": ARDA, "layers/valinor.yaml": ARDA})
    got = downloads(CATALOGUE, fleet.settings.assets, fleet.lock, wishes_of(fleet))
    assert [one.wanted_by for one in got[1:]] == [("layers/arda.yaml", "layers/valinor.yaml")] * 3


def test_the_starter_fleet_wants_all_that_its_machines_boot() -> None:
    files = {path: text.decode() for path, text in starter_files().items() if is_read(path)}
    fleet = parse_fleet(files)
    got = downloads(CATALOGUE, fleet.settings.assets, fleet.lock, wishes_of(fleet))
    layer = fleet.layers["arda"]
    assert isinstance(layer, TalosLayer)
    for asset in (
        *asset_names(layer.talos, "amd64"),
        "raspberry-pi/ubuntu-24.04.5/vmlinuz",
        "ipxe/snponly.efi",
    ):
        assert len([one for one in got if one.gives(asset)]) == 1
