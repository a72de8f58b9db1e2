"""What a fleet begins with: the starter, planted once or put into a repository, or a directory of an earlier version."""

import json
import os
import re
import shutil
from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase
from pathlib import Path

import pytest
import yaml
from support.rights import directory_for_nobody, without_root

from iluvatar_pxe.errors import FleetError
from iluvatar_pxe.fleet.parse import parse_fleet
from iluvatar_pxe.fleet.schemas import DESCRIBED, schemas
from iluvatar_pxe.fleet.source import is_declaration
from iluvatar_pxe.gitops.changes import starter
from iluvatar_pxe.gitops.changes.starter import directory_files, plant_starter_fleet, starter_files
from iluvatar_pxe.gitops.directory import read_fleet
from iluvatar_pxe.resources import data_directory

BUILT_IN = data_directory("boot_assets") / "fleet"
STARTER = {path: content.decode() for path, content in starter_files().items()}
MODELINE = re.compile(r"# yaml-language-server: \$schema=(\S+)\n")
EXAMPLES = ("apps/ainur/example.yaml", "apps/arda/example.yaml")


def refusal(directory: Path) -> str:
    """Return why a directory's files cannot be had."""
    with pytest.raises(FleetError) as caught:
        directory_files(directory)
    (line,) = caught.value.findings
    assert line.isprintable()
    return line


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


@pytest.mark.parametrize("path", EXAMPLES)
def test_an_example_of_an_application_is_one_that_installs_nothing(path: str) -> None:
    assert yaml.safe_load(STARTER[path]) is None
    commented = STARTER[path].partition("#\n")[2]
    application = yaml.safe_load(re.sub("^# ", "", commented, flags=re.MULTILINE))
    assert (application["kind"], application["metadata"]["namespace"]) == ("Application", "argocd")
    assert application["spec"].keys() == {"project", "source", "destination", "syncPolicy"}


@pytest.mark.parametrize("layer", ["ainur", "arda"])
def test_a_layers_application_of_applications_is_its_folder(layer: str) -> None:
    (shown,) = re.findall(
        r"^```yaml\n(.*?)^```$", STARTER[f"apps/{layer}/README.md"], re.MULTILINE | re.DOTALL
    )
    application = yaml.safe_load(shown)
    assert application["metadata"]["name"] == layer
    assert application["spec"]["source"]["path"] == f"apps/{layer}"


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
    assert directory_files(directory) == starter_files()
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


def test_all_files_of_a_directory_are_taken_but_git_s(tmp_path: Path) -> None:
    files = {
        "fleet.yaml": b"",
        ".gitignore": b"*.swp\n",
        "logo.png": b"\x89PNG\xff",
        "machines/one.yaml": b"match: {macs: [52:54:00:00:00:01]}\n",
        "docs/größe.txt": b"x" * (2 << 20),
    }
    for name, content in {**files, ".git/config": b"", "docs/.Git": b"gitdir: elsewhere\n"}.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    assert directory_files(tmp_path) == files


def test_an_empty_directory_has_no_files(tmp_path: Path) -> None:
    assert directory_files(tmp_path) == {}


def test_what_is_no_regular_file_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "fleet.yaml").touch()
    (tmp_path / "passwd").symlink_to("/etc/passwd")
    (tmp_path / "etc").symlink_to("/etc")
    os.mkfifo(tmp_path / "pipe")
    assert directory_files(tmp_path) == {"fleet.yaml": b""}


@pytest.mark.parametrize("name", ["fleet.yaml", "machines/one.yaml", "recipients.yaml"])
def test_a_declaration_that_is_a_link_is_not_lost_in_silence(tmp_path: Path, name: str) -> None:
    (tmp_path / "machines").mkdir()
    (tmp_path / name).symlink_to("/etc/passwd")
    remedy = "is no regular file, and links are not followed; put the file itself here"
    assert refusal(tmp_path) == f"{tmp_path}/{name}: {remedy}"


def test_what_becomes_a_link_while_it_is_read_is_not_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "fleet.yaml").symlink_to("/etc/passwd")
    monkeypatch.setattr(Path, "lstat", Path.stat)
    assert refusal(tmp_path).startswith(f"{tmp_path}/fleet.yaml: cannot be read: Too many levels of symbolic")


@pytest.mark.parametrize("name", [b"a\nb", b"\xff"])
def test_a_name_that_cannot_be_shown_is_refused(tmp_path: Path, name: bytes) -> None:
    (tmp_path / os.fsdecode(name)).touch()
    assert refusal(tmp_path).endswith(": its name holds what cannot be printed; rename it")


def test_too_much_is_refused_before_it_is_read(tmp_path: Path) -> None:
    with (tmp_path / "image.iso").open("wb") as file:
        file.truncate(1 << 40)
    told = refusal(tmp_path)
    assert told.startswith(f"{tmp_path}/image.iso: with it the fleet has more than 64 MiB; ")


def test_all_files_together_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(starter, "MAX_OCTETS", 3)
    (tmp_path / "a").write_bytes(b"12")
    (tmp_path / "b").write_bytes(b"3")
    assert len(directory_files(tmp_path)) == 2
    (tmp_path / "c").write_bytes(b"4")
    assert refusal(tmp_path).startswith(f"{tmp_path}/c: ")


def test_folders_nested_deeper_than_python_can_walk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def walk(*_: object, **_options: object) -> Iterator[object]:
        raise RecursionError

    monkeypatch.setattr(os, "walk", walk)
    assert refusal(tmp_path) == f"{tmp_path}: its folders are nested too deeply; flatten them"


def test_a_directory_that_is_not_there(tmp_path: Path) -> None:
    place = tmp_path / "none"
    assert refusal(place) == f"{place}: cannot be read: No such file or directory; correct its rights"


@pytest.mark.parametrize(
    ("make", "remedy"), [(Path.touch, "correct or remove it"), (Path.mkdir, "correct its rights")]
)
def test_what_is_closed_to_the_service_is_named(make: Callable[..., None], remedy: str) -> None:
    with directory_for_nobody() as directory:
        make(directory / "closed", mode=0o000)
        with without_root():
            found = refusal(directory)
        (directory / "closed").chmod(0o755)
    assert found == f"{directory}/closed: cannot be read: Permission denied; {remedy}"
