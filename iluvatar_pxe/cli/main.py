"""The command line's root: its commands."""

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from iluvatar_pxe.cli.ending import run
from iluvatar_pxe.cli.group import new_group
from iluvatar_pxe.cli.lazy import Entry, LazyGroup

_ENROL = "Open or close the enrolment window for new machines."


class _Commands(LazyGroup):
    entries = (
        Entry(
            "serve",
            "serve:serve",
            "Serve proxyDHCP, TFTP and HTTP until stopped. SIGHUP reloads the fleet.",
        ),
        Entry(
            "status",
            "status.command:status",
            "Show what runs, what boots, and what needs you; exits 1 if the daemon does not run or has a problem.",
        ),
        Entry(
            "logs",
            "logs:logs",
            "Show the service's log, also of one machine. A daemon that runs in a terminal logs there.",
        ),
        Entry(
            "check",
            "check:check",
            "Show the health of each component, and what keeps machines from booting; exits 1 when a component is unhealthy.",
        ),
        Entry(
            "plan",
            "plan.command:plan",
            "Explain what a machine would boot and why, from the fleet and the inventory; changes nothing.",
        ),
        Entry(
            "simulate",
            "simulate:simulate",
            "Boot a simulated machine: fetch everything that a real one would, and report each stage's duration.",
        ),
        Entry(
            "install",
            "install:install",
            "Install the systemd service and start it; run it again after an upgrade.",
        ),
        Entry(
            "uninstall",
            "install:uninstall",
            "Stop and remove the service; state and settings are kept.",
        ),
        Entry(
            "seed-card",
            "seed_card:seed_card",
            "Make a card that turns a blank Raspberry Pi into the first of a fleet, or sets a boot order, as a file.",
        ),
        Entry("man", "man:man", "Print the man page.", hidden=True),
        Entry("machines", "machines.commands:app", "Show and manage machines."),
        Entry("enrol", "enrol:app", _ENROL),
        Entry(
            "enroll",
            "enrol:app",
            _ENROL,
            hidden=True,
        ),
        Entry("web", "web:app", "Manage the password of the web page."),
        Entry(
            "network",
            "network:network",
            "Show which other DHCP servers were heard, and which unknown machines asked for a boot; "
            "exits 1 if a server is too many.",
        ),
        Entry("dns", "dns:app", "Query the DNS server and flush its cache."),
        Entry("fleet", "fleet.commands:app", "Validate the fleet and manage its Git repository."),
        Entry(
            "assets",
            "assets.commands:app",
            "Fetch, verify and remove the boot files that the fleet wants.",
        ),
        Entry(
            "cluster",
            "cluster.commands:app",
            "Show and reach the layers' clusters, and keep their secrets and snapshots.",
        ),
        Entry("notifications", "notifications:app", "Test how you are told what happens."),
        Entry("db", "db:app", "Maintain the inventory database."),
        Entry(
            "lab",
            "lab.commands:app",
            "Try everything without hardware, in a private virtual network.",
        ),
    )


app = new_group(
    _Commands,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _on_version(wanted: bool) -> None:  # noqa: FBT001 - Typer's signature
    if wanted:
        from importlib.metadata import version as version_of  # noqa: PLC0415 - reads archives, with much below it

        typer.echo(f"iluvatar-pxe {version_of('iluvatar-pxe')}")
        raise typer.Exit


@app.callback()
def root(
    *,
    context: typer.Context,
    version: Annotated[  # noqa: ARG001 - it has ended the command by now
        bool, typer.Option("--version", help="Show the version.", is_eager=True, callback=_on_version)
    ] = False,
    server: Annotated[
        str, typer.Option(metavar="URL", help="Ask the daemon of another host, by https://ADDRESS:PORT.")
    ] = "",
    token_file: Annotated[
        Path | None,
        typer.Option(help="The token for --server that may change something. Default: ILUVATAR_PXE_TOKEN."),
    ] = None,
    ca: Annotated[
        Path | None, typer.Option(help="The CA of --server's certificate. Default: the system's.")
    ] = None,
) -> None:
    """Zero-touch netboot provisioning for a home lab."""
    if server:
        from iluvatar_pxe.cli import remote  # noqa: PLC0415 - most commands ask the daemon of this host

        remote.choose(server, token_file, ca, context.invoked_subcommand or "")


def main() -> None:
    """Run a command, and exit."""
    run(partial(app, prog_name="iluvatar-pxe"))
