"""The last steps of a seed card's first start, of which any may be the last before a loss of power."""

import subprocess
from pathlib import Path

from iluvatar_pxe.resources import data_directory

FIRST_START = data_directory("boot_assets") / "seed_card" / "first-start"
STAND_INS = """
git() { :; }
sha256sum() { :; }
await_time() { :; }
make_environment() { :; }
make_keys() { :; }
begin_node() { :; }
cp() { :; }
sync() { :; }
systemctl() { echo "systemctl $*" >>"$log"; }
rm() { echo "rm $*" >>"$log"; case $1 in -rf) exit 1 ;; esac; }
"""
"""In place of what changes the host; the power is lost while the card's files are removed."""


def test_it_is_not_begun_again_without_the_card_s_files(tmp_path: Path) -> None:
    program, log = tmp_path / "bin" / "iluvatar-pxe", tmp_path / "log"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    places = f"card={tmp_path} home={tmp_path} keys={tmp_path}/keys log={log}\n"
    steps = FIRST_START.read_text().removesuffix("main\nexit\n")
    done = subprocess.run(["sh", "-c", f"{steps}{STAND_INS}{places}main"], check=False, capture_output=True)
    assert done.returncode == 1, done.stderr
    unit = "iluvatar-pxe-first-start.service"
    assert log.read_text().splitlines() == [
        f"systemctl disable --quiet {unit}",
        f"rm /etc/systemd/system/{unit}",
        f"rm -rf {tmp_path} /boot/firmware/vendor-data",
    ]
