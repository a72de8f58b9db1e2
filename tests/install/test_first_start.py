"""The first start of a seed card's daemon, as its card does it, on a host with systemd and nothing of ours.

``timedatectl`` and ``sudo`` are stand-ins: nobody tells that host the time, and everything is typed by root. A wheel of
our own leads to the Python packages of this checkout, in place of the lock's wheels; tests/install/test_seed_card.py
has those, by ``make test-long``.
"""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from shutil import copytree

import pytest
from support.booted import ADDRESS, HOME, Booted, booted
from support.waiting import wait_until
from support.wheels import make_wheel

from iluvatar_pxe.layers.ainur.seed_card.wheels import make_own_wheel
from iluvatar_pxe.resources import data_directory

CARD = "/boot/firmware/iluvatar-pxe"
UNIT = "iluvatar-pxe-first-start.service"
NODE = "iluvatar-pxe-node.service"
KEYS = "/var/lib/iluvatar-pxe-first-keys"
REPOSITORY = "/var/lib/iluvatar-pxe/git/fleet.git"
MAC = "52:54:00:12:34:57"
PACKAGES = "/run/packages"
"""Where the packages of this checkout are on the host."""
EMPTY = f"""
ip link set eth0 address {MAC}
mkdir {PACKAGES} && mount --bind {HOME}/packages {PACKAGES}
umount {HOME}/python {HOME}/checkout {HOME}/packages && rm -rf {HOME}
mount -t tmpfs -o mode=755 local /usr/local && mkdir /usr/local/bin
printf '%s\\n' '#!/bin/sh' 'exec "$@"' >/usr/local/bin/sudo
printf '%s\\n' '#!/bin/sh' 'echo yes' >/usr/local/bin/timedatectl
chmod 755 /usr/local/bin/*
mount -t tmpfs boot /boot && mkdir -p {CARD}
mkdir -p /etc/systemd/system/{UNIT}.d
printf '%s\\n' '[Service]' 'RestartSec=1' >/etc/systemd/system/{UNIT}.d/test.conf
"""


@pytest.fixture
def host() -> Iterator[Booted]:
    with booted() as running:
        running.run("sh", "-ec", EMPTY)
        yield running


def put_card(host: Booted, tmp_path: Path, bundle: Path | None) -> None:
    """Copy to the boot partition what ``seed-card`` writes there."""
    folder = tmp_path / "card"
    copytree(data_directory("boot_assets") / "seed_card", folder)
    (folder / "vendor-data").rename(tmp_path / "vendor-data")
    (folder / "wheels").mkdir()
    make_own_wheel(folder / "wheels")
    make_wheel(folder / "wheels", "packages", {"host.pth": PACKAGES.encode()})
    if bundle:
        (folder / "fleet.bundle").write_bytes(bundle.read_bytes())
    sums = "find . -type f ! -name SHA256SUMS | xargs sha256sum >SHA256SUMS"
    subprocess.run(["sh", "-ec", sums], cwd=folder, check=True)
    copytree(tmp_path / "card", host.outside(CARD), dirs_exist_ok=True)
    host.outside("/boot/firmware/vendor-data").write_bytes((tmp_path / "vendor-data").read_bytes())


def bundle_of(tmp_path: Path) -> tuple[Path, str]:
    """Return a bundle of a fleet that somebody has committed, and its newest commit."""
    clone = tmp_path / "clone"
    copytree(data_directory("boot_assets") / "fleet", clone)
    (clone / "machines/tower.yaml").write_text("match:\n macs:\n - 52:54:00:12:34:56\nintent: local\n")
    own = f'match: {{macs: ["{MAC}"]}}\nlayer: ainur\nrole: server\nintent: local\n'
    (clone / "machines/ainur-01.yaml").write_text(own)
    git = ("git", "-C", str(clone), "-c", "user.name=Ada", "-c", "user.email=ada@example.org")
    for words in (
        "init -q -b main",
        "add -A",
        "commit -q -m Towers",
        "bundle create -q ../fleet.bundle main",
    ):
        subprocess.run([*git, *words.split()], check=True)
    tip = subprocess.run([*git, "rev-parse", "main"], check=True, capture_output=True, text=True).stdout
    return tmp_path / "fleet.bundle", tip.strip()


