"""Brings a node as far as k3s can start; cloud-init installs it, and systemd runs it before k3s at each start.

It needs Python 3.11 and nothing else. Whatever it lacks, it says so in one line and ends with status 1: systemd starts
it again 5 seconds later, for ever. What is done is not done again. The daemon is asked without a proxy.
"""

import hashlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from http.client import HTTPException
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.error import HTTPError
from urllib.request import ProxyHandler, Request, build_opener

CONFIG = "etc/iluvatar/node.json"
SWAPPED = "etc/iluvatar/swapped"
"""There once the ticket was swapped."""
RECEIPT = "etc/iluvatar/receipt"
"""There while the daemon has not confirmed that."""
PASSWORDS = "etc/iluvatar/passwords"
CONFIGURED = "var/lib/cloud/iluvatar-configured"
"""There once the first boot of an installed system was complete: an interrupted one begins anew, and locks passwords."""
CLOCK = "run/iluvatar-clock"
"""There once the clock is right, since this start of the machine."""
DATA = "var/lib/iluvatar/data"
K3S_DATA = "var/lib/rancher/k3s"
IMAGES = f"{K3S_DATA}/agent/images"
LINKS = ("kubectl", "crictl", "ctr")
MOST_SKEW = 60
"""Seconds by which the daemon's clock may differ."""
SYNC_SECONDS = 120
"""How long a clock may take that no daemon confirms."""
LONGEST_PAUSE = 60
"""Seconds."""
TIMEOUT = 30
"""Seconds in which a daemon has to answer; of a download, without a byte."""
CHUNK = 1 << 20

_open = build_opener(ProxyHandler({})).open


class Trouble(Exception):  # noqa: N818 - it ends the program, and the next start may not have it
    """Why k3s cannot start yet: one line."""


class Refusal(Trouble):
    """A daemon refuses what is asked, however often."""


def main(root: Path = Path("/")) -> None:
    """Prepare the node whose files are below ``root``; raises Trouble."""
    config = json.loads((root / CONFIG).read_text())
    try:
        _prepare(root, config)
    except (Trouble, OSError, ValueError) as why:
        report(config, "k3s", "finish", str(why), result="FAIL")
        raise


def _prepare(root: Path, config: dict[str, Any]) -> None:
    mount_data(root, config["data"])
    set_clock(root, config)
    if not (root / CONFIGURED).exists():
        set_passwords(root)
    fetch_secrets(root, config)
    for asset in config["assets"]:
        fetch_asset(root, config, asset)
    if (root / IMAGES).is_dir():  # without it k3s imports all images at each start (k3s-io/k3s#9242)
        (root / IMAGES / ".cache.json").touch()
    for name in LINKS:
        with suppress(FileExistsError):
            (root / "usr/local/bin" / name).symlink_to("k3s")


def mount_data(root: Path, data: dict[str, Any] | None) -> None:
    """Mount the file system for what lasts, and its folders where k3s and Longhorn have their data."""
    if data is None:
        return
    whole = root / DATA
    _mount(whole, data["source"])
    for folder, target in data["folders"].items():
        (whole / folder).mkdir(parents=True, exist_ok=True)
        _mount(root / target.lstrip("/"), "--bind", str(whole / folder))


def _mount(place: Path, *what: str) -> None:
    place.mkdir(parents=True, exist_ok=True)
    if not place.is_mount():
        run("mount", *what, str(place))


def set_clock(root: Path, config: dict[str, Any]) -> None:
    """Wait until the clock is right, since certificates are dated by it. It is only ever set forward."""
    if (root / CLOCK).exists():
        return
    told = next(filter(None, map(_time_of, config["clocks"])), None)
    if told and told > time.time() + MOST_SKEW:
        time.clock_settime(time.CLOCK_REALTIME, told)
    elif told is None or told < time.time() - MOST_SKEW:
        _wait_for_sync()
    if (now := time.time()) < config["not_before"]:
        begin = _date(config["not_before"])
        raise Trouble(f"the clock says {_date(now)}, before the cluster was made on {begin}; start a daemon")
    (root / CLOCK).parent.mkdir(exist_ok=True)
    (root / CLOCK).touch()


