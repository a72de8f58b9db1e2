"""Who reads what this process prints."""

import os
import sys


def is_shown_once() -> bool:
    """Say whether a person reads standard output now, and nobody keeps it: what a service prints stays in a log.

    systemd gives every process of a unit an INVOCATION_ID (systemd.exec(5)), terminals in a desktop session among them.
    """
    return sys.stdout.isatty() or "INVOCATION_ID" not in os.environ
