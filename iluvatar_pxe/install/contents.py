"""What a state directory holds that cannot be made again."""

from collections.abc import Iterator
from pathlib import Path

_IRREPLACEABLE = {
    "inventory.db": "the inventory: every machine with its name, and the history of its boots",
    "followed.git": "the local copy of the fleet's repository",
    "age.key": "this host's key to the sealed files: after that only the recovery key and other hosts open them",
    "tls/ca.key": "the key of the daemon's CA: clients have to trust a new one",
    "assets": "the boot files",
}


def contents_of(state: Path) -> Iterator[str]:
    """Yield a line for each thing of value in a state directory: its path, and what it is."""
    for repository in sorted((state / "git").glob("*.git")):
        yield f"{repository}: a Git repository, perhaps its only copy"
    for name, what in _IRREPLACEABLE.items():
        if (state / name).exists():
            yield f"{state / name}: {what}"
