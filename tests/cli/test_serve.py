"""``iluvatar-pxe serve`` as a process: what it says, what it exits with, and one line for every fault."""

import re
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.daemon import Daemon
from support.waiting import PATIENCE, wait_until
from support.warm import Ended, run_warm

MAC = "52:54:00:77:00:01"
MACHINE = f"match: {{macs: [{MAC}]}}\nchain: local\n"


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """One daemon for all tests that do not stop it."""
    with Daemon(tmp_path_factory.mktemp("daemon")) as running:
        yield running


def faults(daemon: Daemon, status: int) -> list[str]:
    """Start it, wait for its end, and return what it has said."""
    daemon.start()
    assert daemon.ends() == status
    assert daemon.output == ""
    assert not any("Traceback" in line for line in daemon.errors)
    return [line.removeprefix("iluvatar-pxe: ") for line in daemon.errors if not line.startswith("{")]


def fault(directory: Path, settings: dict[str, dict[str, object]], status: int) -> str:
    (line,) = faults(Daemon(directory, settings), status)
    return line


def test_it_is_ready_and_serves(daemon: Daemon) -> None:
    status, report = daemon.ready()
    assert status == 200
    assert report["ready"] is True
    parts = (
        "assets",
        "boot",
        "changes",
        "clusters",
        "configurations",
        "control",
        "database",
        "dhcp",
        "dns",
        "fleet",
        "keys",
        "network",
        "snapshots",
        "tickets",
        "tls",
    )
    assert report["parts"] == dict.fromkeys(parts, "ok")
    assert set(report["programs"]) == {
        "bios-x86_64",
        "uefi-x86_64",
        "uefi-i386",
        "uefi-arm64",
        "u-boot-arm64",
    }
    assert daemon.get("/boot.ipxe")[1].startswith(b"#!ipxe\n")


def test_no_core_dump_is_written_of_it(daemon: Daemon) -> None:
    limits = Path(f"/proc/{daemon.process.pid}/limits").read_text()
    assert re.search(r"^Max core file size +0 +0 ", limits, re.MULTILINE)


def test_it_says_what_listens_where(daemon: Daemon) -> None:
    line = daemon.wait_for_log("listening")
    dhcp = daemon.settings["dhcp"]
    assert line["interface"] == "lo"
    assert line["https"] == f"127.0.0.1:{daemon.settings['http']['tls_port']}"
    assert line["http"] == f"127.0.0.1:{daemon.http_port}"
    assert line["dns"] == f"127.0.0.1:{daemon.settings['dns']['port']}"
    assert line["tftp"] == f"127.0.0.1:{daemon.tftp_port}"
    assert line["dhcp"] == f"127.0.0.1:{dhcp['port']} and :{dhcp['pxe_port']}"


def test_what_it_keeps_is_closed_to_others(daemon: Daemon) -> None:
    assert daemon.state.stat().st_mode & 0o007 == 0
    assert (daemon.state / "ticket.key").stat().st_mode & 0o077 == 0


def test_a_fleet_is_reloaded_and_a_broken_one_changes_nothing(daemon: Daemon) -> None:
    assert b"52:54:00:77:00:01 waits." in daemon.get(f"/ipxe?mac={MAC}")[1]
    machine = daemon.fleet / "machines" / "one.yaml"
    machine.write_text(MACHINE)
    daemon.process.send_signal(signal.SIGHUP)
    assert daemon.wait_for_log("fleet.applied", 2)["machines"] == 1
    assert b"one: booting from its own disk" in daemon.get(f"/ipxe?mac={MAC}")[1]

    machine.write_text("chain: local\ncolour: red\n")
    daemon.process.send_signal(signal.SIGHUP)
    daemon.wait_for_log("fleet.rejected", 2)
    expected = [
        f"{machine}:1: match: is missing; add it",
        f"{machine}:2: colour: no such key; remove it or correct its name",
    ]
    assert [line["why"] for line in daemon.logged("fleet.rejected")] == expected
    status, report = daemon.ready()
    assert (status, report["parts"]["fleet"]) == (503, expected[0])
    assert b"one: booting from its own disk" in daemon.get(f"/ipxe?mac={MAC}")[1], "the old state stays"

    machine.unlink()
    daemon.process.send_signal(signal.SIGHUP)
    wait_until(lambda: daemon.ready()[0] == 200, "the fleet to be well again")
    assert b"52:54:00:77:00:01 waits." in daemon.get(f"/ipxe?mac={MAC}")[1]


