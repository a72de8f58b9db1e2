"""The fleet of a repository as a plain directory, for what reads only that."""

import shutil
from collections.abc import Mapping
from pathlib import Path


def export(texts: Mapping[str, str], directory: Path) -> None:
    """Make ``directory`` hold the texts of a fleet, and nothing else; blocks, raises OSError.

    It stays the same directory, which may be mounted elsewhere, and is closed to others.
    """
    directory.mkdir(parents=True, exist_ok=True)
    directory.chmod(0o700)
    for old in directory.iterdir():
        if old.is_dir() and not old.is_symlink():
            shutil.rmtree(old)
        else:
            old.unlink()
    for path, text in texts.items():
        file = directory / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text.encode())
