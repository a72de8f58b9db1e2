"""``check``: what it says of a running daemon, and why none runs."""

import os
import socket
from pathlib import Path

import pytest
from support.daemon import Daemon
from support.warm import run_warm

from iluvatar_pxe.cli.stopped import in_the_way
from iluvatar_pxe.host.ports import Holder
from iluvatar_pxe.settings.model import Settings

PAGE = b"<!DOCTYPE html><title>404: no such schematic</title>"
PC = 'match: {macs: ["52:54:00:77:00:01"]}\nchain: talos\nconfig: configs/one.yaml\n'


def test_everything_that_keeps_machines_from_booting_is_a_line(tmp_path: Path) -> None:
    with Daemon(tmp_path) as daemon:
        (line, *_) = daemon.logged("boot.lacking")
        assert (
            "kernel-amd64 is missing, and nothing fetches it; run 'iluvatar-pxe assets fetch'"
            in line["problem"]
        )
        done = run_warm("check", "--config", str(tmp_path / "config.toml"))
    assert done.status == 0, "no machine of the fleet needs them yet"
    lines = [line for line in done.output.splitlines() if line.startswith("boot: ")]
    for missing in (
        "kernel-amd64",
        "initramfs-amd64.xz",
        "/ubuntu-24.04",
    ):
        assert [line for line in lines if missing in line], missing


def test_a_kernel_that_is_a_page_is_told_everywhere(tmp_path: Path) -> None:
    daemon = Daemon(tmp_path)
    kernel = daemon.assets / "talos" / "x" / "v1" / "kernel-amd64"
    kernel.parent.mkdir(parents=True)
    kernel.write_bytes(PAGE)
    fault = f"{kernel}: is a web page, as a failed download leaves it; fetch it again"
    with daemon:
        status, report = daemon.ready()
        done = run_warm("check", "--config", str(tmp_path / "config.toml"))
        assert daemon.wait_for_log("assets")["problem"] == fault
    assert (status, report["parts"]["assets"], fault in report["boot"]) == (503, fault, True)
    assert done.status == 1
    assert [line for line in done.output.splitlines() if fault in line] == [f"assets:    {fault}"]


def test_a_listed_machine_that_cannot_boot_is_a_problem(tmp_path: Path) -> None:
    daemon = Daemon(tmp_path)
    daemon._plant()
    (daemon.fleet / "machines" / "one.yaml").write_text(PC)
    (daemon.fleet / "configs" / "one.yaml").write_text("machine: {}\n")
    with daemon:
        status, report = daemon.ready()
    assert status == 503
    assert report["parts"]["boot"].startswith("machines/one.yaml: talos/")


def test_a_port_that_another_program_has_is_named_with_the_setting_that_moves_ours(tmp_path: Path) -> None:
    daemon = Daemon(tmp_path)
    with socket.create_server(("127.0.0.1", daemon.http_port)):
        done = run_warm("check", "--config", str(tmp_path / "config.toml"))
    assert done.status == 1
    (line,) = [one for one in done.output.splitlines() if one.startswith("port ")]
    assert f"(process {os.getpid()})" in line
    assert line.endswith(f"has TCP 127.0.0.1:{daemon.http_port}; stop it, or set another [http] port")
    assert "no daemon listens there" in done.error


@pytest.mark.parametrize(
    ("protocol", "address", "port", "expected"),
    [
        ("udp", "0.0.0.0", 53, True),
        ("tcp", "[::]", 53, True),
        ("udp", "192.168.1.2", 53, True),
        ("udp", "127.0.0.53", 53, False),
        ("udp", "127.0.0.1", 53, False),
        ("tcp", "127.0.0.1", 8080, True),
        ("udp", "0.0.0.0", 8080, False),
        ("tcp", "[::1]", 8443, False),
        ("tcp", "0.0.0.0", 69, False),
        ("udp", "0.0.0.0", 69, True),
        ("tcp", "0.0.0.0", 3333, True),
        ("udp", "0.0.0.0", 3333, False),
        ("udp", "0.0.0.0", 3334, True),
        ("tcp", "127.0.0.1", 3334, False),
    ],
)
def test_which_sockets_are_in_the_way(protocol: str, address: str, port: int, *, expected: bool) -> None:
    assert in_the_way(Holder(protocol, address, port), Settings()) is expected
