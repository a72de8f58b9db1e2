"""Ctrl-C while a command is still being imported."""

import os
import subprocess
from pathlib import Path

from support.daemon import HERE

INTERRUPTING = """\
import os, signal
signal.signal(signal.SIGINT, signal.default_int_handler)
os.kill(os.getpid(), signal.SIGINT)
"""
"""In place of a module that the command line imports first; a background job ignores the signal unless it is reset."""


def test_an_interrupted_start_ends_without_a_traceback(tmp_path: Path) -> None:
    (tmp_path / "typer.py").write_text(INTERRUPTING)
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    ended = subprocess.run(
        [*HERE, "lab", "up"], capture_output=True, text=True, check=False, env=environment, timeout=60
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (130, "", "")
