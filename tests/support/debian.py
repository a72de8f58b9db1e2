"""A fresh Debian of a release, made from the archive that this host's apt uses, with a systemd of its own."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from support.booted import ADDRESS, NAMESPACES, Booted, booted_by
from support.waiting import wait_until

RELEASES = ("bookworm", "trixie")
"""Debian 12 and 13."""
SECONDS = 3600.0
USER = "ada"
_MINIMAL = "systemd,systemd-sysv,dbus,sudo,iproute2,ca-certificates"
_TYPED = "/run/typed"
_ISOLATED = ("unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc")
"""What debootstrap mounts and starts ends with it, also when it fails or is killed."""
_BOOT = f"""
set -e
mount --make-rprivate /
mount --bind "$1" "$1" && cd "$1"
mount -t proc proc proc
mount --bind proc/sys proc/sys && mount -o remount,bind,ro proc/sys
mount -t sysfs sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs -o mode=755 run run
mount -t tmpfs -o mode=1777 tmp tmp
mkdir run/dev && for name in null zero full random urandom tty; do
    touch run/dev/$name && mount --bind /dev/$name run/dev/$name
done
mkdir run/dev/shm run/dev/pts && mount -t devpts -o ptmxmode=666 devpts run/dev/pts
ln -s /proc/self/fd run/dev/fd && ln -s pts/ptmx run/dev/ptmx
touch run/console run/dev/console && mount --bind run/console run/dev/console
mount --rbind run/dev dev
hostname debian
ip link set lo up
ip link add eth0 type veth peer name plug0
ip address add {ADDRESS}/24 dev eth0
ip link set eth0 up && ip link set plug0 up
ip route add default via 10.77.0.1
mkdir -p old && pivot_root . old && umount -l /old
export container=test
exec /lib/systemd/systemd --system --unit=multi-user.target >/dev/console 2>&1 </dev/null
"""
_PREPARE = f"""
useradd --create-home --shell /bin/bash {USER}
usermod --append --groups sudo {USER}
echo debian >/etc/hostname && echo 127.0.1.1 debian >>/etc/hosts
echo '%sudo ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/no-password
systemctl mask --quiet console-getty.service
"""


class Debian:
    """A Debian that runs; commands are typed by an ordinary user who may use sudo."""

    def __init__(self, host: Booted) -> None:
        self.host = host

    def types(self, line: str, *, online: bool = False, directory: str = "~") -> tuple[int, str]:
        """Return the exit status of a line, and what it prints; ``online`` with the network of the host outside."""
        names = [name for name in NAMESPACES if name != "--net" or not online]
        enter = ["nsenter", f"--target={self.host.pid}", *names, "runuser", "--login", USER, "--command"]
        done = subprocess.run(
            [*enter, f"cd {directory} && {line}"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            check=False,
            timeout=SECONDS,
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "TERM": "dumb"},
        )
        return done.returncode, done.stdout

    def does(self, line: str, *, online: bool = False, directory: str = "~") -> str:
        """Type a line that has to succeed, and return what it prints."""
        status, output = self.types(line, online=online, directory=directory)
        assert status == 0, f"{line}: exit status {status}\n{output}"
        return output

    @contextmanager
    def runs(self, line: str, until: str, directory: str) -> Iterator[str]:
        """Have a line run, and yield what it has printed when ``until`` is among it; it ends with the block."""
        log = self.host.outside(_TYPED)
        log.unlink(missing_ok=True)
        unit = ("--unit=typed", f"--uid={USER}", f"--property=StandardOutput=file:{_TYPED}")
        script = f"cd ~{USER}/{directory} && exec {line} 2>&1"
        self.host.run("systemd-run", "--quiet", "--collect", *unit, "bash", "-c", script)
        try:
            yield wait_until(lambda: _with(until, log), f"{until!r} of {line}", SECONDS)
        finally:
            self.host.try_to_run("systemctl", "stop", "typed.service")


def _with(text: str, log: Path) -> str:
    """Return what a file holds, once that has a text in it."""
    held = log.read_text(errors="replace") if log.exists() else ""
    return held if text in held else ""


@contextmanager
def debian(release: str) -> Iterator[Debian]:
    """Yield a fresh one, which is gone after the block. Skips where none can be made."""
    if os.geteuid() != 0 or not all(map(shutil.which, ("apt-get", "debootstrap"))):
        pytest.skip("needs root, apt and debootstrap")
    with TemporaryDirectory(prefix="iluvatar-pxe-debian-") as directory:
        root = Path(directory, "root")
        made_of = (f"--include={_MINIMAL}", release, str(root), archive())
        run(*_ISOLATED, "debootstrap", "--variant=minbase", *made_of)
        run("chroot", str(root), "sh", "-ec", _PREPARE)
        for name in ("resolv.conf", "ssl/certs/ca-certificates.crt"):  # of the network outside
            shutil.copy(f"/etc/{name}", root / "etc" / name)
        with booted_by(_BOOT, str(root)) as host:
            yield Debian(host)


@cache
def archive() -> str:
    """Return the address of Debian's archive, as this host's apt has it."""
    targets = ("indextargets", "--format", "$(REPO_URI)", "Identifier: Packages", "Origin: Debian")
    known = run("apt-get", *targets, "Label: Debian").split()
    if not known:
        pytest.skip("needs an apt that knows Debian's archive")
    return known[0]


def run(*command: str) -> str:
    done = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, timeout=SECONDS
    )
    assert done.returncode == 0, (command, done.stdout[-4000:])
    return done.stdout
