"""``iluvatar-pxe cluster``: the clusters that the fleet's layers make up."""

import typer

from iluvatar_pxe.cli.cluster import secrets
from iluvatar_pxe.cli.cluster.client_files import write_kubeconfig, write_talosconfig
from iluvatar_pxe.cli.cluster.snapshots import take_snapshot
from iluvatar_pxe.cli.cluster.status import status

app = typer.Typer(
    no_args_is_help=True, help="Show and reach the layers' clusters, and keep their secrets and snapshots."
)
app.command("status")(status)
app.command("talosconfig")(write_talosconfig)
app.command("kubeconfig")(write_kubeconfig)
app.command("snapshot")(take_snapshot)
app.add_typer(secrets.app, name="secrets")
