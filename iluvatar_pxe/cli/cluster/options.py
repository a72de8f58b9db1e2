"""What the commands on clusters take."""

from typing import Annotated

import typer

LayerArgument = Annotated[str, typer.Argument(metavar="LAYER", help="The cluster's layer.")]