def _time_of(daemon: str) -> float | None:
    """Return what time it is by a daemon; None where it does not answer."""
    try:
        answer, _ = _answer(Request(f"{daemon}/healthz"))  # noqa: S310 - http
        return parsedate_to_datetime(answer.headers["Date"]).timestamp()
    except (OSError, HTTPException, ValueError, TypeError):
        return None


def _wait_for_sync() -> None:
    for _ in range(SYNC_SECONDS):
        if run("timedatectl", "show", "--property=NTPSynchronized", "--value").strip() == "yes":
            return
        time.sleep(1)


def _date(moment: float) -> str:
    return f"{datetime.fromtimestamp(moment, UTC):%Y-%m-%d}"


def fetch_secrets(root: Path, config: dict[str, Any]) -> None:
    """Swap the ticket for the secret files, in two phases: it dies only once they are stored."""
    if (root / SWAPPED).exists():
        return
    report(config, "k3s/secrets", "start", "swaps its ticket")
    if not (root / RECEIPT).exists():
        _swap(root, config)
    with suppress(Refusal):  # the ticket is dead already, and the files are here
        ask(config, "stored", {"receipt": (root / RECEIPT).read_text()})
    store(root / SWAPPED, "", 0o600)
    (root / RECEIPT).unlink()
    report(config, "k3s/secrets", "finish", "has its secrets", result="SUCCESS")


def _swap(root: Path, config: dict[str, Any]) -> None:
    has_data = (root / K3S_DATA / "server/db/etcd/member/wal").is_dir()
    answer = json.loads(ask(config, "swap", {"etcd": has_data}))
    for file in answer["files"]:
        path = root / file["path"].lstrip("/")
        if not (file["stays"] and path.exists()):
            store(path, file["text"], int(file["mode"], 8))
    set_passwords(root)
    store(root / RECEIPT, answer["receipt"], 0o600)


def set_passwords(root: Path) -> None:
    """Give users the passwords that came for the ticket, if any did."""
    if (root / PASSWORDS).exists():
        run("chpasswd", "--encrypted", text=(root / PASSWORDS).read_text())


def fetch_asset(root: Path, config: dict[str, Any], asset: dict[str, str]) -> None:
    """Have a file, and download it if it is not there."""
    target = root / asset["to"].lstrip("/")
    if sha256(target) == asset["sha256"]:
        return
    report(config, f"k3s/{target.name}", "start", f"downloads {asset['path']}")
    part = download_asset(root, config, asset)
    part.chmod(int(asset["mode"], 8))
    part.replace(target)
    sync(target.parent)
    report(config, f"k3s/{target.name}", "finish", f"has {asset['path']}", result="SUCCESS")


def download_asset(root: Path, config: Mapping[str, Any], asset: dict[str, str]) -> Path:
    """Download a file beside its place, from the first daemon that has it, from where an earlier attempt ended."""
    target = root / asset["to"].lstrip("/")
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{target.name}.part")
    if sha256(part) == asset["sha256"]:
        return part
    troubles = []
    for daemon in config["daemons"]:
        try:
            _download(f"{daemon}{asset['path']}", part)
        except (OSError, HTTPException) as error:
            troubles.append(f"{daemon}{asset['path']}: {error}")
            continue
        if sha256(part) == asset["sha256"]:
            return part
        part.unlink()
        troubles.append(f"{daemon}{asset['path']}: is another file than the daemon said")
    raise Trouble("; ".join(troubles))


