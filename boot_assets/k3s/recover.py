"""What ``tasks`` does on a server of a k3s cluster that has lost its quorum; k3s is down meanwhile.

Each is done again after a loss of power, and leaves the data of before beside the new one.
"""

import hashlib
import hmac
import json
import os
import shutil
import ssl
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import HTTPSHandler, ProxyHandler, Request, build_opener

import prepare  # type: ignore[import-not-found]

DATA = f"{prepare.K3S_DATA}/server/db"
K3S = "usr/local/bin/k3s"
CONFIG = "etc/rancher/k3s/config.yaml"
JOIN = "50-join.yaml"
OWN_CONFIG = "run/iluvatar-recovery/config.yaml"
SNAPSHOT = f"{prepare.K3S_DATA}/server/iluvatar-snapshot.db"
KEY = "etc/iluvatar/task-key"
TIMEOUT = 60
"""Seconds without a byte from a daemon, which opens the snapshot first."""
MOST_SECONDS = "900"
"""That k3s has for a reset."""


def reset(root: Path, node: dict[str, Any], task: dict[str, Any]) -> None:
    """Become the only member of etcd; raises ``prepare.Trouble``, and OSError where a snapshot cannot be had yet."""
    data = root / DATA
    if task["snapshot"]:
        fetch_snapshot(root, node, task)
    elif not (data / "etcd").is_dir():
        raise prepare.Trouble("there is no data of an etcd here")
    try:
        if (data / "etcd").is_dir():
            _keep(data / "etcd", data / f"etcd-before-{task['stamp']}")
        config = _config_without_join(root)
        # An earlier attempt has left it, and k3s then resets nothing (k3s, pkg/etcd, ResetFile).
        (data / "reset-flag").unlink(missing_ok=True)
    except OSError as why:
        raise prepare.Trouble(str(why)) from why
    restores = [f"--cluster-reset-restore-path={root / SNAPSHOT}"] if task["snapshot"] else []
    reset_by = (str(root / K3S), "server", "--cluster-reset", f"--config={config}", *restores)
    prepare.run("timeout", MOST_SECONDS, *reset_by)
    (root / SNAPSHOT).unlink(missing_ok=True)


def fetch_snapshot(root: Path, node: dict[str, Any], task: dict[str, Any]) -> None:
    """Download the snapshot by TLS, and prove who asks; raises OSError where no daemon gives it."""
    key = bytes.fromhex((root / KEY).read_text().strip())
    body = json.dumps({"node": node["name"], "task": task["id"]}).encode()
    shown = hmac.new(key, b"content\n" + body, hashlib.sha256).hexdigest()
    trusting = ssl.create_default_context(cadata=task["snapshot"]["authority"] or None)
    download = build_opener(ProxyHandler({}), HTTPSHandler(context=trusting)).open
    troubles = []
    for daemon in node["daemons"]:
        url = f"https://{urlsplit(daemon).hostname}:{task['snapshot']['port']}/k3s/content"
        request = Request(url, body, {"Authorization": f"HMAC-SHA256 {shown}"})
        try:
            with download(request, timeout=TIMEOUT) as answer:
                _store(root / SNAPSHOT, answer)
        except (OSError, HTTPException) as error:
            troubles.append(f"{url}: {error}")
            continue
        return
    raise OSError("; ".join(troubles))


def _store(path: Path, source: Any) -> None:
    """Write what only root may read, whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    part.unlink(missing_ok=True)
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        shutil.copyfileobj(source, file)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


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
