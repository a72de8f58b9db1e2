"""``iluvatar-pxe machines set``, ``hold``, ``release``, ``merge`` and ``split``: what people change of a machine."""

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from iluvatar_pxe.admin.requests.machines import Hold, Merge, Release, Rename, SetPlace, Split
from iluvatar_pxe.admin.requests.request import Request
from iluvatar_pxe.cli.daemon import change
from iluvatar_pxe.cli.machines.options import Name
from iluvatar_pxe.cli.options import ConfigOption
from iluvatar_pxe.cli.running import settings_of_daemon
from iluvatar_pxe.cli.tables import say
from iluvatar_pxe.errors import UsageError
from iluvatar_pxe.machines.states import Phase, Role


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


def hold(
    name: Name,
    *,
    why: Annotated[str, typer.Option(help="Reason, shown on its screen.")] = "",
    config: ConfigOption = None,
) -> None:
    """Hold a machine at its next boot."""
    _change(config, Hold, machine=name, why=why)


def release(name: Name, *, config: ConfigOption = None) -> None:
    """Clear a hold, a refusal, a failure, an identity conflict or a warning about an unlisted NIC."""
    _change(config, Release, machine=name)


def rename(
    name: Name,
    new: Annotated[str, typer.Argument(help="Its new name.")],
    *,
    config: ConfigOption = None,
) -> None:
    """Give a machine that the fleet lists another name, by a commit to the fleet's repository.

    One that is installed for a cluster keeps its name: the cluster knows it by that.
    """
    _change(config, Rename, machine=name, new=new)


def merge(
    name: Name,
    other: Annotated[str, typer.Argument(help="The other entry of the same machine.")],
    *,
    config: ConfigOption = None,
) -> None:
    """Merge two entries of the same machine."""
    _change(config, Merge, machine=name, other=other)


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
