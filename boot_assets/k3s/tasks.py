"""Asks the daemons what this node is to do for its k3s, and does it once. It needs Python 3.11 and ``prepare.py``.

A timer runs it every minute, and systemd before each start of k3s. Request and answer have a code that only this node and
the daemons can make, and an answer is good for its request alone. What changes k3s' files is done while k3s is down: the
timer stores the task and restarts k3s, and the task is done before k3s starts. So after a loss of power it goes on there.
"""

import fcntl
import hashlib
import hmac
import json
import secrets
import ssl
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from http import HTTPStatus
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import ProxyHandler, Request, build_opener

sys.path.insert(0, str(Path(__file__).parent))
import prepare  # type: ignore[import-not-found]
import recover  # type: ignore[import-not-found]

KEY = "etc/iluvatar/task-key"
STATE = "var/lib/rancher/iluvatar/task.json"
"""The last task, and how far it is: there where k3s' own data lasts."""
LOCK = "run/iluvatar-tasks.lock"
BOOT = "proc/sys/kernel/random/boot_id"
REBOOT_REQUIRED = "run/reboot-required"
WAL = f"{prepare.K3S_DATA}/server/db/etcd/member/wal"
CERTIFICATES = tuple(
    f"{prepare.K3S_DATA}/{place}"
    for place in (
        "agent",
        "server/tls",
        "server/tls/etcd",
        "server/tls/kube-controller-manager",
        "server/tls/kube-scheduler",
    )
)
"""Directories with those that k3s renews; below ``agent`` are container images, too, with others."""
BEFORE_K3S = "before-k3s"
TIMEOUT = 5
"""Seconds that all daemons have to answer: k3s does not start meanwhile."""
MOST = 1 << 20
"""Bytes of an answer."""
MOST_ENDED = 100
"""Tasks that are known to be through."""
WAITS, BEGUN, DONE, FAILED = "waits", "begun", "done", "failed"
_SEQUENCE, _UTC_TIME = 0x30, 0x17

_open = build_opener(ProxyHandler({})).open


def main(root: Path = Path("/"), *, before_k3s: bool = False) -> None:
    """Do what is to be done on the node whose files are below ``root``; raises ``prepare.Trouble``."""
    if not (root / KEY).exists():
        return  # it has not swapped its ticket yet
    (root / LOCK).parent.mkdir(parents=True, exist_ok=True)
    with (root / LOCK).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return  # it runs already
        node = json.loads((root / prepare.CONFIG).read_text())
        task = next_task(root, node)
        if task is None:
            return
        then = _reboot(root, task) if task["kind"] == "reboot" else _carry_out(root, node, task, before_k3s)
    if then:  # without the lock, for systemd runs this program again
        prepare.run("systemctl", *then)


