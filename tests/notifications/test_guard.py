"""What the process that delivers may not do."""

import subprocess
import sys
from ipaddress import ip_address
from pathlib import Path

import pytest
from support.notified import service

from iluvatar_pxe.notifications.guard import own_places, why_refused

GUARDED = "import socket, subprocess; from iluvatar_pxe.notifications.guard import guard; guard((), print)\n"


@pytest.mark.parametrize(
    ("address", "places"),
    [
        ("json://127.0.0.1:8080/hook", {"127.0.0.1"}),
        ("json://ada:word@127.0.0.1/hook", {"127.0.0.1"}),
        ("json://[::1]:8080/hook", {"::1"}),
        ("ntfy://localhost:8080/lab", {"127.0.0.1", "::1"}),
        ("mailto://lab.example?smtp=192.168.1.5&to=a@b.c", {"192.168.1.5"}),
        ("json://hooks.example/127.0.0.1x", set()),
        ("slack://TokenA/TokenB/TokenC", set()),
    ],
)
def test_places_that_an_address_itself_names(address: str, places: set[str]) -> None:
    assert own_places([address]) == {ip_address(one) for one in places}


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1", "0.0.0.0", "::", "169.254.169.254", "fe80::1%2", "224.0.0.1", "a"],
)  # fmt: skip
def test_this_host_and_its_link_are_refused(host: str) -> None:
    assert why_refused(host, ())


@pytest.mark.parametrize("host", ["192.168.1.5", "10.0.0.1", "1.1.1.1", "2606:4700::1111", "fd00::5"])
def test_other_hosts_are_not(host: str) -> None:
    assert why_refused(host, ()) is None


def test_what_the_address_names_is_allowed() -> None:
    assert why_refused("127.0.0.1", own_places(["json://127.0.0.1"])) is None
    assert why_refused("127.0.0.2", own_places(["json://127.0.0.1"]))


def run(code: str) -> str:
    """Return the last line of what a guarded process ends with."""
    command = [sys.executable, "-c", GUARDED + code]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    return ended.stderr.strip().rpartition("\n")[2]


def test_a_guarded_process_connects_reads_and_starts_nothing(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("hidden")
    (tmp_path / "link").symlink_to(tmp_path / "key")
    with service() as web:
        assert "ConnectionRefusedError" in run(f"socket.create_connection(('127.0.0.1', {web.port}))")
    for name in ("key", "link", "../" + tmp_path.name + "/key"):
        assert "PermissionError: reads no file" in run(f"open('{tmp_path}/{name}')")
    assert "PermissionError: reads no file" in run("open('/usr/../etc/passwd')")
    assert "PermissionError: starts no program" in run("subprocess.run(['true'])")
    assert run("open('/etc/hosts').close(); import colorsys") == ""
