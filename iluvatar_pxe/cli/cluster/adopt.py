"""``iluvatar-pxe cluster adopt``."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from iluvatar_pxe.admin.data import Data
from iluvatar_pxe.admin.requests.clusters import AdoptCluster
from iluvatar_pxe.admin.requests.request import request_of
from iluvatar_pxe.cli.cluster.private_files import read_private
from iluvatar_pxe.cli.cluster.secret_sources import secrets_at
from iluvatar_pxe.cli.daemon import ask_running
from iluvatar_pxe.cli.options import ConfigOption
from iluvatar_pxe.cli.running import settings_of_daemon
from iluvatar_pxe.cli.tables import say
from iluvatar_pxe.errors import UsageError
from iluvatar_pxe.layers.ainur.adoption.kubeconfig import server_of


def adopt(
    layer: Annotated[str, typer.Argument(metavar="LAYER", help="The layer that it becomes.")],
    *,
    kubeconfig: Annotated[
        Path, typer.Option(metavar="FILE", help="An administrator's, which names the cluster's API server.")
    ],
    secrets: Annotated[
        Path,
        typer.Option(
            metavar="PLACE",
            help="Its secrets: a file as secrets export writes it, /var/lib/rancher/k3s/server of a server, or a tar of it.",
        ),
    ],
    mac: Annotated[
        list[str] | None, typer.Option(metavar="NODE=MAC", help="The MAC of a node that is not known here.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Tell what would be done.")] = False,
    config: ConfigOption = None,
) -> None:
    """Take a k3s cluster that exists into the fleet's files; its machines are not touched."""
    host, port = server_of(read_private(kubeconfig))
    fields = {
        "layer": layer,
        "secrets": secrets_at(secrets),
        "host": host,
        "port": port,
        "macs": _macs(mac or []),
    }
    try:
        request = request_of(AdoptCluster, {**fields, "dry_run": dry_run})
    except ValueError as error:
        raise UsageError(str(error)) from error
    say(_lines(ask_running(settings_of_daemon(config), request)))


def _macs(told: list[str]) -> dict[str, str]:
    found = dict(one.partition("=")[::2] for one in told)
    if faulty := next((one for one in told if "=" not in one), None):
        raise UsageError(f"--mac {faulty}: write NODE=MAC, such as pi-1=dc:a6:32:00:00:01")
    return found


def _lines(answer: Data) -> Iterator[str]:
    for path, text in answer["files"].items():
        yield f"{path}:"
        yield from (f"  {line}" for line in text.splitlines())
        yield ""
    if answer["cautions"]:
        yield "What is not taken, and what is to be done:"
        yield from (f"- {line}" for line in answer["cautions"])
        yield ""
    yield f"{answer['message']}."
