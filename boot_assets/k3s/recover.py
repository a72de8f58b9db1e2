"""What ``tasks`` does on a server of a k3s cluster that has lost its quorum; k3s is down meanwhile.

Each is done again after a loss of power, and leaves the data of before beside the new one.
"""

import shutil
from pathlib import Path
from typing import Any

import prepare  # type: ignore[import-not-found]

DATA = f"{prepare.K3S_DATA}/server/db"
K3S = "usr/local/bin/k3s"
CONFIG = "etc/rancher/k3s/config.yaml"
JOIN = "50-join.yaml"
OWN_CONFIG = "run/iluvatar-recovery/config.yaml"
MOST_SECONDS = "900"
"""That k3s has for a reset."""


def reset(root: Path, _node: dict[str, Any], task: dict[str, Any]) -> None:
    """Become the only member of etcd; raises ``prepare.Trouble``."""
    data = root / DATA
    if not (data / "etcd").is_dir():
        raise prepare.Trouble("there is no data of an etcd here")
    try:
        _keep(data / "etcd", data / f"etcd-before-{task['stamp']}")
        config = _config_without_join(root)
        # An earlier attempt has left it, and k3s then resets nothing (k3s, pkg/etcd, ResetFile).
        (data / "reset-flag").unlink(missing_ok=True)
    except OSError as why:
        raise prepare.Trouble(str(why)) from why
    prepare.run("timeout", MOST_SECONDS, str(root / K3S), "server", "--cluster-reset", f"--config={config}")


def _keep(directory: Path, copy: Path) -> None:
    """Copy a directory, once."""
    if copy.exists():
        return
    part = copy.with_name(f".{copy.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    shutil.copytree(directory, part)
    part.rename(copy)
    prepare.sync(copy.parent)


def _config_without_join(root: Path) -> Path:
    """Return a copy of k3s' configuration that names no server to join: with one, k3s refuses to reset."""
    config, own = root / CONFIG, root / OWN_CONFIG
    shutil.rmtree(own.parent, ignore_errors=True)
    own.parent.mkdir(mode=0o700, parents=True)
    shutil.copy(config, own)
    for file in sorted(config.with_name(f"{config.name}.d").glob("*.y*ml")):
        if file.name != JOIN:
            drop = own.with_name(f"{own.name}.d")
            drop.mkdir(exist_ok=True)
            shutil.copy(file, drop)
    return own


def forget_etcd(root: Path, _node: dict[str, Any], task: dict[str, Any]) -> None:
    """Move the data of etcd aside, once, so that k3s joins the server that the task names; raises ``prepare.Trouble``."""
    data = root / DATA
    aside = data.with_name(f"db-before-{task['stamp']}")
    try:
        prepare.store(root / f"{CONFIG}.d" / JOIN, task["join"], 0o600)
        if data.exists() and not aside.exists():
            data.rename(aside)
            prepare.sync(aside.parent)
    except OSError as why:
        raise prepare.Trouble(str(why)) from why
