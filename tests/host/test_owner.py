"""Root's work in a directory of another user."""

import os
import subprocess
from pathlib import Path

import pytest
from support.rights import NOBODY, directory_for_nobody

from iluvatar_pxe.host.owner import Owner, acting_as


def ids() -> tuple[int, int, list[int]]:
    return os.geteuid(), os.getegid(), os.getgroups()


def test_nothing_changes_in_a_directory_of_ones_own(tmp_path: Path) -> None:
    before = ids()
    with acting_as(Owner.of(tmp_path)):
        assert ids() == before


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_root_makes_files_as_the_owner() -> None:
    before = ids()
    with directory_for_nobody() as directory:
        os.chown(directory, NOBODY, NOBODY)
        with acting_as(Owner.of(directory)):
            (directory / "file").touch()
            child = subprocess.run(["id", "--user", "--real"], capture_output=True, text=True, check=True)
            with pytest.raises(PermissionError):
                Path("/etc/shadow").read_bytes()
        status = (directory / "file").stat()
        assert (status.st_uid, status.st_gid) == (NOBODY, NOBODY)
        assert child.stdout == f"{NOBODY}\n", "a child cannot become root again"
        with acting_as(Owner(NOBODY, NOBODY)), acting_as(Owner(0, 0)):
            assert os.geteuid() == NOBODY
    assert ids() == before
    assert os.getresuid() == (0, 0, 0)
