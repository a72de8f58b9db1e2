"""The service as systemd runs it: put in place, started, watched, asked as root, and taken away."""

import re
import shutil
import signal
from collections.abc import Iterator

import pytest
from support.booted import ADDRESS, HOME, LOG, PROGRAM, Booted, booted
from support.waiting import wait_until

from iluvatar_pxe.resources import data_directory

STATE = "/var/lib/iluvatar-pxe"
SOCKET = "/run/iluvatar-pxe/control.sock"
ASKED = "/run/asked.log"
LOWERED = "a lower priority is allowed"
_LOWER = f"from iluvatar_pxe.host.background import lower_priority; lower_priority(); print('{LOWERED}')"
DROP_IN = (
    f"[Service]\nWatchdogSec=10\nRestartSec=0\nStandardOutput=append:{LOG}\nStandardError=append:{LOG}\n"
    f'ExecStartPost=-{HOME}/bin/python -c "{_LOWER}"\n'
)
ASK = """
import asyncio
from pathlib import Path
from iluvatar_pxe.errors import PowerError
from iluvatar_pxe.fleet.power import Power as Declared
from iluvatar_pxe.power.action import Action
from iluvatar_pxe.power.power import Power
TEXTS = {"bmc": "username: ada\\npassword: s3cret\\n"}
WAYS = (
    {"ipmi": {"host": "bmc.invalid", "credentials": "bmc"}},
    {"redfish": {"url": "https://127.0.0.1:1", "credentials": "bmc"}},
    {"command": {"program": "plug"}},
)
async def ask() -> None:
    power = Power(lambda: (), lambda: TEXTS, Path("/etc/iluvatar-pxe/power"))
    for way in WAYS:
        try:
            print(await power.switch("one", Declared.model_validate(way), (Action.STATUS,), "root", is_uefi=True))
        except PowerError as error:
            print(error)
asyncio.run(ask())
"""
"""Asks BMCs that are not there, which needs ipmitool, the libraries for Redfish and an owner's program to run."""
CAPABILITIES = 1 << 10 | 1 << 13
"""linux/capability.h: CAP_NET_BIND_SERVICE, CAP_NET_RAW."""


@pytest.fixture(scope="module")
def host() -> Iterator[Booted]:
    with booted() as running:
        drop_in = running.outside("/etc/systemd/system/iluvatar-pxe.service.d/test.conf")
        drop_in.parent.mkdir()
        drop_in.write_text(DROP_IN)
        before = running.outside(f"{STATE}/assets/own")
        before.parent.mkdir(parents=True)
        before.write_text("a boot file that was there before\n")
        installed = running.command("install")
        assert installed.count("installed") == 5, installed
        assert f"{STATE}: 3 given to the service user" in installed
        assert "iluvatar-pxe.service: started" in installed
        yield running


def log_of(host: Booted) -> str:
    return host.outside(LOG).read_text()


def main_process(host: Booted) -> str:
    """Return its PID. While there is none systemd says 0, which to kill(2) is the caller's own process group."""
    return wait_until(lambda: host.shown("MainPID").removeprefix("0"), "a main process")


def get(host: Booted, path: str) -> str:
    return host.run("curl", "--silent", "--max-time", "10", f"http://{ADDRESS}:8080{path}")


def test_it_serves_and_says_so(host: Booted) -> None:
    assert get(host, "/boot.ipxe").startswith("#!ipxe")
    assert f'"tftp": "{ADDRESS}:69"' in log_of(host)
    assert "ndp.off" not in log_of(host), "the raw socket works"
    assert "dhcp.no_proof" not in log_of(host), "and so does the packet socket"
    status = wait_until(lambda: host.shown("StatusText"), "a status")
    assert re.fullmatch(r"0 machines, 0 booting, window open 23 h 5\d min", status)
    assert host.shown("UnitFileState") == "enabled"


