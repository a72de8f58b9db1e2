"""``iluvatar-pxe lab``: a private virtual network, in which real firmware boots from the fleet."""

import asyncio
import os
import secrets
import sys
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from iluvatar_pxe.cli.group import new_group
from iluvatar_pxe.cli.lab.page import attempt_lines, console_line, stage_lines
from iluvatar_pxe.cli.options import ConfigOption
from iluvatar_pxe.cli.running import settings_of_daemon
from iluvatar_pxe.cli.tables import plain
from iluvatar_pxe.errors import LabError, UsageError
from iluvatar_pxe.gitops.directory import read_fleet
from iluvatar_pxe.gitops.export import export
from iluvatar_pxe.gitops.prepare import repository_of
from iluvatar_pxe.gitops.reading import revision_in_force
from iluvatar_pxe.gitops.secrets.opening import with_opened
from iluvatar_pxe.lab.daemon import ask, reload
from iluvatar_pxe.lab.demo import demonstrate
from iluvatar_pxe.lab.guest.firmware import firmware_named
from iluvatar_pxe.lab.holder import end, hold, start_holder
from iluvatar_pxe.lab.room.lab import BOOT_SECONDS, Lab
from iluvatar_pxe.lab.running import Running, forget, running, state_file
from iluvatar_pxe.lab.system.cache import default_cache
from iluvatar_pxe.lab.system.stand_ins import write_stand_ins
from iluvatar_pxe.lab.user_lab import Sources, user_lab
from iluvatar_pxe.lab.watch.attempt import Attempt, attempt_boot
from iluvatar_pxe.settings.model import Settings
from iluvatar_pxe.wire.mac import parse_mac

app = new_group(help="Try everything without hardware, in a private virtual network.")

FleetOption = Annotated[
    Path | None, typer.Option(help="Directory of the fleet. Default: this host's, else the starter fleet.")
]
AssetsOption = Annotated[Path | None, typer.Option(help="Directory of boot files. Default: this host's.")]


@app.command()
def up(*, fleet: FleetOption = None, assets: AssetsOption = None, config: ConfigOption = None) -> None:
    """Start the network and keep it until ``lab down``."""
    sources = _sources(fleet, assets, config)
    if there := running(_file()):
        _say(f"The lab is already up, with {_fleet_of(there)}. To stop it: iluvatar-pxe lab down")
        raise typer.Exit(0 if _same(there, sources) else 1)
    places = [str(place) for place in (sources.assets, sources.fleet) if place]
    if not start_holder([sys.executable, "-m", "iluvatar_pxe", "lab", "hold", *places], _say):
        raise typer.Exit(1)
    _say("The lab is up. Next: iluvatar-pxe lab boot KIND; to stop it: iluvatar-pxe lab down")


@app.command(hidden=True, name="hold")
def hold_lab(assets: Path, fleet: Annotated[Path | None, typer.Argument()] = None) -> None:
    """Keep a lab up: what ``lab up`` starts in the background."""
    hold(Sources(fleet, assets, default_cache()), _file(), _say)


@app.command()
def boot(
    kind: Annotated[
        str, typer.Argument(help="bios, uefi-x64, uefi-x64-http, uefi-arm64 or uefi-arm64-http.")
    ],
    *,
    mac: Annotated[str | None, typer.Option(help="The machine's MAC. Default: a new machine.")] = None,
    config: ConfigOption = None,
) -> None:
    """Boot a machine with real firmware, and show its console; without ``lab up``, in a lab for this boot only.

    Exits 0 when the machine came to its configuration, 1 when it did not.
    """
    firmware_named(kind)
    address = _mac(mac)
    if there := running(_file()):
        if there.fleet == str(default_cache() / "fleet"):
            own_fleet(settings_of_daemon(config))
        if (
            there.fleet
        ):  # it may have been edited since; read here, its faults have the paths that its owner knows
            read_fleet(Path(there.fleet))
        with Lab(there.inside) as lab:
            reload(lab.namespace, there.daemon)
            attempt = _boot(lab, kind, address)
    else:
        with user_lab(_sources(None, None, config), _say) as user:
            attempt = _boot(user.lab, kind, address)
    raise typer.Exit(0 if attempt.outcome.reached_config else 1)


