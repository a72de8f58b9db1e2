"""A fleet as a bundle: what of a directory or a clone comes with it, and what is refused."""

from collections.abc import Mapping
from pathlib import Path

import pytest
from support.repositories import Person, bare, git

from iluvatar_pxe.errors import FleetError, RepositoryError
from iluvatar_pxe.gitops.bundle import bundle_fleet

FLEET = {
    "fleet.yaml": "domain: lab.home.arpa\n",
    "apps/ainur/one.yaml": "kind: Application\n",
    ".hidden": "for editors\n",
}


@pytest.fixture
def place(tmp_path: Path) -> Path:
    directory = tmp_path / "place"
    directory.mkdir()
    return directory


@pytest.fixture
def ada(tmp_path: Path) -> Person:
    bare(tmp_path / "origin.git")
    person = Person(tmp_path / "ada", str(tmp_path / "origin.git"))
    person.commit(FLEET, "One")
    person.commit({"machines/tower.yaml": "match: {macs: ['52:54:00:12:34:56']}\nintent: local\n"}, "Two")
    person.git("branch", "--move", "--force", "main")
    return person


def unbundled(bundle: Path) -> Path:
    """Clone a bundle as another host's git does."""
    clone = bundle.with_name("clone")
    git(bundle.parent, "clone", "--quiet", "--branch", "main", str(bundle), str(clone))
    return clone


def files_in(clone: Path) -> Mapping[str, str]:
    return {name: (clone / name).read_text() for name in git(clone, "ls-files").split()}


async def test_a_directory_becomes_one_commit_with_all_its_files(tmp_path: Path, place: Path) -> None:
    for name, text in FLEET.items():
        (tmp_path / "fleet" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "fleet" / name).write_text(text)
    (tmp_path / "fleet/link").symlink_to("/etc/passwd")
    bundle, revision = await bundle_fleet(tmp_path / "fleet", "main", place)
    clone = unbundled(bundle)
    assert files_in(clone) == FLEET
    assert git(clone, "rev-list", "--count", "main").strip() == "1"
    assert revision.fleet.settings.domain == "lab.home.arpa"


async def test_a_directory_within_a_repository_is_a_directory(ada: Person, place: Path) -> None:
    for name, text in FLEET.items():
        (ada.directory / "inner" / name).parent.mkdir(parents=True, exist_ok=True)
        (ada.directory / "inner" / name).write_text(text)
    bundle, _ = await bundle_fleet(ada.directory / "inner", "main", place)
    assert files_in(unbundled(bundle)) == FLEET


@pytest.mark.parametrize("name", ["ada", "origin.git"])
async def test_a_clone_comes_with_its_history(ada: Person, tmp_path: Path, place: Path, name: str) -> None:
    ada.push()
    bundle, revision = await bundle_fleet(tmp_path / name, "main", place)
    clone = unbundled(bundle)
    assert git(clone, "log", "--format=%s").split() == ["Two", "One"]
    assert git(clone, "rev-parse", "main").strip() == revision.commit.id
    assert "machines/tower.yaml" in files_in(clone)


async def test_what_is_not_committed_is_not_left_behind_in_silence(ada: Person, place: Path) -> None:
    (ada.directory / "fleet.yaml").write_text("domain: other.home.arpa\n")
    with pytest.raises(RepositoryError, match="has changes that are not committed; commit them"):
        await bundle_fleet(ada.directory, "main", place)


async def test_another_branch_is_not_taken_for_the_fleet_s(ada: Person, place: Path) -> None:
    ada.git("branch", "--move", "trunk")
    with pytest.raises(RepositoryError, match="has no branch main; commit the fleet to it"):
        await bundle_fleet(ada.directory, "main", place)


async def test_a_fleet_that_is_not_valid_is_refused(ada: Person, place: Path) -> None:
    ada.commit({"fleet.yaml": "domain: lab.local\n"})
    with pytest.raises(FleetError, match=r"fleet.yaml:1: domain"):
        await bundle_fleet(ada.directory, "main", place)


async def test_an_empty_directory_is_no_fleet(tmp_path: Path, place: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(RepositoryError, match="has no files"):
        await bundle_fleet(tmp_path / "empty", "main", place)