def test_it_has_no_more_rights_than_it_needs(host: Booted) -> None:
    status = host.run("cat", f"/proc/{main_process(host)}/status")
    fields = dict(line.split(":\t", 1) for line in status.splitlines())
    assert fields["Uid"].split()[0] != "0"
    for kind in ("CapEff", "CapBnd", "CapAmb"):
        assert int(fields[kind], 16) == CAPABILITIES, kind
    assert (fields["NoNewPrivs"], fields["Seccomp"]) == ("1", "2")


def test_its_background_threads_may_lower_their_priority(host: Booted) -> None:
    """A filter of system calls would have the first download fail."""
    wait_until(lambda: LOWERED in log_of(host), "a process of the service at a lower priority")


def test_its_sandbox_lets_machines_be_switched(host: Booted) -> None:
    unit = host.outside("/etc/systemd/system/iluvatar-pxe.service").read_text()
    unit = re.sub(r"(?m)^ExecStart=.*", f"ExecStart={HOME}/bin/python /etc/iluvatar-pxe/ask.py", unit)
    unit = re.sub(r"(?m)^(Requires|After|Watchdog|Restart|NotifyAccess).*", "", unit)
    unit = unit.replace("Type=notify", f"Type=oneshot\nStandardOutput=append:{ASKED}")
    host.outside("/etc/systemd/system/asks.service").write_text(unit)
    host.outside("/etc/iluvatar-pxe/ask.py").write_text(ASK)
    plug = host.outside("/etc/iluvatar-pxe/power/plug")
    plug.parent.mkdir(mode=0o755)
    plug.write_text("#!/bin/sh\necho on\n")
    plug.chmod(0o755)
    host.run("systemctl", "daemon-reload")
    host.run("systemctl", "start", "asks")
    host.run(
        "rm", "-r", "/etc/systemd/system/asks.service", "/etc/iluvatar-pxe/ask.py", "/etc/iluvatar-pxe/power"
    )
    ipmi, redfish, command = [
        line for line in host.outside(ASKED).read_text().splitlines() if "power.failed" not in line
    ]
    assert re.fullmatch(
        "one: power status by ipmi: Address lookup for bmc.invalid failed.*|one: .*Unable.*", ipmi
    )
    assert redfish == "one: power status by redfish: cannot be reached: Connection refused"
    assert command == "on"


def test_a_second_install_changes_nothing(host: Booted) -> None:
    before = main_process(host)
    *lines, _, keys = host.command("install").splitlines()
    assert keys.endswith("sudo iluvatar-pxe fleet init")
    assert len(lines) == 9
    assert {line.rpartition(": ")[2] for line in lines} == {"unchanged"}, lines
    assert main_process(host) == before


def test_one_that_was_interrupted_is_made_up_for(host: Booted) -> None:
    before = main_process(host)
    host.outside("/etc/systemd/system/iluvatar-pxe.service").touch()
    settings = host.outside("/etc/iluvatar-pxe")
    settings.chmod(0o700)
    told = host.command("install")
    assert "/etc/iluvatar-pxe: opened to the service user" in told
    assert "iluvatar-pxe.service: started" in told
    assert main_process(host) != before
    assert settings.stat().st_mode & 0o777 == 0o755


def test_an_image_gets_the_files_and_nothing_is_started(host: Booted) -> None:
    image = host.outside("/run/image")
    (image / "etc").mkdir(parents=True)
    told = host.command("install", "--root", "/run/image")
    assert "/run/image/var/lib/iluvatar-pxe: created" in told
    assert "iluvatar-pxe.service: not started: systemd is not running\n" in told
    unit = (image / "etc/systemd/system/iluvatar-pxe.service").read_text()
    assert f"\nExecStart={PROGRAM} serve\n" in unit
    assert (image / "etc/systemd/system/multi-user.target.wants/iluvatar-pxe.service").is_symlink()
    assert "\niluvatar-pxe:" in "\n" + (image / "etc/passwd").read_text()
    host.command("uninstall", "--purge", "--yes", "--root", "/run/image")
    left = {path.name for path in image.rglob("*") if not path.is_dir() or path.is_symlink()}
    assert not {name for name in left if name.startswith("iluvatar-pxe") or name == "config.toml"}


