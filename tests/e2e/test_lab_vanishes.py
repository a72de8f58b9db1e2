"""Nothing of the lab outlives its driver, whether that ends in order or is killed."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from support.processes import (
    all_processes,
    lab_processes,
    names_on_the_host,
    namespaces_of,
    still_running,
    wait_for_ends,
)

from iluvatar_pxe.lab.guest.firmware import firmware_named
from iluvatar_pxe.lab.guest.guest import start_guest
from iluvatar_pxe.lab.room.lab import Lab

pytestmark = pytest.mark.firmware

BOOTING = "SeaBIOS"
MAC = "52:54:00:77:00:01"
DRIVER = f"""
import time
from iluvatar_pxe.lab.guest.firmware import firmware_named
from iluvatar_pxe.lab.guest.guest import start_guest
from iluvatar_pxe.lab.room.lab import Lab
with Lab() as lab:
    start_guest(lab.network, firmware_named("bios"), "{MAC}").wait_for("{BOOTING}", 60)
    print("booting", flush=True)
    time.sleep(600)
"""


def test_nothing_is_left_after_an_orderly_end() -> None:
    others = lab_processes(os.getpid())  # of tests before this one
    with Lab() as lab:
        start_guest(lab.network, firmware_named("bios"), MAC).wait_for(BOOTING, 60)
        processes = {pid: name for pid, name in lab_processes(os.getpid()).items() if pid not in others}
        namespaces = namespaces_of(processes)
        everyone = all_processes()
    assert any(name.startswith("qemu") for name in processes.values()), processes
    assert not still_running(processes)
    assert not namespaces & namespaces_of(still_running(everyone))
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
            everyone = all_processes()
            watches = [os.pidfd_open(pid) for pid in processes]
        finally:
            driver.send_signal(signal.SIGKILL)
    assert any(name.startswith("qemu") for name in processes.values()), processes
    assert wait_for_ends(watches) == []
    assert not namespaces & namespaces_of(still_running(everyone))
    assert not names_on_the_host()
    assert list(tmp_path.iterdir()) == []
