"""The fleet of a repository as a plain directory, for what reads only that."""

import shutil
from pathlib import Path

from iluvatar_pxe.gitops.repository.tree import Tree


def export(tree: Tree, directory: Path) -> None:
    """Make ``directory`` hold a commit's texts, and nothing else; blocks, raises OSError.

    It stays the same directory, which may be mounted elsewhere.
    """
    directory.mkdir(parents=True, exist_ok=True)
    for old in directory.iterdir():
        if old.is_dir() and not old.is_symlink():
            shutil.rmtree(old)
        else:
            old.unlink()
    for path, text in tree.texts.items():
        file = directory / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text.encode())