def is_done(host: Booted) -> bool:
    return not host.outside(f"/etc/systemd/system/{UNIT}").exists()


def test_a_card_becomes_a_daemon_and_its_keys_are_shown_once(host: Booted, tmp_path: Path) -> None:
    bundle, tip = bundle_of(tmp_path)
    put_card(host, tmp_path, bundle)
    host.run("sh", "/boot/firmware/vendor-data")
    wait_until(lambda: is_done(host), "the first start to be done", 300)

    assert host.shown("ActiveState") == "active"
    assert host.shown("UnitFileState") == "enabled"
    assert '"ready": true' in wait_until(
        lambda: host.try_to_run("curl", "--fail", "--silent", f"http://{ADDRESS}:8080/readyz").stdout,
        "an answer",
    )
    git = ("git", "-c", "safe.directory=*", "-C", REPOSITORY)
    host.run(*git, "merge-base", "--is-ancestor", tip, "main")
    assert host.run("/usr/local/bin/iluvatar-pxe", "--version").startswith("iluvatar-pxe ")

    keys = host.outside(KEYS).read_text()
    assert "Write token" in keys
    assert "AGE-SECRET-KEY-1" in keys
    assert host.outside(KEYS).stat().st_mode & 0o777 == 0o600
    assert keys in host.outside("/run/console").read_text().replace("\r\n", "\n")
    assert not host.outside(CARD).exists()
    assert not host.outside("/boot/firmware/vendor-data").exists()

    why = r"ainur-01: (this host is x86_64, and nodes of ainur are aarch64|.* is not there yet)"
    assert re.search(why, host.try_to_run("/usr/local/bin/iluvatar-pxe", "cluster", "join").stderr)
    wait_until(lambda: host.shown("Result", NODE) == "exit-code", "the Pi to have tried to become a node")

    assert keys in log_in(host)
    assert "AGE-SECRET-KEY-1" not in log_in(host)
    assert not host.outside(KEYS).exists()


def log_in(host: Booted) -> str:
    """Return what a shell shows that reads /etc/profile, on a terminal."""
    shell = ("script", "--quiet", "--return", "--command", "sh -l -c true", "/dev/null")
    return host.run(*shell).replace("\r\n", "\n")


@pytest.mark.long
def test_a_damaged_card_starts_nothing_and_is_named_and_one_that_is_mended_starts(
    host: Booted, tmp_path: Path
) -> None:
    put_card(host, tmp_path, None)
    (wheel,) = host.outside(f"{CARD}/wheels").glob("packages-*")
    whole = wheel.read_bytes()
    wheel.write_bytes(whole[:-1] + b"\0\0")
    host.run("sh", "/boot/firmware/vendor-data")
    wait_until(lambda: int(host.shown("NRestarts", UNIT)) > 1, "another try")
    assert not host.outside(HOME).exists()
    assert not host.outside(KEYS).exists()

    wheel.write_bytes(whole)
    wait_until(lambda: is_done(host), "the first start to be done", 300)
    assert host.shown("ActiveState") == "active"
    assert "Write token" in host.outside(KEYS).read_text()


@pytest.mark.long
@pytest.mark.parametrize("place", [f"{HOME}/bin/python", REPOSITORY, f"{KEYS}.new", KEYS])
def test_a_start_that_loses_power_begins_again(host: Booted, tmp_path: Path, place: str) -> None:
    bundle, tip = bundle_of(tmp_path)
    put_card(host, tmp_path, bundle)
    host.run("sh", "/boot/firmware/vendor-data")
    wait_until(host.outside(place).exists, place, 300)
    host.run("systemctl", "kill", "--signal=KILL", UNIT)
    wait_until(lambda: is_done(host), "the first start to be done", 300)
    assert host.shown("ActiveState") == "active"
    host.run("git", "-c", "safe.directory=*", "-C", REPOSITORY, "merge-base", "--is-ancestor", tip, "main")
    assert host.outside(KEYS).stat().st_size
