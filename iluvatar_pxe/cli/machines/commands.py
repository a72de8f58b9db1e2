"""``iluvatar-pxe machines``: the inventory, and what people change in it."""

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from iluvatar_pxe.admin.data import Data, in_order
from iluvatar_pxe.admin.describe import describe
from iluvatar_pxe.admin.edits import ended_hold
from iluvatar_pxe.admin.machine_details import machine_details
from iluvatar_pxe.admin.requests.machines import Forget, Hold, Merge, Reinstall, Release, SetPlace, Split
from iluvatar_pxe.admin.requests.request import Request
from iluvatar_pxe.boot.preview.asker import asking
from iluvatar_pxe.cli.daemon import change
from iluvatar_pxe.cli.machines.listing import machine_lines
from iluvatar_pxe.cli.machines.page import page_lines
from iluvatar_pxe.cli.options import ConfigOption, JsonOption, YesOption, make_sure
from iluvatar_pxe.cli.running import settings_of_daemon
from iluvatar_pxe.cli.state import State
from iluvatar_pxe.cli.tables import say, say_json, terminal_width, watch_lines
from iluvatar_pxe.errors import UsageError
from iluvatar_pxe.fleet.lookup import find_machine, listed_as, title_of
from iluvatar_pxe.fleet.models import Fleet
from iluvatar_pxe.inventory.database.read_only import last_boots
from iluvatar_pxe.machines.model import Machine, sighting_of
from iluvatar_pxe.machines.states import Phase, Role
from iluvatar_pxe.settings.model import Settings

Name = Annotated[str, typer.Argument(metavar="NAME", help="A name, a MAC, or the first characters of an id.")]

app = typer.Typer(no_args_is_help=True, help="Show and manage machines.")


