"""Nothing of the lab outlives its driver, whether that ends in order or is killed."""

import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from iluvatar_pxe.lab.firmware import firmware_named
from iluvatar_pxe.lab.guest import start_guest
from iluvatar_pxe.lab.lab import MAC, Lab

pytestmark = pytest.mark.firmware

BOOTING = "SeaBIOS"
DEADLINE_SECONDS = 30.0
KINDS = ("net", "mnt", "pid")
DRIVER = f"""
import time
from iluvatar_pxe.lab.firmware import firmware_named
from iluvatar_pxe.lab.guest import start_guest
from iluvatar_pxe.lab.lab import MAC, Lab
with Lab() as lab:
    start_guest(lab.network, firmware_named("bios"), MAC).wait_for("{BOOTING}", 60)
    print("booting", flush=True)
    time.sleep(600)
"""


def test_nothing_is_left_after_an_orderly_end() -> None:
    others = lab_processes(os.getpid())  # of tests before this one
    with Lab() as lab:
        start_guest(lab.network, firmware_named("bios"), MAC).wait_for(BOOTING, 60)
        processes = {pid: name for pid, name in lab_processes(os.getpid()).items() if pid not in others}
        namespaces = namespaces_of(processes)
    assert any(name.startswith("qemu") for name in processes.values()), processes
    assert not still_running(processes)
    assert not namespaces & namespaces_of(all_processes())
    assert not names_on_the_host()


def test_nothing_is_left_after_the_driver_is_killed_in_the_middle_of_a_boot(tmp_path: Path) -> None:
    places = {"TMPDIR": tmp_path, "HOME": tmp_path, "XDG_CACHE_HOME": tmp_path, "XDG_RUNTIME_DIR": tmp_path}
    driver = subprocess.Popen(
        [sys.executable, "-c", DRIVER],
        cwd=Path(__file__).parents[2],
        env={**os.environ, **{name: str(path) for name, path in places.items()}},
        stdout=subprocess.PIPE,
        text=True,
    )
    with driver:
        assert driver.stdout is not None
        try:
            assert driver.stdout.readline() == "booting\n"
            processes = lab_processes(driver.pid)
            namespaces = namespaces_of(processes)
            watches = [os.pidfd_open(pid) for pid in processes]
        finally:
            driver.send_signal(signal.SIGKILL)
    assert any(name.startswith("qemu") for name in processes.values()), processes
    assert wait_for_ends(watches) == []
    assert not namespaces & namespaces_of(all_processes())
    assert not names_on_the_host()
    assert list(tmp_path.iterdir()) == []


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
    return {pid: name for pid, name in all_processes().items() if processes.get(pid) == name}


def names_on_the_host() -> list[str]:
    """Return what the lab could have left by name: links, network namespaces, its directory."""
    links = subprocess.run(["ip", "-brief", "link"], capture_output=True, text=True, check=True).stdout
    networks = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, check=True).stdout
    named = [line.split()[0].partition("@")[0] for line in (links + networks).splitlines() if line.strip()]
    left = [name for name in named if name in {"lab0", "tap0", "router", "server"}]
    return left + [str(path) for path in (Path("/run/lab"),) if path.exists()]
