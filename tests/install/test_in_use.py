"""State that a daemon uses is not removed below it."""

import fcntl
import os
from pathlib import Path

import pytest

from iluvatar_pxe.errors import InstallError
from iluvatar_pxe.install.installation import Installation


def test_state_that_a_daemon_uses_is_not_purged(tmp_path: Path) -> None:
    state = tmp_path / "var/lib/iluvatar-pxe"
    state.mkdir(parents=True)
    (state / "age.key").touch()
    held = os.open(state, os.O_RDONLY)
    fcntl.flock(held, fcntl.LOCK_EX)
    with pytest.raises(InstallError, match="another iluvatar-pxe uses it; stop that"):
        list(Installation(tmp_path).uninstall(purge=True))
    assert (state / "age.key").exists()
    os.close(held)
    list(Installation(tmp_path).uninstall(purge=True))
    assert not state.exists()