@app.command("list")
def list_machines(
    *,
    every: Annotated[
        bool, typer.Option("--all", help="Include machines that only sent a DHCP boot request.")
    ] = False,
    watch: Annotated[
        bool, typer.Option("--watch", help="Show the list anew every second, until Ctrl-C.")
    ] = False,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """List all machines."""
    settings = settings_of_daemon(config)
    if watch:
        if as_json or not sys.stdout.isatty():
            raise UsageError("--watch needs a terminal, and no --json")
        watch_lines(
            lambda: machine_lines(_described(settings), datetime.now(UTC), terminal_width(), every=every)
        )
    elif as_json:
        say_json(in_order(_described(settings), every=every))
    else:
        say(machine_lines(_described(settings), datetime.now(UTC), terminal_width(), every=every))


def _described(settings: Settings) -> list[Data]:
    state = State.read_recorded(settings)
    return [describe(one, state.fleet) for one in state.snapshot.by_id.values()]


@app.command()
def show(
    name: Name,
    *,
    boots: Annotated[int, typer.Option(min=0, help="Number of boots to show.")] = 3,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Show everything known about a machine, its last boots, and what it boots next and why."""
    state = State.read_recorded(settings_of_daemon(config))
    machine = find_machine(name, state.snapshot, state.fleet)
    *_, last = state.next_boot(asking(sighting_of(machine)))
    latest = last_boots(state.settings.database_url, machine.id, boots)
    told = state.awaited, state.changing, state.troubles(machine)
    page = machine_details(machine, state.fleet, last.decision, latest, *told)
    if as_json:
        say_json(page)
    else:
        say(page_lines(page, datetime.now(UTC), terminal_width()))


@app.command("set")
def set_machine(
    machine: Name,
    *,
    name: Annotated[str | None, typer.Option(help="New name.")] = None,
    layer: Annotated[str | None, typer.Option(help="New layer.")] = None,
    role: Annotated[Role | None, typer.Option(help="New role.")] = None,
    phase: Annotated[Phase | None, typer.Option(help="Its observed state.")] = None,
    intent: Annotated[
        Literal["boot", "local", "ignore"] | None, typer.Option(help="Its desired state.")
    ] = None,
    config: ConfigOption = None,
) -> None:
    """Change a machine's phase or intent, and its name, layer or role unless the fleet lists it."""
    wanted = {"name": name, "layer": layer, "role": role, "phase": phase, "intent": intent}
    if not any(wanted.values()):
        raise UsageError("nothing to change; add --name, --layer, --role, --phase or --intent")
    _change(config, SetPlace, machine=machine, **wanted)


@app.command()
def hold(
    name: Name,
    *,
    why: Annotated[str, typer.Option(help="Reason, shown on its screen.")] = "",
    config: ConfigOption = None,
) -> None:
    """Hold a machine at its next boot."""
    _change(config, Hold, machine=name, why=why)


@app.command()
def release(name: Name, *, config: ConfigOption = None) -> None:
    """Clear a hold, a refusal, a failure, an identity conflict or a warning about an unlisted NIC."""
    _change(config, Release, machine=name)


@app.command()
def reinstall(
    name: Name,
    *,
    wipe: Annotated[
        bool, typer.Option("--wipe", help="Erase whatever is on the disk, also another Talos.")
    ] = False,
    force: Annotated[
        bool,
        typer.Option(
            "--force", help="Also if the cluster loses etcd's quorum or data, or a volume's last replica."
        ),
    ] = False,
    yes: YesOption = False,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Reinstall a machine: a running Talos is drained, leaves etcd and is wiped now; others at their next boot."""
    settings = settings_of_daemon(config)
    state = State.read_recorded(settings)
    machine = find_machine(name, state.snapshot, state.fleet)
    title = title_of(machine, state.fleet)
    erases = "That erases whatever is on its disk." if wipe else "That may erase its disk."
    now = "Talos that runs there is drained, leaves etcd and wipes its system disk at once; other disks stay."
    make_sure(f"Reinstall {title}{ended_hold(machine)}? {now} {erases}", yes=yes)
    answer = change(settings, Reinstall, machine=str(machine.id), wipe=wipe, force=force)
    if as_json:
        say_json(answer)
    else:
        say([answer["message"]])


@app.command()
def forget(name: Name, *, yes: YesOption = False, config: ConfigOption = None) -> None:
    """Remove a machine and its boots from the inventory."""
    settings = settings_of_daemon(config)
    state = State.read_recorded(settings)
    machine = find_machine(name, state.snapshot, state.fleet)
    stays = _what_stays(machine, state.fleet)
    make_sure(
        f"Forget {title_of(machine, state.fleet)} ({', '.join(machine.macs)}) and its boots?{stays}", yes=yes
    )
    say([change(settings, Forget, machine=str(machine.id))["message"] + "." + stays])


def _what_stays(machine: Machine, fleet: Fleet) -> str:
    """Say what a forgotten machine leaves behind."""
    if listed := listed_as(machine, fleet):
        path = f"machines/{listed.name}.yaml"
        return f" {path} stays in the fleet, and the machine has its place again when it boots; remove that file too."
    if machine.assignment:
        layer = machine.assignment.layer
        return f" Its name stays reserved until reuseNames in layers/{layer}.yaml lists it."
    return ""


@app.command()
def merge(
    name: Name,
    other: Annotated[str, typer.Argument(help="The other entry of the same machine.")],
    *,
    config: ConfigOption = None,
) -> None:
    """Merge two entries of the same machine."""
    _change(config, Merge, machine=name, other=other)


@app.command()
def split(
    name: Name,
    mac: Annotated[str, typer.Argument(help="MAC of the NIC that belongs to another machine.")],
    *,
    config: ConfigOption = None,
) -> None:
    """Split a NIC off into a machine of its own."""
    _change(config, Split, machine=name, mac=mac)


def _change(config: Path | None, kind: type[Request], **fields: Any) -> None:
    say([change(settings_of_daemon(config), kind, **fields)["message"]])
