from pathlib import Path

from iluvatar_pxe.assets.store import list_assets
from iluvatar_pxe.boot.chains.raspberry_pi import FOLDER
from iluvatar_pxe.boot.chains.talos import asset_names
from iluvatar_pxe.gitops.directory import read_fleet
from iluvatar_pxe.lab.system.kernel import StandIn
from iluvatar_pxe.lab.system.stand_ins import IMAGE, add_raspberry_pi, add_talos, talos_of, write_fleet
from iluvatar_pxe.machines.states import Role


def test_the_fleet_has_a_place_and_a_config_for_every_kind_of_machine(tmp_path: Path) -> None:
    write_fleet(tmp_path / "new" / "fleet", countdown=2)
    fleet = read_fleet(tmp_path / "new" / "fleet")
    assert fleet.settings.enrolment.countdown == 2
    arda = fleet.talos("arda")
    assert arda
    assert set(arda.config) == {Role.CONTROLPLANE, Role.WORKER}
    ainur = fleet.k3s("ainur")
    assert ainur
    assert ainur.image == IMAGE
    assert {rule.layer for rule in fleet.settings.rules} == {"arda", "ainur"}


def test_the_daemon_makes_configurations_once_the_lines_that_the_document_names_are_removed(
    tmp_path: Path,
) -> None:
    write_fleet(tmp_path / "fleet")
    layer = tmp_path / "fleet" / "layers" / "arda.yaml"
    lines = (
        (Path(__file__).parents[2] / "docs" / "lab.md")
        .read_text()
        .partition("```yaml\n")[2]
        .partition("```")[0]
    )
    text = layer.read_text()
    assert text.endswith(lines)
    layer.write_text(text.removesuffix(lines))
    assert read_fleet(tmp_path / "fleet").makes_configurations("arda")


def test_stand_ins_have_the_names_that_the_fleet_asks_for(tmp_path: Path) -> None:
    write_fleet(tmp_path / "fleet")
    (tmp_path / "kernel").write_bytes(b"kernel")
    (tmp_path / "initramfs").write_bytes(b"initramfs")
    (talos,), assets = talos_of(tmp_path / "fleet"), tmp_path / "assets"
    add_talos(assets, talos, StandIn("arm64", tmp_path / "kernel", tmp_path / "initramfs"))
    add_raspberry_pi(assets)
    ready = list_assets(assets, tmp_path / "none").names
    assert ready >= {
        *asset_names(talos, "arm64"),
        *(f"{FOLDER}/{IMAGE}/{name}" for name in ("start4.elf", "vmlinuz")),
    }
    assert (assets / FOLDER / IMAGE / "start4.elf").read_bytes().startswith(b"stand-in for start4.elf")


def test_a_fleet_may_be_without_talos_or_run_several(tmp_path: Path) -> None:
    layers = tmp_path / "layers"
    layers.mkdir()
    (tmp_path / "fleet.yaml").write_text("domain: lab.home.arpa\n")
    (layers / "ainur.yaml").write_text("kind: k3s\n")
    assert talos_of(tmp_path) == ()
    for name, version in (("arda", "v1.13.9"), ("valinor", "v1.14.0"), ("aman", "v1.13.9")):
        text = f"kind: talos\ntalos: {{version: {version}, schematic: x}}\n"
        (layers / f"{name}.yaml").write_text(text)
    assert [talos.version for talos in talos_of(tmp_path)] == ["v1.13.9", "v1.14.0"]
