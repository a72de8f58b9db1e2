"""A file of this host that a request names."""

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator


def _absolute(path: Path) -> Path:
    if not path.is_absolute():
        raise ValueError("use an absolute path")
    return path


File = Annotated[Path, AfterValidator(_absolute)]