@app.command()
def down() -> None:
    """Stop the network and everything in it."""
    file = _file()
    _say("The lab is down." if end(file) else "The lab is not up.")
    forget(file)


@app.command(hidden=True)
def demo(directory: Path) -> None:
    """Show an x86 and an arm64 machine, which no file lists, enrol and boot; DIRECTORY is as ``stand-ins`` made it."""
    _say(
        "Two machines that the fleet does not list boot from the network and join it. Talos is a test image:"
    )
    _say("a small Linux that fetches its configuration, says so, and switches off.")
    _say("")
    sources = Sources(directory / "fleet", directory / "assets", default_cache())
    attempts, machines = demonstrate(sources, _say, _show)
    _report(attempts, machines)
    raise typer.Exit(0 if all(attempt.outcome.reached_config for attempt in attempts) else 1)


@app.command(hidden=True)
def stand_ins(directory: Path) -> None:
    """Write a fleet and boot files into a directory, with test images for those that would be downloaded."""
    write_stand_ins(directory, default_cache())
    _say(f"Test images are in {directory}: fleet and assets")


def _boot(lab: Lab, kind: str, mac: str) -> Attempt:
    attempt = attempt_boot(lab.network, kind, mac, partial(_show, ""), BOOT_SECONDS)
    _report([attempt], ask(lab.namespace, "machines", "list"))
    return attempt


def _report(attempts: list[Attempt], machines: str) -> None:
    for line in ("", *stage_lines(attempts), "", *attempt_lines(attempts), "", *machines.splitlines()):
        _say(line)


def _sources(fleet: Path | None, assets: Path | None, config: Path | None) -> Sources:
    settings = settings_of_daemon(config)
    for directory in (fleet, assets):
        if directory and not directory.is_dir():
            if directory.exists():
                raise UsageError(f"{directory}: not a directory; name one")
            raise UsageError(f"{directory}: no such directory; create it or name another")
    fleet = fleet or own_fleet(settings)
    boot_files = assets or settings.assets_directory
    return Sources(fleet.absolute() if fleet else None, boot_files.absolute(), default_cache())


def own_fleet(settings: Settings) -> Path | None:
    """Return this host's fleet as a directory, None where there is none; what is in force in its repository, exported."""
    repository = repository_of(settings)
    if repository is None:
        return settings.fleet_directory if settings.fleet_directory.is_dir() else None
    if not repository.path.exists():
        return None
    revision = asyncio.run(revision_in_force(repository))
    opened = with_opened(revision.fleet, settings).texts
    directory = default_cache() / "fleet"
    try:
        export({**revision.tree.texts, **opened}, directory)
    except OSError as error:
        raise LabError(f"{directory}: cannot be written: {error.strerror}; make room there") from error
    return directory


def _same(there: Running, sources: Sources) -> bool:
    return (there.fleet, there.assets) == (str(sources.fleet or ""), str(sources.assets))


def _fleet_of(there: Running) -> str:
    return f"the fleet in {there.fleet}" if there.fleet else "the starter fleet"


def _mac(text: str | None) -> str:
    if text is None:
        return f"52:54:00:{secrets.token_bytes(3).hex(':')}"
    try:
        return parse_mac(text)
    except ValueError as error:
        raise UsageError(f"--mac: {error}") from error


def _file() -> Path:
    return state_file(os.environ, is_root=os.geteuid() == 0)


def _say(line: str) -> None:
    """Write a line at once, with control characters escaped."""
    sys.stdout.write(f"{plain(line)}\n")
    sys.stdout.flush()


def _show(name: str, line: str) -> None:
    sys.stdout.write(f"{console_line(name, plain(line), colours=sys.stdout.isatty())}\n")
    sys.stdout.flush()
