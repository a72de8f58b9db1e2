"""The command line in processes that begin with everything imported: the same program, without a second of start-up."""

import multiprocessing
import os
import sys
import warnings
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Never

from support.waiting import PATIENCE

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["iluvatar_pxe.cli.main"])


@dataclass(frozen=True)
class Ended:
    status: int
    output: str
    error: str


def run_warm(*arguments: str) -> Ended:
    """Run ``iluvatar-pxe`` to its end in a process of its own, for which every warning is an error."""
    with TemporaryDirectory() as directory:
        output, error = Path(directory, "output"), Path(directory, "error")
        process = _CONTEXT.Process(target=_command, args=(arguments, output, error))
        process.start()
        process.join(PATIENCE)
        assert process.exitcode is not None, f"{arguments}: no end"
        return Ended(process.exitcode, output.read_text(), error.read_text())


def _command(arguments: tuple[str, ...], output: Path, error: Path) -> Never:
    from iluvatar_pxe.cli.main import main  # noqa: PLC0415 - imported before the fork

    for name in [name for name in os.environ if name.startswith("ILUVATAR_PXE_")]:
        del os.environ[name]
    for number, file in enumerate((Path(os.devnull), output, error)):
        os.dup2(os.open(file, os.O_RDWR | os.O_CREAT, 0o600), number)
    warnings.simplefilter("error")
    sys.argv = ["iluvatar-pxe", *arguments]
    main()
    sys.exit(0)
