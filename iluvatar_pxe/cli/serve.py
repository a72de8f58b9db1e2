"""``iluvatar-pxe serve``, for its help and for whatever ``directly`` does not know."""

from pathlib import Path
from typing import Annotated

import typer

from iluvatar_pxe.cli.serving import run_daemon
from iluvatar_pxe.settings.model import DEFAULT_FILE


def serve(
    config: Annotated[
        Path | None, typer.Option(help=f"Settings of this host. Default: {DEFAULT_FILE}, if it exists.")
    ] = None,
) -> None:
    """Serve proxyDHCP, TFTP and HTTP until stopped. SIGHUP reloads the fleet."""
    run_daemon(config)
