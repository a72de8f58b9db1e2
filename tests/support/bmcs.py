"""BMCs of others' making, on loopback: OpenIPMI's simulator, and the Redfish emulator of sushy-tools."""

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import bcrypt
from support.ports import free_port
from support.tls import Given, fingerprint_of
from support.waiting import PATIENCE, wait_until

_COLOUR = re.compile(r"\x1b\[\d+m")
USER, PASSWORD = "ada", "s3cret"
_IPMI = """
name "bmc"
set_working_mc 0x20
  startlan 1
    addr 127.0.0.1 {port}
    priv_limit admin
    allowed_auths_admin none md2 md5 straight
    guid a123456789abcdefa123456789abcdef
  endlan
  chassis_control "{directory}/chassis"
  user 2 true "{user}" "{password}" admin 10 none md2 md5 straight
"""
_EMULATED = "mc_setbmc 0x20\nmc_add 0x20 0 no-device-sdrs 0x23 9 8 0x9f 0x1291 0xf02\nmc_enable 0x20\n"
_CHASSIS = """#!/bin/sh
cd {directory}
case $1 in
get) for what in $2; do echo "$what:$(cat $what)"; done ;;
set) echo "$*" >>log; echo $3 >$2 ;;
esac
"""
_EMULATOR = """
import random, sys
random.randint = lambda *_: 0  # its machines switch at once, and not within eleven seconds
from sushy_tools.emulator.main import main
main()
"""


@dataclass
class Chassis:
    """A machine below ``ipmi_sim``."""

    directory: Path
    port: int

    @property
    def way(self) -> dict[str, object]:
        """``power`` in its file."""
        return {
            "ipmi": {"host": "127.0.0.1", "port": self.port, "credentials": "bmc", "cipherSuite": 3},
        }

    @property
    def log(self) -> list[str]:
        """What it was told."""
        log = self.directory / "log"
        return log.read_text().splitlines() if log.exists() else []


@contextmanager
def ipmi_simulator(directory: Path) -> Iterator[Chassis]:
    """Give a machine that is off."""
    port = free_port()
    values = {"port": port, "directory": directory, "user": USER, "password": PASSWORD}
    (directory / "lan.conf").write_text(_IPMI.format(**values))
    (directory / "emulated").write_text(_EMULATED)
    (directory / "chassis").write_text(_CHASSIS.format(directory=directory))
    (directory / "chassis").chmod(0o755)
    for name, value in (("power", "0"), ("boot", "default")):
        (directory / name).write_text(value)
    files = ("-c", directory / "lan.conf", "-f", directory / "emulated", "-s", directory / "state")
    with _running(["ipmi_sim", *map(str, files), "-n"], directory):
        yield Chassis(directory, port)


@dataclass
class Emulator:
    """sushy-emulator with one machine, by TLS."""

    url: str
    given: Given
    log: Path

    @property
    def way(self) -> dict[str, object]:
        """``power`` in its file."""
        return {
            "redfish": {
                "url": self.url,
                "credentials": "bmc",
                "fingerprint": fingerprint_of(self.given.certificate),
            }
        }

    @property
    def told(self) -> list[str]:
        """What it was told, and not only asked: method, path and status."""
        log = _COLOUR.sub("", self.log.read_text())
        lines = [line.partition('"')[2] for line in log.splitlines() if '"' in line]
        return [line for line in lines if "GET" not in line]


@contextmanager
def redfish_emulator(directory: Path) -> Iterator[Emulator]:
    """Give one whose machine is off."""
    given, port, log = Given.make(directory, "bmc"), free_port(), directory / "redfish.log"
    digest = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode()
    (directory / "users").write_text(f"{USER}:{digest}\n")
    settings = {"AUTH_FILE": f"{directory}/users", "STATE_DIR": str(directory), "FEATURE_SET": "full"}
    lines = [f"SUSHY_EMULATOR_{name} = {value!r}\n" for name, value in settings.items()]
    (directory / "redfish.conf").write_text("".join(lines))
    arguments = ["--config", f"{directory}/redfish.conf", "--fake", "-i", "127.0.0.1", "-p", str(port)]
    arguments += ["--ssl-certificate", str(given.certificate), "--ssl-key", str(given.key)]
    with _running([sys.executable, "-c", _EMULATOR, *arguments], directory, log):
        wait_until(lambda: "Running on" in log.read_text(), "the Redfish emulator")
        yield Emulator(f"https://127.0.0.1:{port}", given, log)


@contextmanager
def _running(argv: list[str], directory: Path, log: Path | None = None) -> Iterator[None]:
    with (log or directory / "output.log").open("w") as output:
        process = subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd=directory
        )
        try:
            yield
        finally:
            process.terminate()
            process.wait(PATIENCE)
