"""What a lab leaves on this machine, or rather does not: processes, namespaces, names."""

import os
import select
import subprocess
import time
from pathlib import Path

DEADLINE_SECONDS = 30.0
KINDS = ("net", "mnt", "pid")


def wait_for_ends(watches: list[int]) -> list[int]:
    """Wait for processes to end, by their pidfds, and return those that did not in time."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    left = set(watches)
    poller = select.poll()
    for watch in watches:
        poller.register(watch, select.POLLIN)
    while left and (remaining := deadline - time.monotonic()) > 0:
        for watch, _ in poller.poll(remaining * 1000):
            poller.unregister(watch)
            os.close(watch)
            left.discard(watch)
    return sorted(left)


def lab_processes(driver: int) -> dict[int, str]:
    """Return the names of all descendants of ``driver``, and of all that share a namespace with them."""
    everyone = all_processes()
    found = {driver}
    while more := {pid for pid in everyone if parent_of(pid) in found} - found:
        found |= more
    return {pid: everyone[pid] for pid in found - {driver}}


def all_processes() -> dict[int, str]:
    found = {}
    for directory in Path("/proc").iterdir():
        if directory.name.isdigit():
            try:
                found[int(directory.name)] = (directory / "comm").read_text().strip()
            except OSError:  # it has just ended
                continue
    return found


def parent_of(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0


def namespaces_of(pids: dict[int, str]) -> set[str]:
    """Return the namespaces of these processes, but for this process's own, as the kernel names them."""
    own = {str(Path(f"/proc/self/ns/{kind}").readlink()) for kind in KINDS}
    found = set()
    for pid in pids:
        for kind in KINDS:
            try:
                found.add(str(Path(f"/proc/{pid}/ns/{kind}").readlink()))
            except OSError:
                continue
    return found - own


def still_running(processes: dict[int, str]) -> dict[int, str]:
    """Return those that have not ended; the kernel gives a namespace's number to the next one, of another test."""
    return {pid: name for pid, name in all_processes().items() if processes.get(pid) == name}


def names_on_the_host() -> list[str]:
    """Return what the lab could have left by name: links, network namespaces, its directory."""
    links = subprocess.run(["ip", "-brief", "link"], capture_output=True, text=True, check=True).stdout
    networks = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, check=True).stdout
    named = [line.split()[0].partition("@")[0] for line in (links + networks).splitlines() if line.strip()]
    left = [name for name in named if name in {"lab0", "tap0", "router", "server"}]
    return left + [str(path) for path in (Path("/run/lab"),) if path.exists()]
