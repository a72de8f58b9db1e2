"""A commit's fleet as a plain directory."""

from pathlib import Path

from iluvatar_pxe.gitops.directory import read_texts
from iluvatar_pxe.gitops.export import export
from iluvatar_pxe.gitops.repository.tree import Tree


def test_a_directory_holds_what_the_commit_has_and_stays_the_same_one(tmp_path: Path) -> None:
    directory = tmp_path / "cache" / "fleet"
    export(Tree("a", {"fleet.yaml": "", "machines/one.yaml": "ü\n"}), directory)
    inode = directory.stat().st_ino
    (directory / "link").symlink_to(tmp_path)
    export(Tree("b", {"fleet.yaml": "domain: x\n", "configs/a.yaml": ""}), directory)
    assert read_texts(directory) == ({"fleet.yaml": "domain: x\n", "configs/a.yaml": ""}, {})
    assert directory.stat().st_ino == inode
    assert tmp_path.is_dir()
