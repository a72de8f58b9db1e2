"""``iluvatar-pxe machines reinstall`` and ``forget``: they look at a machine in the inventory first."""

from typing import Annotated

import typer

from iluvatar_pxe.admin.edits import ended_hold
from iluvatar_pxe.admin.requests.machines import Forget, Reinstall
from iluvatar_pxe.cli.daemon import change
from iluvatar_pxe.cli.machines.options import Name
from iluvatar_pxe.cli.options import ConfigOption, JsonOption, YesOption, make_sure
from iluvatar_pxe.cli.running import settings_of_daemon
from iluvatar_pxe.cli.state import State
from iluvatar_pxe.cli.tables import say, say_json
from iluvatar_pxe.fleet.lookup import find_machine, listed_as, title_of
from iluvatar_pxe.fleet.models import Fleet
from iluvatar_pxe.machines.model import Machine


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
    wake: Annotated[
        bool, typer.Option("--wake", help="Wake it up then, unless Talos restarts it anyhow.")
    ] = False,
    cycle: Annotated[
        bool,
        typer.Option("--cycle", help="Switch it off and on then, unless Talos restarts it anyhow."),
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
    options = {"wipe": wipe, "force": force, "wake": wake, "cycle": cycle}
    answer = change(settings, Reinstall, machine=str(machine.id), **options)
    if as_json:
        say_json(answer)
    else:
        say([answer["message"]])


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