def test_root_commands_it_and_leaves_nothing_of_its_own(host: Booted) -> None:
    assert "open for 2 h" in host.command("enrol", "open", "2h")
    wait_until(lambda: "window open 1 h 59 min" in host.shown("StatusText"), "the new status")
    host.command("db", "backup", "/tmp/copy.db")
    assert "No machines yet" in host.command("machines", "list")
    host.run("systemctl", "stop", "iluvatar-pxe")
    wait_until(lambda: not host.outside(SOCKET).exists(), "its socket to go: a command would start it again")
    for words in (("enrol", "close"), ("db", "backup", "/tmp/second.db")):
        host.command(*words)
    assert host.shown("ActiveState") == "inactive"
    host.run("systemctl", "start", "iluvatar-pxe")
    wait_until(lambda: host.shown("StatusText").endswith("window closed"), "what was asked meanwhile")
    others = host.run("find", STATE, "!", "-user", "iluvatar-pxe")
    assert others == "", "the service can write all of it"


def test_the_fleet_is_hosted_and_its_keys_are_in_no_journal(host: Booted) -> None:
    """Root looks at it and pushes to it, and the service can write all of it."""
    told = host.command("fleet", "init")
    token, key = re.search(r"ilu_\S+", told), re.search(r"AGE-SECRET-KEY-1\S+", told)
    assert token
    assert key
    url = f"https://owner:{token[0]}@{ADDRESS}:8443/git/fleet.git"
    host.run(
        *("sh", "-ec"),
        f"cd /tmp && export GIT_SSL_CAINFO={STATE}/tls/ca.crt HOME=/tmp"
        f" && git clone --quiet {url} clone && cd clone"
        " && git config user.name Ada && git config user.email ada@example.org"
        " && echo 'domain: lab.home.arpa' >fleet.yaml && git commit --quiet --all --message other && git push --quiet",
    )
    wait_until(lambda: '"subject": "other"' in log_of(host), "the push to be in force")
    assert host.command("fleet", "diff") == "Nothing changes for any machine.\n"
    # No boot file can come here, no machine is there, and the clock is this host's.
    waited_for = ("iPXE:", "boot:", "clusters:", "time:")
    parts = [line for line in host.command("check").splitlines() if not line.startswith(waited_for)]
    assert len(parts) > 6
    assert [line for line in parts if not line.endswith(" ok")] == []
    assert token[0] not in log_of(host)
    assert key[0] not in log_of(host)
    assert "fleet.checker" not in log_of(host)
    assert "untold" not in log_of(host), "the kernel tells of pushes and boot files"
    assert host.run("find", STATE, "!", "-user", "iluvatar-pxe") == ""


def test_its_sandbox_lets_a_process_of_its_own_check_pushes(host: Booted) -> None:
    """The hook says what it imports: next to nothing where that process has answered."""
    hook = host.outside(f"{STATE}/git/fleet.git/hooks/pre-receive")
    hook.write_text(hook.read_text().replace(" -S ", " -S -X importtime "))
    told = host.run(
        *("sh", "-ec"),
        f"cd /tmp/clone && export GIT_SSL_CAINFO={STATE}/tls/ca.crt HOME=/tmp"
        " && git commit --quiet --allow-empty --message again && git push --quiet 2>&1",
    )
    assert "import time:" in told
    assert "iluvatar_pxe.gitops.hook" not in told
    assert "fleet.checker" not in log_of(host)


def test_a_reload_is_seen_and_a_fault_is_the_status(host: Booted) -> None:
    """Somebody with the disk in hand puts a faulty commit on the branch, and takes it back."""
    before = main_process(host)
    git = f"git -c safe.directory=* -C {STATE}/git/fleet.git"
    user = "-c user.name=x -c user.email=x@x"
    host.run(
        *("sh", "-ec"),
        f"tree=$(printf '100644 blob %s\\tfleet.yaml\\n' $(echo 'colour: red' | {git} hash-object -w --stdin) | {git} mktree)"
        f" && {git} tag good main && {git} update-ref refs/heads/main $({git} {user} commit-tree $tree -p main -m x)"
        f" && chown -R iluvatar-pxe: {STATE}/git",
    )
    host.run("systemctl", "reload", "iluvatar-pxe")
    wait_until(lambda: "fleet.yaml:1: colour: no such key" in host.shown("StatusText"), "it")
    host.run("sh", "-ec", f"{git} update-ref refs/heads/main good && chown -R iluvatar-pxe: {STATE}/git")
    host.run("systemctl", "reload", "iluvatar-pxe")
    wait_until(lambda: host.shown("StatusText").startswith("0 machines"), "it to be well again")
    assert main_process(host) == before
    assert host.shown("ActiveState") == "active"


