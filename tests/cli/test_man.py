"""The man page: every command with the words of its help, and roff that groff takes."""

import re
import shutil
import subprocess

import pytest
from support.warm import run_warm


def test_every_command_is_on_it() -> None:
    page = run_warm("man").output
    for command in ("serve", "machines hold", "fleet keys renew", "enrol open", "lab boot"):
        assert f"\n.SS {command} " in page
    assert "\nHold a machine at its next boot.\n" in page
    assert "man \n" not in page, "hidden commands are left out"


@pytest.mark.interop
@pytest.mark.skipif(not shutil.which("groff"), reason="needs groff")
def test_groff_takes_it() -> None:
    page = run_warm("man").output
    formatted = subprocess.run(
        ["groff", "-man", "-Tascii", "-ww", "-Wbreak"],
        input=page,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert formatted.stderr == ""
    assert "machines hold" in re.sub(".\b", "", formatted.stdout), "bold is struck twice"
