"""What both ends of the control socket agree on."""

import os
import pwd
from pathlib import Path
from urllib.parse import quote

from iluvatar_pxe.printable import plain_text

CLAIM = "X-Sudo-User"
"""Header: the person that the caller claims to be, beside the user that the kernel verified."""
STATE = "X-State-Directory"
"""Header: the caller's state directory, URL-encoded; a daemon with another one refuses."""
REQUEST_SECONDS = 60.0
"""How long one change may take, its request's arrival included: a backup to a slow card is the longest."""
LARGEST_BODY = 64 << 10
"""Octets of a request."""


def directory_mark(directory: Path) -> str:
    """Return what a state directory is known by in ``STATE``."""
    return quote(os.fsencode(os.path.realpath(directory)))


def caller(user: int, claim: str) -> str:
    """Return the caller in words: the user's name, and the claimed one. Blocks: it looks the name up."""
    try:
        name = pwd.getpwuid(user).pw_name
    except KeyError:
        name = f"user {user}"
    return f"{name} (sudo: {plain_text(claim)})" if claim else name
