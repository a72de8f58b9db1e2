"""What a fleet begins with: the starter, planted once or put into a repository."""

import json
import os
import re
import shutil
from fnmatch import fnmatchcase
from pathlib import Path

import pytest
from support.rights import directory_for_nobody, without_root

from iluvatar_pxe.errors import FleetError
from iluvatar_pxe.fleet.parse import parse_fleet
from iluvatar_pxe.fleet.schemas import DESCRIBED, schemas
from iluvatar_pxe.fleet.source import is_declaration
from iluvatar_pxe.gitops.changes import starter
from iluvatar_pxe.gitops.changes.starter import plant_starter_fleet, starter_files
from iluvatar_pxe.gitops.directory import read_fleet
from iluvatar_pxe.resources import data_directory

BUILT_IN = data_directory("boot_assets") / "fleet"
STARTER = {path: content.decode() for path, content in starter_files().items()}
MODELINE = re.compile(r"# yaml-language-server: \$schema=(\S+)\n")


def test_the_starter_is_every_built_in_file_and_the_schemas() -> None:
    built_in = {path.relative_to(BUILT_IN).as_posix() for path in BUILT_IN.rglob("*") if path.is_file()}
    assert set(STARTER) == built_in | {f"schemas/{name}" for name in DESCRIBED}
    assert {".vscode/settings.json", "machines/.gitkeep", "patches/README.md"} <= built_in
    assert STARTER["schemas/fleet.schema.json"] == schemas()["fleet.schema.json"]
    assert STARTER["fleet.yaml"] == (BUILT_IN / "fleet.yaml").read_text()


def test_the_starter_is_a_good_fleet() -> None:
    shown = {path: text for path, text in STARTER.items() if not path.startswith(".") and "/." not in path}
    assert parse_fleet(shown).names == frozenset()
    assert [path for path in shown if is_declaration(path)] == [
        "fleet.yaml",
        "layers/ainur.yaml",
        "layers/arda.yaml",
    ]


def test_every_declaration_names_the_schema_that_describes_it() -> None:
    for path, text in STARTER.items():
        if is_declaration(path) and path.endswith(".yaml"):
            modeline = MODELINE.match(text)
            assert modeline, path
            schema = os.path.normpath(Path(path).parent / modeline[1])
            assert fnmatchcase(path, DESCRIBED[schema.removeprefix("schemas/")].files)


def test_editors_are_told_which_schema_is_for_which_files() -> None:
    settings = json.loads(STARTER[".vscode/settings.json"])
    assert settings["yaml.schemas"] == {f"schemas/{name}": one.files for name, one in DESCRIBED.items()}
    assert json.loads(STARTER[".vscode/extensions.json"]) == {"recommendations": ["redhat.vscode-yaml"]}


def test_a_damaged_installation_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = tmp_path / "data"
    shutil.copytree(data_directory("boot_assets"), data)
    (data / "fleet" / "fleet.yaml").unlink()
    (data / "fleet" / "fleet.yaml").symlink_to("nowhere")
    monkeypatch.setattr(starter, "data_directory", lambda _name: data)
    with pytest.raises(
        FleetError, match=r"/data/fleet/fleet\.yaml: cannot be read: No such file .*; install"
    ):
        plant_starter_fleet(tmp_path / "fleet")
    assert not (tmp_path / "fleet").exists()


def test_the_starter_fleet_is_planted_once(tmp_path: Path) -> None:
    directory = tmp_path / "fleet"
    assert plant_starter_fleet(directory)
    planted = [path for path in directory.rglob("*") if path.is_file()]
    files = {path.relative_to(directory).as_posix(): path.read_bytes() for path in planted}
    assert files == starter_files()
    assert read_fleet(directory).names == frozenset()
    (directory / "fleet.yaml").write_text("domain: mine.example\n")
    assert not plant_starter_fleet(directory)
    assert read_fleet(directory).settings.domain == "mine.example"
    assert [path.name for path in tmp_path.iterdir()] == ["fleet"], "nothing is left beside it"


def test_an_unfinished_planting_is_begun_again(tmp_path: Path) -> None:
    (tmp_path / ".fleet.new").mkdir()
    (tmp_path / ".fleet.new" / "half").touch()
    assert plant_starter_fleet(tmp_path / "fleet")
    assert not (tmp_path / "fleet" / "half").exists()


def test_a_starter_fleet_that_cannot_be_planted(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(
        FleetError, match=r"/file/fleet: cannot be created: Not a directory; make the state .+$"
    ):
        plant_starter_fleet(tmp_path / "file" / "fleet")


def test_a_starter_fleet_in_a_closed_folder() -> None:
    with directory_for_nobody() as directory:
        (directory / "closed").mkdir(mode=0o000)
        with (
            without_root(),
            pytest.raises(FleetError, match=r"/closed/fleet: cannot be created: Permission denied; "),
        ):
            plant_starter_fleet(directory / "closed" / "fleet")
        (directory / "closed").chmod(0o755)
