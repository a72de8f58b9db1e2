"""``iluvatar-pxe cluster secrets``: a Talos cluster's in the format of ``talosctl gen secrets``, a k3s cluster's in our own."""

from pathlib import Path
from typing import Annotated

import typer

from iluvatar_pxe.admin.requests.clusters import ExportSecrets, ImportSecrets
from iluvatar_pxe.cli.cluster.options import LayerArgument
from iluvatar_pxe.cli.cluster.private_files import STANDARD, check_output, read_private, write_private
from iluvatar_pxe.cli.daemon import change
from iluvatar_pxe.cli.group import new_group
from iluvatar_pxe.cli.options import ConfigOption
from iluvatar_pxe.cli.running import settings_of_daemon
from iluvatar_pxe.cli.tables import say
from iluvatar_pxe.errors import UsageError

app = new_group(
    help="Export or import a cluster's secrets: Talos' in talosctl's format, k3s' as its own files.",
)


@app.command("export")
def export_secrets(
    layer: LayerArgument,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A new file; - for standard output.")],
    config: ConfigOption = None,
) -> None:
    """Write a cluster's secrets to a file: whoever has it can do everything with the cluster."""
    check_output(file)
    if file != STANDARD:
        _check_new(file)
    answer = change(settings_of_daemon(config), ExportSecrets, layer=layer)
    write_private(file, answer["secrets"])
    if file != STANDARD:
        say([f"{file}: has the secrets of {layer} in clear; keep it where nobody else can read it."])


def _check_new(file: Path) -> None:
    """Raise UsageError unless a file can be made here: neither a link nor a new folder takes the secrets elsewhere."""
    if file.is_symlink() or file.exists():
        raise UsageError(f"{file}: exists already; name a new file, or remove it")
    if not file.parent.is_dir():
        raise UsageError(f"{file}: there is no directory {file.parent}; make it, or name another file")


@app.command("import")
def import_secrets(
    layer: LayerArgument,
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE", help="As export or talosctl gen secrets writes it; - for standard input."
        ),
    ],
    config: ConfigOption = None,
) -> None:
    """Give a cluster the secrets that it has elsewhere, before it has any here."""
    answer = change(settings_of_daemon(config), ImportSecrets, layer=layer, secrets=read_private(file))
    say([f"{answer['message']}."])
