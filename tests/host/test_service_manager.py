"""What systemd is told, and what it hands over: this plays its side."""

import os
import re
import socket
from pathlib import Path

import pytest

from iluvatar_pxe.host.service_manager import ServiceManager, passed_socket


@pytest.mark.parametrize("name", ["{tmp_path}/notify", "@iluvatar-pxe-test-{pid}"])
def test_it_is_told_at_paths_and_abstract_names(name: str, tmp_path: Path) -> None:
    name = name.format(tmp_path=tmp_path, pid=os.getpid())
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(name.replace("@", "\0"))
        systemd.settimeout(5)
        manager = ServiceManager.of({"NOTIFY_SOCKET": name})
        manager.ready()
        manager.alive()
        manager.stopping()
        manager.status("one\nREADY=1\n" + "x" * 2000)
        manager.reloading()
        told = [systemd.recv(10_000).decode() for _ in range(5)]
    assert told[:3] == ["READY=1", "WATCHDOG=1", "STOPPING=1"]
    assert re.fullmatch(r"STATUS=one READY=1 x{900,}", told[3])
    assert re.fullmatch(r"RELOADING=1\nMONOTONIC_USEC=\d+", told[4])


@pytest.mark.parametrize("address", ["", "/nowhere/notify", "@nobody-listens-there", "x" * 200, "vsock:2:1"])
def test_nobody_to_tell_harms_nobody(address: str) -> None:
    ServiceManager.of({"NOTIFY_SOCKET": address}).ready()


def test_one_that_does_not_listen_is_not_waited_for(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        manager = ServiceManager.of({"NOTIFY_SOCKET": str(tmp_path / "notify")})
        for _ in range(10_000):
            manager.alive()
        manager.ready()
        assert not manager.status("lost")
        systemd.recv(100)  # there is room again
        manager.alive()
        systemd.settimeout(5)
        while (told := systemd.recv(100)) == b"WATCHDOG=1":
            pass
    assert told == b"READY=1\nWATCHDOG=1"


@pytest.mark.parametrize(
    ("environ", "seconds"),
    [
        ({"WATCHDOG_USEC": "60000000"}, 60.0),
        ({"WATCHDOG_USEC": "500000", "WATCHDOG_PID": str(os.getpid())}, 0.5),
        ({"WATCHDOG_USEC": "60000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({}, None),
    ],
)
def test_the_watchdog(environ: dict[str, str], seconds: float | None) -> None:
    assert ServiceManager.of({"NOTIFY_SOCKET": "/x", **environ}).watchdog == seconds
    assert ServiceManager.of(environ).watchdog is None, "nobody to feed"


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"LISTEN_FDS": "1"},
        {"LISTEN_FDS": "1", "LISTEN_PID": "1"},
        {"LISTEN_FDS": "x", "LISTEN_PID": str(os.getpid())},
        {"LISTEN_FDS": "0", "LISTEN_PID": str(os.getpid())},
    ],
)
def test_nothing_was_passed(environ: dict[str, str], tmp_path: Path) -> None:
    assert passed_socket(tmp_path / "control.sock", environ) is None