def test_one_that_hangs_is_started_again(host: Booted) -> None:
    before = main_process(host)
    host.run("kill", f"-{signal.SIGSTOP}", before)
    wait_until(lambda: host.shown("NRestarts") == "1", "the watchdog to bite")
    wait_until(lambda: host.shown("ActiveState") == "active", "the next one")
    assert main_process(host) != before


def test_a_deaf_loopback_is_told_and_no_reason_to_start_again(host: Booted) -> None:
    before = main_process(host)
    host.run("ip", "link", "set", "lo", "down")
    try:
        wait_until(lambda: host.shown("StatusText").startswith("loopback does not work at "), "it to be told")
        fed = host.shown("WatchdogTimestampMonotonic")
        wait_until(lambda: host.shown("WatchdogTimestampMonotonic") != fed, "the watchdog to be fed")
    finally:
        host.run("ip", "link", "set", "lo", "up")
    wait_until(lambda: host.shown("StatusText").startswith("0 machines"), "it to be well again")
    assert main_process(host) == before


def test_a_control_socket_that_somebody_removed_comes_back(host: Booted) -> None:
    host.outside(SOCKET).unlink()
    wait_until(host.outside(SOCKET).exists, "the watchdog to bite")
    wait_until(lambda: host.shown("ActiveState") == "active", "the next one")
    host.command("enrol", "close")


def test_a_service_without_its_unit_is_stopped(host: Booted) -> None:
    host.outside("/etc/systemd/system/iluvatar-pxe.service").unlink()
    host.run("systemctl", "daemon-reload")
    assert host.shown("LoadState") == "not-found"
    assert "iluvatar-pxe.service: stopped" in host.command("uninstall")
    assert host.shown("MainPID") == "0"
    assert not host.outside("/etc/systemd/system/multi-user.target.wants/iluvatar-pxe.service").is_symlink()
    host.command("install")


def test_uninstalling_keeps_state_and_settings_unless_told_otherwise(host: Booted) -> None:
    settings = host.outside("/etc/iluvatar-pxe/config.toml")
    settings.write_text("# mine\n")
    (settings.parent / "fleet.token").write_text("x")
    for file in (data_directory("boot_assets") / "seed_card").glob("iluvatar-pxe-node.*"):
        shutil.copy(file, host.outside(f"/etc/systemd/system/{file.name}"))
    host.run("systemctl", "enable", "--now", "--no-block", "iluvatar-pxe-node.path")
    assert f"{STATE}: kept" in host.command("uninstall")
    assert host.shown("LoadState", "iluvatar-pxe-node.path") == "not-found"
    assert host.outside(f"{STATE}/inventory.db").exists()
    assert host.shown("LoadState") == "not-found"
    host.command("install")
    assert settings.read_text() == "# mine\n"
    assert host.shown("ActiveState") == "active"

    refused = host.run("sh", "-c", f"{PROGRAM} uninstall --purge 2>&1 || true")
    assert f"{STATE}/git/fleet.git: a Git repository, perhaps its only copy" in refused
    assert "there is no terminal to confirm on; add --yes" in refused
    assert "/etc/iluvatar-pxe/fleet.token: a file of yours" in refused
    assert host.shown("ActiveState") == "active"
    assert settings.exists()
    assert f"{STATE}: removed" in host.command("uninstall", "--purge", "--yes")
    for path in (STATE, settings.parent, SOCKET, "/etc/systemd/system/iluvatar-pxe.socket"):
        assert not host.outside(str(path)).exists(), path
