"""What every command takes."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from iluvatar_pxe.errors import UsageError
from iluvatar_pxe.settings.model import DEFAULT_FILE, Settings, load_settings

ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", help=f"Settings of this host. Default: {DEFAULT_FILE}, if it exists."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
YesOption = Annotated[bool, typer.Option("--yes", help="Do not ask.")]


def settings_for(config: Path | None) -> Settings:
    """Read the settings of a command whose errors are one line of its own, and no log; raises SettingsError."""
    be_quiet()
    return load_settings(config, os.environ)


def be_quiet() -> None:
    """Have nothing logged by what was imported so far; only what has imported structlog logs."""
    if "structlog" in sys.modules:
        from iluvatar_pxe.log import configure_logging  # noqa: PLC0415 - most commands log nothing, and do not need it

        configure_logging("critical", "console")


def make_sure(question: str, *, yes: bool) -> None:
    """Ask, and end the command unless the answer is yes; where nobody can be asked, ``--yes`` is needed; raises UsageError."""
    if not yes:
        _check_terminal()
        typer.confirm(question, abort=True)


def make_sure_by_name(name: str, *, yes: bool) -> None:
    """Have ``name`` typed before something is lost for good, as ``make_sure``; raises UsageError for another name."""
    if not yes:
        _check_terminal()
        if typer.prompt(f"Type {name} to confirm") != name:
            raise UsageError(f"that is not {name}; nothing was changed")


def _check_terminal() -> None:
    if not os.isatty(0):
        raise UsageError("there is no terminal to confirm on; add --yes")
