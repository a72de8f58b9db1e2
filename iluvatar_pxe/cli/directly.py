"""``serve`` as it is written everywhere, without the command line's library: 1 MiB that the daemon would keep."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from iluvatar_pxe.cli.ending import run
from iluvatar_pxe.cli.quickly import quickly


def is_plain_serve(arguments: Sequence[str]) -> bool:
    """Say whether these arguments are ``serve`` or ``serve --config FILE``; Typer reads all others."""
    match arguments:
        case ["serve"]:
            return True
        case ["serve", "--config", file]:
            return not file.startswith("-")
    return False


def serve(arguments: Sequence[str]) -> None:
    """Do what these plain arguments say; exits as ``ending.run`` does."""
    with quickly():
        from iluvatar_pxe.cli.serving import run_daemon  # noqa: PLC0415 - all of the daemon
    run(partial(run_daemon, Path(arguments[2]) if arguments[2:] else None))
