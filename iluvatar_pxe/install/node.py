"""Makes this host a node of a k3s cluster by what cloud-init would do on one that is installed: its files and commands.

All else of a cloud-config is left out: users, network and host name of this host are its owner's.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from iluvatar_pxe.errors import InstallError
from iluvatar_pxe.install.commands import run
from iluvatar_pxe.install.installation import Step
from iluvatar_pxe.install.placing import put

_HAS_SECRETS = ("etc/iluvatar/receipt", "etc/iluvatar/swapped")
"""There once the node has its secrets (``prepare.py``)."""
_WRITTEN = frozenset(["path", "content", "permissions", "owner"])
"""What an entry of ``write_files`` may have here."""
_OWNER = "root:root"


def is_node(root: Path) -> bool:
    """Say whether this host is a node already: then nothing is done again."""
    return any((root / path).exists() for path in _HAS_SECRETS)


def node_stays(root: Path) -> Iterator[Step]:
    """Yield what becomes of a node when the daemon beside it is removed."""
    units = ("k3s.service", "k3s-agent.service")
    unit = next((one for one in units if (root / "etc/systemd/system" / one).exists()), None)
    if unit and is_node(root):
        words = (
            "goes on: this host stays a node of its cluster, and asks the fleet's other daemons; to take it out, remove its "
            f"file from the fleet, and once it has left, run here: systemctl disable --now {unit} iluvatar-tasks.timer"
        )
        yield unit, words


def make_node(root: Path, config: Mapping[str, Any]) -> Iterator[Step]:
    """Write the files of a cloud-config, and then run its commands; raises InstallError.

    Each may be repeated. As in cloud-init, a command that fails keeps no other from being run.
    """
    for file in config["write_files"]:
        path = str(file["path"])
        if unknown := sorted(file.keys() - _WRITTEN):
            yield path, f"left out: has {', '.join(unknown)}, which only cloud-init knows"
        elif file.get("owner", _OWNER) != _OWNER:
            yield path, f"left out: is {file['owner']}'s"
        else:
            mode = int(file.get("permissions", "0644"), 8)
            yield path, put(root / path.lstrip("/"), file.get("content", ""), mode)
    for command in config["runcmd"]:
        words = ["sh", "-c", command] if isinstance(command, str) else [str(word) for word in command]
        yield " ".join(words), _ran(words)


def _ran(words: list[str]) -> str:
    try:
        run(*words)
    except InstallError as error:
        return f"failed: {error}"
    return "done"