def next_task(root: Path, node: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return what is to be done: what was begun, else what a daemon says that was not done yet."""
    known = state_of(root)
    if known.get("state") == BEGUN:
        begun: dict[str, Any] = known["task"]
        return begun
    task = ask(root, node)
    return None if task and task["id"] in ended(known) else task


def _reboot(root: Path, task: dict[str, Any]) -> tuple[str, ...]:
    """Return the command by which the machine restarts, unless it has since it was told."""
    is_done = task["boot"] != boot_of(root)
    note(root, task, DONE if is_done else BEGUN)
    return () if is_done else ("reboot",)


def _carry_out(root: Path, node: dict[str, Any], task: dict[str, Any], is_down: bool) -> tuple[str, ...]:  # noqa: FBT001
    """Prepare a task, and do it if k3s is down; return the command by which k3s restarts otherwise."""
    try:
        for asset in task.get("assets", ()):
            prepare.download_asset(root, node, asset)
    except (prepare.Trouble, OSError) as why:
        note(root, task, WAITS, str(why))
        raise
    note(root, task, BEGUN)
    ask(root, node)  # so that they know: what is begun is done, whatever they say by now
    if not is_down:
        return ("restart", "--no-block", node["unit"])
    try:
        DOES[task["kind"]](root, node, task)
    except prepare.Trouble as why:
        note(root, task, FAILED, str(why))
        raise
    note(root, task, DONE)
    return ()


def upgrade(root: Path, node: dict[str, Any], task: dict[str, Any]) -> None:
    """Have the files of another version of k3s. The node's own list of files comes first, for ``prepare`` keeps to it."""
    new = {asset["to"]: asset for asset in task["assets"]}
    kept = [asset for asset in node["assets"] if asset["to"] not in new]
    told = {**node, "version": task["version"], "assets": [*new.values(), *kept]}
    prepare.store(root / prepare.CONFIG, json.dumps(told, indent=1) + "\n", 0o600)
    for asset in new.values():
        prepare.fetch_asset(root, told, asset)


def restart(_root: Path, _node: dict[str, Any], _task: dict[str, Any]) -> None:
    """Do nothing: k3s is just starting."""


DOES: Mapping[str, Callable[[Path, dict[str, Any], dict[str, Any]], None]] = {
    "upgrade": upgrade,
    "restart": restart,
    "reset": recover.reset,
    "forget-etcd": recover.forget_etcd,
}
"""By kind of task, what is done while k3s is down; it is done again after a loss of power."""


def ask(root: Path, node: Mapping[str, Any]) -> dict[str, Any] | None:
    """Tell all daemons how this node is, and return the first task that one has for it."""
    key = bytes.fromhex((root / KEY).read_text().strip())
    told = {"node": node["name"], "facts": facts_of(root, node)}
    found: dict[str, Any] | None = None
    asked = {
        daemon: prepare.begun(partial(_exchange, f"{daemon}/k3s/tasks", told, key))
        for daemon in node["daemons"]
    }
    end = time.monotonic() + TIMEOUT
    for daemon, exchange in asked.items():
        try:
            answer = exchange.result(max(0.0, end - time.monotonic()))
        except (prepare.Trouble, OSError, HTTPException, ValueError) as why:
            prepare.say(f"tasks: {daemon}: {str(why) or f'has not answered within {TIMEOUT} s'}")
            continue
        found = found or answer["task"]
    if found is not None and found["kind"] not in {*DOES, "reboot"}:
        prepare.say(f"tasks: {found['kind']} is unknown here; install this machine again")
        return None
    return found


def _exchange(url: str, told: Mapping[str, Any], key: bytes) -> dict[str, Any]:
    """Return a daemon's answer; raises Trouble where it is refused, or not known to be a daemon's."""
    nonce = secrets.token_hex(16)
    body = json.dumps({**told, "nonce": nonce}).encode()
    request = Request(url, body, {"Content-Type": "application/json"})  # noqa: S310 - http
    request.add_header("Authorization", _code(key, b"request", body))
    try:
        with _open(request, timeout=TIMEOUT) as answer:
            found: bytes = answer.read(MOST)
    except HTTPError as error:
        words = error.read(MOST).decode(errors="replace").strip().partition("\n")[0]
        raise prepare.Trouble(words or HTTPStatus(error.code).phrase) from error
    shown = answer.headers.get("Authentication-Info", "")
    code = _code(key, b"answer " + nonce.encode(), found)
    if not hmac.compare_digest(shown.encode(), code.encode()):
        raise prepare.Trouble("that is no answer of a daemon that knows this cluster")
    read: dict[str, Any] = json.loads(found)
    return read


def _code(key: bytes, what: bytes, body: bytes) -> str:
    code = hmac.new(key, what + b"\n" + body, hashlib.sha256)
    return f"HMAC-SHA256 {code.hexdigest()}"


def facts_of(root: Path, node: Mapping[str, Any]) -> dict[str, Any]:
    """Return how this node is."""
    known = state_of(root)
    task = (
        {key: known[key] for key in ("state", "why", "at")} | {"id": known["task"]["id"]} if known else None
    )
    return {
        "version": node["version"],
        "boot": boot_of(root),
        "etcd": max((file.stat().st_mtime for file in (root / WAL).glob("*")), default=None),
        "reboot_required": (root / REBOOT_REQUIRED).exists(),
        "ends": first_end(root),
        "task": task,
    }


def boot_of(root: Path) -> str:
    """Return what differs after each restart of the machine."""
    return (root / BOOT).read_text().strip()


def first_end(root: Path) -> float | None:
    """Return when the first of k3s' certificates ends, but for those of CAs."""
    files = [file for place in CERTIFICATES for file in (root / place).glob("*.crt")]
    ends = [end for file in files if not file.stem.endswith("-ca") and (end := _end_of(file))]
    return min(ends, default=None)


def _end_of(file: Path) -> float | None:
    """Return when the first certificate of a file ends (RFC 5280, 4.1): the second time of its validity.

    None where it has none that can be read: k3s is writing it, or does not start with it anyway.
    """
    with suppress(OSError, ValueError, IndexError):
        head, end_line, _ = file.read_text().partition(ssl.PEM_FOOTER)
        (_, certificate), *_ = _values(ssl.PEM_cert_to_DER_cert(head + end_line))
        (_, signed), *_ = _values(certificate)
        validity = [content for tag, content in _values(signed) if tag == _SEQUENCE][2]
        _, (tag, end) = _values(validity)
        form = "%y%m%d%H%M%SZ" if tag == _UTC_TIME else "%Y%m%d%H%M%SZ"
        return datetime.strptime(end.decode(), form).replace(tzinfo=UTC).timestamp()
    return None


def _values(der: bytes) -> list[tuple[int, bytes]]:
    """Return tag and content of each value (X.690, 8.1)."""
    found, at = [], 0
    while at < len(der):
        tag, length, at = der[at], der[at + 1], at + 2
        if length & 0x80:
            octets = length & 0x7F
            length, at = int.from_bytes(der[at : at + octets]), at + octets
        found.append((tag, der[at : at + length]))
        at += length
    return found


def state_of(root: Path) -> dict[str, Any]:
    """Return the last task, and how far it is; empty where there was none."""
    with suppress(FileNotFoundError):
        known: dict[str, Any] = json.loads((root / STATE).read_text())
        return known
    return {}


def ended(known: Mapping[str, Any]) -> list[str]:
    """Return the ids of the latest tasks that are through: a daemon that has not heard of that may give them again."""
    last = [known["task"]["id"]] if known.get("state") in {DONE, FAILED} else []
    return [*known.get("ended", ()), *last][-MOST_ENDED:]


def note(root: Path, task: Mapping[str, Any], state: str, why: str = "") -> None:
    """Store how far a task is."""
    past = [one for one in ended(state_of(root)) if one != task["id"]]
    told = {"task": task, "state": state, "why": why, "at": time.time(), "ended": past}
    prepare.store(root / STATE, json.dumps(told), 0o600)
    prepare.say(f"tasks: {task['id']}: {state}{': ' + why if why else ''}")


if __name__ == "__main__":
    try:
        main(before_k3s=sys.argv[1:] == [BEFORE_K3S])
    except (prepare.Trouble, OSError, ValueError, KeyError) as error:
        prepare.say(str(error) or type(error).__name__)
        sys.exit(1)
