"""What several commands on machines take."""

from typing import Annotated

import typer

Name = Annotated[str, typer.Argument(metavar="NAME", help="A name, a MAC, or the first characters of an id.")]
