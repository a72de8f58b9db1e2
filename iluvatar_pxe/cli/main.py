"""The command line's root: commands, and one line for every expected error."""

import sys
from importlib.metadata import version as version_of
from typing import Annotated

import typer

from iluvatar_pxe.cli import check, db, dns, enrol, install, logs, man, serve, simulate, status
from iluvatar_pxe.cli.assets import commands as assets
from iluvatar_pxe.cli.cluster import commands as cluster
from iluvatar_pxe.cli.fleet import commands as fleet
from iluvatar_pxe.cli.lab import commands as lab
from iluvatar_pxe.cli.machines import commands as machines
from iluvatar_pxe.cli.plan import command as plan
from iluvatar_pxe.errors import FleetError, IluvatarError, SettingsError, UsageError
from iluvatar_pxe.fleet.yaml.document import printable

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("serve")(serve.serve)
app.command("status")(status.status)
app.command("logs")(logs.logs)
app.command("check")(check.check)
app.command("plan")(plan.plan)
app.command("simulate")(simulate.simulate)
app.command("install")(install.install)
app.command("uninstall")(install.uninstall)
app.add_typer(machines.app, name="machines")
app.add_typer(enrol.app, name="enrol")
app.add_typer(enrol.app, name="enroll", hidden=True)
app.add_typer(dns.app, name="dns")
app.add_typer(fleet.app, name="fleet")
app.add_typer(assets.app, name="assets")
app.add_typer(cluster.app, name="cluster")
app.add_typer(db.app, name="db")
app.add_typer(lab.app, name="lab")
app.command("man", hidden=True)(man.man)


def _on_version(wanted: bool) -> None:  # noqa: FBT001 - Typer's signature
    if wanted:
        typer.echo(f"iluvatar-pxe {version_of('iluvatar-pxe')}")
        raise typer.Exit


@app.callback()
def root(
    *,
    version: Annotated[
        bool, typer.Option("--version", help="Show the version.", is_eager=True, callback=_on_version)
    ] = False,
) -> None:
    """Zero-touch netboot provisioning for a home lab."""


def main() -> None:
    """Run a command; exit 0 on success, 1 on failure, 2 on wrong settings, fleet or usage."""
    try:
        app(prog_name="iluvatar-pxe")
    except IluvatarError as error:
        for line in f"iluvatar-pxe: {error}".splitlines():
            print(printable(line), file=sys.stderr)  # noqa: T201
        sys.exit(2 if isinstance(error, UsageError | SettingsError | FleetError) else 1)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        print(printable(f"iluvatar-pxe: {where}{error.strerror}"), file=sys.stderr)  # noqa: T201
        sys.exit(1)
