"""``iluvatar-pxe simulate`` as a command: its pages, its exit status, and what it makes of wrong usage."""

import json
import os
import signal
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.command import Host
from support.daemon import loopback_settings, write_settings
from support.simulated_site import HELD, LOCAL, PCS, simulated_site
from support.stations import Site
from support.waiting import PATIENCE, wait_until

from iluvatar_pxe.lab.process import Process
from iluvatar_pxe.lab.room.network import INTERFACE

SECONDS = 60.0
ALL_CARDS = "cat /proc/[0-9]*/net/dev 2>/dev/null || true"
"""In whatever network namespace a process has them."""


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


@pytest.fixture(scope="module")
def network() -> Iterator[Site]:
    if os.geteuid() != 0:
        pytest.skip("needs root: cards in network namespaces")
    with simulated_site() as built:
        yield built


def simulate(network: Site, *words: str) -> Process:
    command = [sys.executable, "-m", "iluvatar_pxe", "simulate", *words, "--interface", INTERFACE]
    return network.namespace.start("simulate", command, network=PCS)


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        (["toaster"], "toaster"),
        (["bios", "--mac", "nonsense"], "--mac nonsense"),
        (["bios", "--mac", "01:00:5e:00:00:01"], "group"),
        (["bios", "--mac", "02:00:00:00:00:01", "--count", "2"], "--count"),
        (["bios", "--count", "0"], "--count"),
        (["bios", "--server", "localhost"], "--server localhost"),
        (["bios", "--server", "127.0.0.1", "--interface", "lo"], "--interface"),
    ],
)
def test_wrong_usage(host: Host, words: list[str], fault: str) -> None:
    answer = host.run("simulate", *words)
    assert answer.status == 2
    assert fault in answer.error


def test_a_server_without_a_daemon_is_named_at_once(host: Host) -> None:
    answer = host.run("simulate", "uefi-x64", "--server", "127.0.0.1")
    assert answer.status == 1
    assert ": offer: nothing listens on UDP port " in answer.error
    assert "start the daemon, or name its address with --server" in answer.error


def test_a_silent_server_is_named_soon(host: Host) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        settings = loopback_settings(host.state) | {"dhcp": {"port": silent.getsockname()[1]}}
        write_settings(host.config, settings)
        with host.start("simulate", "bios", "--server", "127.0.0.1") as process:
            assert process.stderr
            line = process.stderr.readline()
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=PATIENCE)
    assert "127.0.0.1 has not answered on UDP port " in line


def test_a_machine_that_is_held_fails_with_what_its_screen_says(network: Site) -> None:
    process = simulate(network, "ipxe", "--mac", HELD)
    assert process.wait(SECONDS) == 1
    last = process.output.splitlines()[-1]
    assert last.startswith(
        f"iluvatar-pxe: ipxe {HELD}: script: the machine waits; its screen says: held waits."
    )
    assert "machines/held.yaml sets chain hold" in last


def test_a_machine_that_is_sent_to_its_disk_boots(network: Site) -> None:
    process = simulate(network, "ipxe", "--mac", LOCAL)
    assert process.wait(SECONDS) == 0, process.output
    assert "boots its own disk: iPXE starts disk 0x80" in process.output.splitlines()[-1]


def test_a_page_for_people(network: Site) -> None:
    process = simulate(network, "ipxe", "--mac", "02:00:00:00:00:01")
    assert process.wait(SECONDS) == 0, process.output
    assert "ipxe, 02:00:00:00:00:01" in process.output
    assert "iPXE lease" in process.output
    assert "kernel-amd64 is started and has its configuration, after " in process.output.splitlines()[-1]


def test_a_page_for_programs(network: Site) -> None:
    process = simulate(network, "uefi-x64-http", "--json")
    assert process.wait(SECONDS) == 0, process.output
    page = json.loads(process.output)
    assert (page["kind"], page["boots"], page["reason"]) == ("uefi-x64-http", True, "")
    assert [stage["stage"] for stage in page["stages"]][:3] == ["offer", "lease", "program"]
    assert page["seconds"] > 3.6


def test_many_at_once_have_percentiles(network: Site) -> None:
    process = simulate(network, "ipxe", "--count", "5", "--json")
    assert process.wait(SECONDS) == 0, process.output
    page = json.loads(process.output)
    assert (page["count"], page["failed"]) == (5, 0)
    assert page["results"] == {"kernel-amd64 is started and has its configuration": 5}
    for values in page["stages"].values():
        assert values["p50"] <= values["p90"] <= values["p99"] <= values["max"]


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_a_card_is_taken_away_when_the_command_is_stopped(network: Site, how: signal.Signals) -> None:
    def cards() -> bool:
        return "sim020000" in network.namespace.run(["sh", "-c", ALL_CARDS], network=PCS)

    process = simulate(network, "uefi-x64", "--mac", "02:00:00:00:00:0a")
    wait_until(cards, "a card")
    assert process.stop(how=how) == 1
    assert "interrupted" in process.output
    assert not cards()
