"""How a command ends: its exit status, and one line for every expected error."""

import sys
from collections.abc import Callable
from io import TextIOWrapper

from iluvatar_pxe.errors import FleetError, IluvatarError, SettingsError, UsageError
from iluvatar_pxe.printable import printable


def run(command: Callable[[], object]) -> None:
    """Run a command; exit 0 on success, 1 on failure, 2 on wrong settings, fleet or usage."""
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # names in a locale that has not all characters
    try:
        command()
    except IluvatarError as error:
        for line in f"iluvatar-pxe: {error}".splitlines():
            print(printable(line), file=sys.stderr)  # noqa: T201
        sys.exit(2 if isinstance(error, UsageError | SettingsError | FleetError) else 1)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        print(printable(f"iluvatar-pxe: {where}{error.strerror}"), file=sys.stderr)  # noqa: T201
        sys.exit(1)
