"""This program's name, for lines that tell what to run."""

import os
import shutil
import sys
from pathlib import Path


def program_as_started() -> str:
    """Return how this program was typed: ``make run`` starts it by its path."""
    program = Path(sys.argv[0])
    is_typed_by_name = shutil.which(program.name) == str(program) or not os.access(program, os.X_OK)
    return "iluvatar-pxe" if is_typed_by_name else str(program)
