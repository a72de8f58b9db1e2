"""Says which file an error is about."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from iluvatar_pxe.errors import SeedCardError, UnpackError


@contextmanager
def named(path: Path) -> Iterator[None]:
    """Raise SeedCardError, which names the file, for what is found wrong with it in the block."""
    try:
        yield
    except (UnpackError, SeedCardError) as error:
        raise SeedCardError(f"{path}: {error}") from error
