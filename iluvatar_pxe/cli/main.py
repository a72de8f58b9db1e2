"""The command line's root: commands, and one line for every expected error."""

import sys

import typer

from iluvatar_pxe.cli import serve
from iluvatar_pxe.errors import FleetError, IluvatarError, SettingsError

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
app.command("serve")(serve.serve)


@app.callback()
def root() -> None:
    """Zero-touch netboot provisioning for a home lab."""


def main() -> None:
    """Run a command; exit 0 done, 1 not as it should be, 2 wrong settings, fleet or usage."""
    try:
        app(prog_name="iluvatar-pxe")
    except IluvatarError as error:
        print(f"iluvatar-pxe: {error}", file=sys.stderr)  # noqa: T201
        sys.exit(2 if isinstance(error, SettingsError | FleetError) else 1)
