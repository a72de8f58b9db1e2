"""A commit's fleet as a plain directory."""

import stat
from pathlib import Path

from iluvatar_pxe.gitops.directory import read_texts
from iluvatar_pxe.gitops.export import export


def test_a_directory_holds_what_the_commit_has_and_stays_the_same_one(tmp_path: Path) -> None:
    directory = tmp_path / "cache" / "fleet"
    export({"fleet.yaml": "", "machines/one.yaml": "ü\n"}, directory)
    inode = directory.stat().st_ino
    (directory / "link").symlink_to(tmp_path)
    export({"fleet.yaml": "domain: x\n", "configs/a.yaml": ""}, directory)
    assert read_texts(directory) == ({"fleet.yaml": "domain: x\n", "configs/a.yaml": ""}, {})
    assert directory.stat().st_ino == inode
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert tmp_path.is_dir()
