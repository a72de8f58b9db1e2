"""Runs system programs to completion."""

import subprocess
from collections.abc import Sequence

from iluvatar_pxe.errors import InstallError

_SECONDS = 180.0
"""Longer than systemd waits for a service to be ready, or to stop."""


def run(*command: str) -> str:
    """Run a command, and return what it said; raises InstallError with that when it fails."""
    done = _ended(command)
    if done.returncode != 0:
        said = " ".join(done.stdout.split()) or f"exit status {done.returncode}"
        raise InstallError(f"{' '.join(command)}: {said}")
    return done.stdout.strip()


def succeeds(*command: str) -> bool:
    """Run a command, and say whether it succeeds; raises InstallError where it cannot be run."""
    return _ended(command).returncode == 0


def _ended(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(  # noqa: S603 - argument lists made here
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            check=False,
            timeout=_SECONDS,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise InstallError(f"{' '.join(command)}: {error}; run it by hand") from error
