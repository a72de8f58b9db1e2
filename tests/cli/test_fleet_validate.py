"""``iluvatar-pxe fleet validate`` as a process: what it says of good and of broken fleets."""

import os
import shutil
from pathlib import Path

import pytest
from support.daemon import write_settings
from support.factory import SyntheticFactory, talos_from
from support.warm import run_warm

from iluvatar_pxe.resources import data_directory

STARTER = data_directory("boot_assets") / "fleet"
FOR_LONGHORN = "613e1592b2da41ae5e265e8789429f22e121aab91cb4deb6bc3c0b6262961245"
"""The schematic of Talos' own documents, with the extensions that Longhorn needs."""
MACHINE = "match: {macs: [52:54:00:77:00:01]}\nchain: local\n"


def validate(*arguments: str, **environment: str) -> tuple[int, list[str], list[str]]:
    """Return exit status, and the lines of output and errors."""
    ended = run_warm("fleet", "validate", *arguments, **environment)
    assert "Traceback" not in ended.error
    return ended.status, ended.output.splitlines(), ended.error.splitlines()


def fleet_in(directory: Path, **files: str) -> Path:
    for name, text in {"fleet.yaml": "", **files}.items():
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_text(text)
    return directory


def test_the_starter_fleet_is_valid(tmp_path: Path) -> None:
    fleet = tmp_path / "fleet"
    shutil.copytree(STARTER, fleet)
    with SyntheticFactory() as factory, (fleet / "fleet.yaml").open("a") as settings:
        settings.write(talos_from(factory.address))
        settings.flush()
        expected = f"{fleet}: valid: 0 machines, 2 rules, layers ainur and arda"
        image = f"arda: installer image 127.0.0.1:{factory.port}/metal-installer/{FOR_LONGHORN}:v1.13.9"
        assert validate(str(fleet)) == (0, [expected, image], [])


def test_an_empty_fleet_is_valid(tmp_path: Path) -> None:
    fleet = fleet_in(tmp_path, **{"machines/one.yaml": MACHINE})
    assert validate(str(fleet)) == (0, [f"{fleet}: valid: 1 machine, 0 rules, no layers"], [])


def test_secrets_in_clear_are_warned_of(tmp_path: Path) -> None:
    fleet = fleet_in(tmp_path, **{"configs/a.yaml": "password: s3cret\n"})
    told = f"warning: {fleet}/configs/a.yaml:1: holds password in clear; encrypt it: iluvatar-pxe fleet seal configs/a.yaml"
    assert validate(str(fleet)) == (0, [f"{fleet}: valid: 0 machines, 0 rules, no layers"], [told])


def test_every_fault_is_a_line(tmp_path: Path) -> None:
    fleet = fleet_in(
        tmp_path,
        **{
            "fleet.yaml": "unlisted: {arm64: hold}\nrules:\n  - layer: ainur\n  - {name: x}\n",
            "layers/arda.yaml": "kind: talos\ntalos: {version: v1.13.9, schematic: x}\ncontrolPlanes: 2\n",
            "machines/one.yaml": f"{MACHINE}role: boss\n",
            "machines/two.yaml": MACHINE,
        },
    )
    again = "52:54:00:77:00:01 is already listed in machines/one.yaml; remove it from one of them"
    assert validate(str(fleet)) == (
        1,
        [],
        [
            f"{fleet}/fleet.yaml:1: unlisted: no such key; remove it or correct its name",
            f"{fleet}/fleet.yaml:3: layer ainur needs layers/ainur.yaml; create it; the fleet has arda",
            f"{fleet}/fleet.yaml:4: rule 2 is never reached, because rule 1 matches every machine; move it up",
            f"{fleet}/fleet.yaml:4: rules.2: a rule needs either 'layer' or 'intent', not both",
            f"{fleet}/layers/arda.yaml:3: controlPlanes: must be 1, 3 or 5 (got 2); write one of these",
            f"{fleet}/machines/one.yaml:3: role: input should be 'controlplane', 'worker', 'server' or 'agent'",
            f"{fleet}/machines/two.yaml:1: {again}",
        ],
    )


def test_the_names_of_extensions_are_checked_where_the_factory_answers(tmp_path: Path) -> None:
    with SyntheticFactory() as factory:
        layer = "kind: talos\ntalos: {version: v1.13.9, extensions: [iscsi-tools]}\n"
        fleet = fleet_in(tmp_path, **{"fleet.yaml": talos_from(factory.address), "layers/arda.yaml": layer})
        schematic = "c9078f9419961640c712a8bf2bb9174933dfcf1da383fd8ea2b7dc21493f8bac"
        valid = [
            f"{fleet}: valid: 0 machines, 0 rules, layers arda",
            f"arda: installer image 127.0.0.1:{factory.port}/metal-installer/{schematic}:v1.13.9",
        ]
        assert validate(str(fleet)) == (0, valid, [])
        factory.extensions = ("siderolabs/iscsi-tooling",)
        assert validate(str(fleet)) == (
            1,
            [],
            [
                f"{fleet}/layers/arda.yaml: talos.extensions: siderolabs/iscsi-tools is no extension for Talos v1.13.9; did you mean siderolabs/iscsi-tooling?"
            ],
        )
    status, output, (warning,) = validate(str(fleet))
    assert (status, output) == (0, valid)
    assert warning.startswith(
        f"warning: the names of extensions and overlays were not checked: {factory.address}: "
    )


@pytest.mark.parametrize("name", ["nowhere", "file", "a\nb", "x" * 300])
def test_what_is_no_directory(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").touch()
    status, output, errors = validate(str(tmp_path / name))
    assert (status, output, len(errors)) == (1, [], 1)
    assert errors[0].endswith("[fleet] source")


def test_the_settings_name_the_fleet(tmp_path: Path) -> None:
    fleet = fleet_in(tmp_path / "ours")
    write_settings(tmp_path / "config.toml", {"fleet": {"source": str(fleet)}})
    summary = f"{fleet}: valid: 0 machines, 0 rules, no layers"
    assert validate("--config", str(tmp_path / "config.toml")) == (0, [summary], [])
    # Without a state directory of its own the command would be about the daemon that runs here, if one does.
    ours = {"ILUVATAR_PXE_STATE__DIRECTORY": str(tmp_path), "ILUVATAR_PXE_FLEET__SOURCE": str(fleet)}
    assert validate(**ours) == (0, [summary], [])


def test_a_name_that_is_no_text(tmp_path: Path) -> None:
    fleet = fleet_in(tmp_path / os.fsdecode(b"\xff"))
    expected = f"{tmp_path}/\\udcff: valid: 0 machines, 0 rules, no layers"
    assert validate(str(fleet)) == (0, [expected], [])


def test_wrong_usage_and_wrong_settings(tmp_path: Path) -> None:
    assert validate("a", "b")[0] == 2
    status, _, errors = validate("--config", str(tmp_path / "none.toml"))
    assert (status, len(errors)) == (2, 1)