def _download(url: str, part: Path) -> None:
    """Add to a file what it lacks."""
    there = part.stat().st_size if part.exists() else 0
    request = Request(url, headers={"Range": f"bytes={there}-"} if there else {})  # noqa: S310 - http
    try:
        answer = _open(request, timeout=TIMEOUT)
    except HTTPError as error:
        if there and error.code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            return  # all of it is there
        raise
    with answer, part.open("ab" if answer.status == HTTPStatus.PARTIAL_CONTENT else "wb") as file:
        missing = int(answer.headers["Content-Length"])
        while chunk := answer.read(CHUNK):
            missing -= file.write(chunk)
        file.flush()
        os.fsync(file.fileno())
    if missing:
        raise HTTPException(f"ends {missing} bytes too early")


def ask(config: dict[str, Any], path: str, body: dict[str, Any]) -> bytes:
    """Return what the daemon answers that made the ticket: no other one knows it. Raises Trouble, or Refusal."""
    request = Request(f"{config['url']}/{path}", json.dumps(body).encode())  # noqa: S310 - http
    request.add_header("Content-Type", "application/json")
    try:
        answer, found = _answer(request)
    except (OSError, HTTPException) as why:
        error = str(why) or f"has not answered within {TIMEOUT} s"
        daemon = config["url"].partition("/cloud-init/")[0]
        raise Trouble(
            f"{daemon}: {error}; start this daemon; if it is gone for good, run on another one: "
            f"iluvatar-pxe machines reinstall {config['name']}, and restart this machine"
        ) from why
    if answer.status < HTTPStatus.BAD_REQUEST:
        return found
    told = found.decode(errors="replace").strip().partition("\n")[0] or str(answer.status)
    if answer.status < HTTPStatus.INTERNAL_SERVER_ERROR:
        raise Refusal(told)
    time.sleep(min(int(answer.headers.get("Retry-After", 0)), LONGEST_PAUSE))
    raise Trouble(told)


def _answer(request: Request) -> tuple[Any, bytes]:
    """Return an answer of any status, and its body."""
    answered: tuple[Any, bytes] = begun(lambda: _answered(request)).result(TIMEOUT)
    return answered


def _answered(request: Request) -> tuple[Any, bytes]:
    try:
        answer = _open(request, timeout=TIMEOUT)
    except HTTPError as error:
        answer = error
    with answer:
        return answer, answer.read()


def begun(work: Callable[[], Any]) -> "Future[Any]":
    """Begin to ask, in a thread that ends with the program: who answers byte by byte keeps nobody waiting for ever."""
    found: Future[Any] = Future()

    def carry_out() -> None:
        try:
            found.set_result(work())
        except (Trouble, OSError, HTTPException, ValueError) as why:
            found.set_exception(why)

    Thread(target=carry_out, daemon=True).start()
    return found


def report(config: dict[str, Any], name: str, event: str, words: str, **more: str) -> None:
    """Tell the daemon how far this is, as cloud-init does; nothing depends on it."""
    told = {"name": name, "description": words, "event_type": event, "origin": "iluvatar", **more}
    with suppress(Trouble):
        ask(config, "report", {**told, "timestamp": time.time()})


def store(path: Path, text: str, mode: int) -> None:
    """Write a file so that after a loss of power it is the old one or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f".{path.name}.new")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    new.chmod(mode)
    new.replace(path)
    sync(path.parent)


def sync(directory: Path) -> None:
    """Have a directory's entries outlive a loss of power."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sha256(path: Path) -> str:
    """Return a file's checksum; empty where there is no file."""
    if not path.is_file():
        return ""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def run(*command: str, text: str = "") -> str:
    """Return what a program prints; raises Trouble."""
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        raise Trouble(f"{command[0]}: {' '.join(done.stderr.split()) or done.returncode}")
    return done.stdout


def say(words: str) -> None:
    """Print a line, for the journal and for whoever looks at the screen."""
    print(words, file=sys.stderr, flush=True)
    with suppress(OSError), Path("/dev/console").open("w") as console:
        print(f"k3s: {words}", file=console)


if __name__ == "__main__":
    try:
        main()
    except (Trouble, OSError, ValueError, KeyError) as error:
        say(str(error) or type(error).__name__)
        sys.exit(1)