def test_every_line_of_log_is_json(tmp_path: Path) -> None:
    query = f"mac={MAC}&product=%1b[2J%0a%22&serial=%ff%00"
    with Daemon(tmp_path) as daemon:
        for path in (f"/ipxe?{query}", "/boot.ipxe", "/autoexec.ipxe"):
            assert daemon.get(path)[0] == 200
        with socket.create_connection(("127.0.0.1", daemon.http_port), timeout=PATIENCE) as sock:
            sock.sendall(b"GET /\x1b[2J\n HTTP/1.1\r\n\r\n")
            assert sock.recv(1000)
        with socket.socket(type=socket.SOCK_DGRAM) as sock:
            for octets in (b"", b"\0", b"\xff" * 600, b"\0\1../../etc/passwd\0octet\0"):
                sock.sendto(octets, ("127.0.0.1", daemon.tftp_port))
                sock.sendto(octets, ("127.0.0.1", daemon.settings["dhcp"]["port"]))
        daemon.wait_for_log("tftp.missing")
        assert daemon.stop() == 0
        assert all({"event", "level", "timestamp"} <= set(line) for line in daemon.log)
        events = [line["event"] for line in daemon.log if line["event"] != "left"]  # a busy host's last word
        assert (events[0], events[-1]) == ("fleet.applied", "stopped")
        assert "stopping" in events
        assert "listens" not in daemon.output, "no table where nobody reads it"


def test_a_console_log_is_for_people_and_dhcp_may_be_off(tmp_path: Path) -> None:
    with Daemon(tmp_path, {"log": {"format": "console"}, "network": {"dhcp": "off"}}) as daemon:
        with socket.socket(type=socket.SOCK_DGRAM) as sock:
            sock.bind(("127.0.0.1", daemon.settings["dhcp"]["port"]))
        assert daemon.stop() == 0
        assert "iluvatar-pxe listens" in daemon.output
        assert f"curl http://127.0.0.1:{daemon.http_port}/readyz" in daemon.output
        assert any("listening" in line and "dhcp=off" in line for line in daemon.errors)


def test_the_starter_fleet_is_planted_once(tmp_path: Path) -> None:
    with Daemon(tmp_path) as daemon:
        starter = daemon.fleet / "fleet.yaml"
        assert "rules:" in starter.read_text()
        assert daemon.stop() == 0
    starter.write_text("domain: mine.example\n")
    (daemon.fleet / "README.md").unlink()
    with Daemon(tmp_path) as daemon:
        assert daemon.stop() == 0
    assert starter.read_text() == "domain: mine.example\n"
    assert not (daemon.fleet / "README.md").exists()


def test_broken_settings(tmp_path: Path) -> None:
    line = fault(tmp_path, {"http": {"port": 70000}}, 2)
    assert re.fullmatch(rf"{tmp_path}/config\.toml: http\.port: .*65535, but it is 70000; correct it", line)


def test_a_database_of_another_kind(tmp_path: Path) -> None:
    assert "database.url: 'mysql://x' is not a SQLite file's URL" in fault(
        tmp_path, {"database": {"url": "mysql://x"}}, 2
    )


def test_settings_that_are_not_there(tmp_path: Path) -> None:
    missing = tmp_path / "none.toml"
    line = f"iluvatar-pxe: {missing}: no such file; create it or leave --config out\n"
    assert run_warm("serve", "--config", str(missing)) == Ended(2, "", line)


def test_wrong_usage() -> None:
    ended = run_warm("serve", "--colour")
    assert ended.status == 2
    assert "No such option" in ended.error
    assert "Traceback" not in ended.error


def test_a_broken_fleet_is_one_line_a_fault(tmp_path: Path) -> None:
    fleet = tmp_path / "fleet"
    (fleet / "machines").mkdir(parents=True)
    (fleet / "fleet.yaml").write_text("colour: red\n")
    (fleet / "machines" / "one.yaml").write_text(MACHINE)
    (fleet / "machines" / "two.yaml").write_text(MACHINE)
    again = f"{MAC} is already listed in machines/one.yaml; remove it from one of them"
    assert faults(Daemon(tmp_path, {"fleet": {"source": str(fleet)}}), 2) == [
        f"{fleet}/fleet.yaml:1: colour: no such key; remove it or correct its name",
        f"{fleet}/machines/two.yaml:1: {again}",
    ]


@pytest.mark.parametrize("section", ["http", "tftp", "dhcp"])
def test_a_port_that_is_taken(tmp_path: Path, section: str) -> None:
    daemon = Daemon(tmp_path)
    port = daemon.settings[section]["port"]
    kind = socket.SOCK_STREAM if section == "http" else socket.SOCK_DGRAM
    with socket.socket(type=kind) as other:
        other.bind(("127.0.0.1", port))
        if section == "http":
            other.listen()
        (line,) = faults(daemon, 1)
    assert f"127.0.0.1:{port}" in line
    assert "address already in use" in line.lower()


def test_an_interface_that_is_not_there(tmp_path: Path) -> None:
    """A name that was mistyped, or one that comes later: it cannot be known, so the daemon says so and waits."""
    why = "interface none0 does not exist yet; it is served once it appears, or correct [network] interfaces"
    with Daemon(tmp_path, {"network": {"interfaces": ["none0", "lo"]}}) as daemon:
        assert daemon.wait_for_log("network").items() >= {"level": "warning", "problem": why}.items()
        assert [line["interface"] for line in daemon.logged("listening")] == ["lo"]
        assert daemon.ready()[1]["parts"]["network"] == why


def test_a_state_directory_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    line = fault(tmp_path, {"state": {"directory": str(tmp_path / "file" / "state")}}, 1)
    assert line.startswith(f"{tmp_path}/file/state: cannot be created: Not a directory; ")
