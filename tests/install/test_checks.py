"""What install and uninstall refuse before they change anything."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from iluvatar_pxe.errors import InstallError
from iluvatar_pxe.install.checks import (
    check_inside,
    check_no_link,
    check_unmasked,
    check_unmounted,
    mount_points,
)


@pytest.mark.parametrize("link", ["/mnt", "../../elsewhere", "/"])
def test_links_that_lead_out_of_the_image(tmp_path: Path, link: str) -> None:
    image = tmp_path / "image"
    (image / "var").mkdir(parents=True)
    check_inside(image, [image / "var/lib/state", image / "etc/none/file"])
    (image / "var/lib").symlink_to(link)
    with pytest.raises(InstallError, match=rf"^{image}/var/lib: points to /.*, outside {image}; "):
        check_inside(image, [image / "etc/file", image / "var/lib/state"])
    check_inside(Path("/"), [image / "var/lib/state"])


def test_a_masked_unit(tmp_path: Path) -> None:
    unit = tmp_path / "some.service"
    check_unmasked(unit)
    unit.symlink_to("/dev/null")
    with pytest.raises(InstallError, match=r"is masked; run systemctl unmask some\.service and try again"):
        check_unmasked(unit)


def test_a_state_directory_that_is_a_link(tmp_path: Path) -> None:
    state = tmp_path / "state"
    check_no_link(state)
    state.symlink_to("/mnt/disk")
    with pytest.raises(InstallError, match=r"/state: is a symlink; mount --bind /mnt/disk there instead, "):
        check_no_link(state)


def test_blanks_in_mount_points() -> None:
    line = r"36 35 98:0 /mnt1 /mnt\040of\134two rw,noatime master:1 - ext3 /dev/root rw"
    assert mount_points(f"{line}\n") == [Path("/mnt of\\two")]


def test_a_mount_point_whose_name_ends_lines_elsewhere() -> None:
    """The kernel writes out no more than blanks, tabs, ends of lines and backslashes: a stick's label may be anything."""
    line = "36 35 98:0 / /media/a\x0cb\x85c\rd rw - ext3 /dev/root rw"
    assert mount_points(f"{line}\n{line}\n") == [Path("/media/a\x0cb\x85c\rd")] * 2


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: mounts in a namespace of its own")
@pytest.mark.parametrize("mount", ["state", "state/a b/assets"])
def test_what_is_mounted_below(tmp_path: Path, mount: str) -> None:
    (tmp_path / mount).mkdir(parents=True)
    check_unmounted([tmp_path / "state"])
    code = (
        "import pathlib, sys; from iluvatar_pxe.install.checks import check_unmounted\n"
        "try: check_unmounted([pathlib.Path(sys.argv[1])])\nexcept Exception as error: print(error)"
    )
    script = 'mount -t tmpfs none "$0" && exec "$@"'
    words = ["unshare", "--mount", "sh", "-c", script, str(tmp_path / mount)]
    command = [*words, sys.executable, "-c", code, str(tmp_path / "state")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout.startswith(f"{tmp_path / mount}: is a mount point; unmount it"), done.stderr
