"""The service's user where systemd-sysusers is not installed."""

import os
import shutil
from pathlib import Path

import pytest

from iluvatar_pxe.errors import InstallError
from iluvatar_pxe.install import user


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("useradd"), reason="needs root and useradd")
def test_useradd_makes_it_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    etc = tmp_path / "etc"
    etc.mkdir()
    for name in ("passwd", "group", "shadow", "gshadow"):
        (etc / name).touch()
    assert user.ids_of(tmp_path) is None
    assert user.create(tmp_path, tmp_path / "none", "/var/lib/iluvatar-pxe") == "created"
    assert user.create(tmp_path, tmp_path / "none", "/var/lib/iluvatar-pxe") == "unchanged"
    (line,) = (etc / "passwd").read_text().splitlines()
    assert line.endswith(":/var/lib/iluvatar-pxe:/usr/sbin/nologin")
    assert user.ids_of(tmp_path) != (0, 0)


@pytest.mark.skipif(not shutil.which("systemd-sysusers"), reason="needs systemd-sysusers")
def test_a_command_that_fails_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(InstallError, match=r"^systemd-sysusers --root=.*none: "):
        user.create(tmp_path, tmp_path / "none", "/")


@pytest.mark.parametrize("line", ["iluvatar-pxe:x:", "iluvatar-pxe:x:one:two:::", "iluvatar-pxe", ""])
def test_a_malformed_line_is_no_user(tmp_path: Path, line: str) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/passwd").write_text(f"root:x:0:0::/root:/bin/sh\n{line}\n")
    assert user.ids_of(tmp_path) is None


def test_root_under_its_name_is_refused(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/passwd").write_text("iluvatar-pxe:x:0:0::/root:/bin/sh\n")
    with pytest.raises(InstallError, match=r"^user iluvatar-pxe: has UID 0, like root; remove it"):
        user.create(tmp_path, tmp_path / "none", "/")
