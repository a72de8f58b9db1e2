"""Ctrl-C while a command is still being imported."""

import os
import subprocess
from pathlib import Path

from support.daemon import HERE

INTERRUPTING = "import os, signal\nos.kill(os.getpid(), signal.SIGINT)\n"
"""In place of a module that the command line imports first."""


def test_an_interrupted_start_ends_without_a_traceback(tmp_path: Path) -> None:
    (tmp_path / "typer.py").write_text(INTERRUPTING)
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    ended = subprocess.run(
        [*HERE, "lab", "up"], capture_output=True, text=True, check=False, env=environment, timeout=60
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (130, "", "")
