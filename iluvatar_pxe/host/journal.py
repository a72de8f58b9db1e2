"""What systemd knows of the service: its state, and its last error."""

import shutil
import subprocess
from collections.abc import Iterable

UNIT = "iluvatar-pxe.service"
_MARK = "iluvatar-pxe: "
"""Before every error that ends the program (``cli.main``)."""
_SECONDS = 10.0
_LINES = 200


def service_state() -> str:
    """Return in a word what the service does, as ``systemctl is-active``; empty where systemd or the service is not there."""
    if _said("systemctl", "show", "--property=LoadState", "--value", UNIT) != "loaded":
        return ""
    return _said("systemctl", "show", "--property=ActiveState", "--value", UNIT)


def last_error() -> str:
    """Return the error that ended the service last, in one line, or an empty text; needs the right to read the journal."""
    lines = _said("journalctl", f"--unit={UNIT}", f"--lines={_LINES}", "--output=cat", "--no-pager")
    return last_error_of(lines.splitlines())


def last_error_of(lines: Iterable[str]) -> str:
    """Return the last line in which the program said why it ended; lines of its log are JSON."""
    errors = [line.removeprefix(_MARK) for line in lines if line.startswith(_MARK)]
    return errors[-1] if errors else ""


def _said(*command: str) -> str:
    """Return what a program said, empty where there is none or it fails."""
    if not shutil.which(command[0]):
        return ""
    try:
        done = subprocess.run(  # noqa: S603 - argument lists made here
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            timeout=_SECONDS,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
