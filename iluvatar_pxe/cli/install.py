"""``iluvatar-pxe install`` and ``uninstall``: the systemd service of this host."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from iluvatar_pxe.cli.options import YesOption, make_sure_by_name
from iluvatar_pxe.cli.tables import say
from iluvatar_pxe.errors import InstallError
from iluvatar_pxe.install.installation import Installation, Step
from iluvatar_pxe.install.node import node_stays

Root = Annotated[
    Path, typer.Option(help="Root of the system: / or a mounted image, where nothing is started.")
]
Purge = Annotated[bool, typer.Option("--purge", help="Remove state and settings too.")]


def install(root: Root = Path("/")) -> None:
    """Install the systemd service and start it; run it again after an upgrade."""
    _carry_out(Installation(_checked(root)).install())
    say(["", "To see the keys to your fleet's repository (shown once): sudo iluvatar-pxe fleet init"])


def uninstall(*, purge: Purge = False, yes: YesOption = False, root: Root = Path("/")) -> None:
    """Stop and remove the service; state and settings are kept."""
    installation = Installation(_checked(root))
    if purge:
        _make_sure(installation, yes=yes)
    _carry_out(installation.uninstall(purge=purge))
    _carry_out(node_stays(installation.root))


def _make_sure(installation: Installation, *, yes: bool) -> None:
    lost = list(installation.irreplaceable())
    if lost:
        say(["This removes for good:", *(f"  {line}" for line in lost)])
        make_sure_by_name(os.uname().nodename, yes=yes)


def _checked(root: Path) -> Path:
    if os.geteuid() != 0:
        raise InstallError("only root can do that; try it with sudo")
    if not root.is_dir():
        raise InstallError(f"{root}: not a directory; mount the image there")
    return root.resolve()


def _carry_out(steps: Iterable[Step]) -> None:
    """Print each step when it is done, so that a failure shows what was done before."""
    for what, done in steps:
        say([f"{what}: {done}"])
