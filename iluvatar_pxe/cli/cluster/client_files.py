"""``iluvatar-pxe cluster talosconfig`` and ``kubeconfig``: merged into the files that the ordinary programs read."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated

import typer

from iluvatar_pxe.admin.requests.clusters import LONGEST_TTL, SHORTEST_TTL, MakeKubeconfig, MakeTalosconfig
from iluvatar_pxe.admin.requests.request import Request
from iluvatar_pxe.cli.cluster.options import LayerArgument
from iluvatar_pxe.cli.cluster.private_files import STANDARD, check_output, read_private, write_private
from iluvatar_pxe.cli.daemon import change
from iluvatar_pxe.cli.durations import duration
from iluvatar_pxe.cli.options import ConfigOption
from iluvatar_pxe.cli.running import settings_of_daemon
from iluvatar_pxe.cli.tables import say
from iluvatar_pxe.errors import OperationError
from iluvatar_pxe.layers.arda.talosconfig import merge_talosconfig
from iluvatar_pxe.layers.kubeconfig import merge_kubeconfig
from iluvatar_pxe.spans import span

FileArgument = Annotated[
    Path | None,
    typer.Argument(
        metavar="[FILE]", help="Where to merge it; - for standard output. Default: where the program looks."
    ),
]
TtlOption = Annotated[
    str,
    typer.Option("--ttl", metavar="DURATION", help="How long it is valid: 30m, 8h, 90d; from 1m to 365d."),
]


def write_talosconfig(
    layer: LayerArgument, file: FileArgument = None, *, ttl: TtlOption = "1d", config: ConfigOption = None
) -> None:
    """Sign a certificate for talosctl, and merge it into its configuration file."""
    place = file or talosconfig_of(os.environ)
    _write(MakeTalosconfig, merge_talosconfig, place, layer, ttl, config)


def write_kubeconfig(
    layer: LayerArgument, file: FileArgument = None, *, ttl: TtlOption = "1d", config: ConfigOption = None
) -> None:
    """Sign an administrator's certificate for kubectl, and merge it into its configuration file."""
    place = file or kubeconfig_of(os.environ)
    _write(MakeKubeconfig, merge_kubeconfig, place, layer, ttl, config)


def talosconfig_of(environ: Mapping[str, str]) -> Path:
    """Return the file that talosctl reads: that of ``TALOSCONFIG``, else its own in the home directory."""
    return Path(environ.get("TALOSCONFIG") or Path.home() / ".talos" / "config")


def kubeconfig_of(environ: Mapping[str, str]) -> Path:
    """Return the file that kubectl writes (client-go, PathOptions).

    It is the first of ``KUBECONFIG`` that exists, or the last one; else kubectl's own in the home directory.
    """
    named = [Path(name) for name in environ.get("KUBECONFIG", "").split(os.pathsep) if name]
    if not named:
        return Path.home() / ".kube" / "config"
    return next((file for file in named if file.exists()), named[-1])


def _write(
    kind: type[Request],
    merge: Callable[[str, str], str],
    file: Path,
    layer: str,
    ttl: str,
    config: Path | None,
) -> None:
    check_output(file)
    seconds = duration(ttl, LONGEST_TTL, SHORTEST_TTL)
    is_merged = file != STANDARD and file.exists()
    existing = read_private(file) if is_merged else ""
    answer = change(settings_of_daemon(config), kind, layer=layer, ttl=seconds)
    try:
        text = merge(existing, answer["file"]) if is_merged else answer["file"]
    except OperationError as error:
        raise OperationError(f"{file}: {error}") from error
    write_private(file, text)
    if file != STANDARD:
        say([f"{file}: its current context is that of {layer}, valid for {span(seconds)}."])
