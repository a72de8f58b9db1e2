"""A host of our own, as far as the service can see: systemd is PID 1 of namespaces that end with the block."""

import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from support.waiting import PATIENCE, wait_until

CHECKOUT = Path(__file__).parents[2]
SYSTEMD = Path("/usr/lib/systemd/systemd")
HOME = "/opt/iluvatar-pxe"
PROGRAM = f"{HOME}/bin/iluvatar-pxe"
ADDRESS = "10.77.0.2"
LOG = "/run/daemon.log"
_CGROUPS = ("/sys/fs/cgroup/unified", "/sys/fs/cgroup")
_UNITS = "/usr/lib/systemd/system"
NAMESPACES = ("--mount", "--pid", "--net", "--uts", "--ipc", "--cgroup")
_PYTHON = f"python{sys.version_info.major}.{sys.version_info.minor}"
_BOOT = f"""
set -e
mount --make-rprivate /
mount -t proc proc /proc
mount --bind /proc/sys /proc/sys && mount -o remount,bind,ro /proc/sys
mount -t tmpfs -o mode=755 opt /opt
mkdir -p {HOME}/python {HOME}/checkout {HOME}/packages {HOME}/bin {HOME}/lib/{_PYTHON}/site-packages
mount --bind "$1" {HOME}/python
mount --bind "$2" {HOME}/checkout
mount --bind "$3" {HOME}/packages
ln -s {HOME}/python/bin/{_PYTHON} {HOME}/bin/python
echo "home = {HOME}/python/bin" >{HOME}/pyvenv.cfg
printf '%s\\n' {HOME}/checkout {HOME}/packages >{HOME}/lib/{_PYTHON}/site-packages/host.pth
printf '%s\\n' '#!{HOME}/bin/python' 'from iluvatar_pxe.__main__ import main' 'main()' >{PROGRAM}
chmod 755 {PROGRAM}
mount -t tmpfs -o mode=755 run /run
mkdir /run/etc /run/units && cp -a /etc/. /run/etc && mount --bind /run/etc /etc
# The service may not look where the Python of this checkout says that its library is.
mkdir -p /var/cache/ldconfig && mount -t tmpfs ldconfig /var/cache/ldconfig
echo {HOME}/python/lib >/etc/ld.so.conf.d/000-python.conf && ldconfig
rm -rf /etc/systemd/system /etc/systemd/network && mkdir /etc/systemd/system
cp {_UNITS}/*.target {_UNITS}/*.slice /run/units && mount --bind /run/units {_UNITS}
mount -t tmpfs generators /usr/lib/systemd/system-generators
mount -t tmpfs -o mode=755 state /var/lib
mount -t tmpfs -o mode=1777 tmp /tmp
mount -t sysfs sysfs /sys
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mkdir /run/dev && for name in null zero full random urandom; do
    touch /run/dev/$name && mount --bind /dev/$name /run/dev/$name
done
touch /run/console /run/dev/console && mount --bind /run/console /run/dev/console
mkdir /run/dev/shm /run/dev/pts && mount -t devpts devpts /run/dev/pts && ln -s /proc/self/fd /run/dev/fd && ln -s pts/ptmx /run/dev/ptmx && mount --rbind /run/dev /dev
ip link set lo up
ip link add eth0 type veth peer name plug0
ip address add {ADDRESS}/24 dev eth0
ip link set eth0 up && ip link set plug0 up
ip route add default via 10.77.0.1
export container=test
exec {SYSTEMD} --system --log-target=console --log-level=info --unit=basic.target >/dev/console 2>&1 </dev/null
"""


class Booted:
    """The host while it runs; ``pid`` is its PID 1 as seen from here."""

    def __init__(self, pid: int) -> None:
        self.pid = pid

    def outside(self, path: str) -> Path:
        """Return the path by which a file of the host is reached from here."""
        return Path(f"/proc/{self.pid}/root{path}")

    def try_to_run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a command as its root, and return how it ended."""
        words = ["nsenter", f"--target={self.pid}", *NAMESPACES, *command]
        environment = {"PATH": os.environ["PATH"]}
        return subprocess.run(
            words, capture_output=True, text=True, check=False, timeout=PATIENCE, env=environment
        )

    def run(self, *command: str) -> str:
        """Run a command as its root to success, and return what it printed."""
        done = self.try_to_run(*command)
        assert done.returncode == 0, (command, done.stdout, done.stderr, self.console)
        return done.stdout

    def command(self, *words: str) -> str:
        """Run ``iluvatar-pxe``."""
        return self.run(PROGRAM, *words)

    def shown(self, name: str, unit: str = "iluvatar-pxe.service") -> str:
        """Return a property of a unit."""
        return self.run("systemctl", "show", "--property", name, "--value", unit).strip()

    @property
    def console(self) -> str:
        """What systemd has said, and the daemon after it."""
        places = [self.outside(path) for path in ("/run/console", LOG)]
        return "\n".join(place.read_text(errors="replace") for place in places if place.exists())


@contextmanager
def booted() -> Iterator[Booted]:
    """Boot; everything in it ends with the block. Skips where there is no systemd, or nobody may make namespaces."""
    if not SYSTEMD.exists():
        pytest.skip("needs systemd")
    with booted_by(_BOOT, sys.base_prefix, str(CHECKOUT), sysconfig.get_path("purelib")) as host:
        yield host


@contextmanager
def booted_by(script: str, *arguments: str) -> Iterator[Booted]:
    """Boot by a script that makes of its namespaces a host, and then becomes systemd."""
    if os.geteuid() != 0 or not shutil.which("nsenter"):
        pytest.skip("needs root and util-linux")
    with _cgroup() as procs:
        join = 'echo $$ >"$0" && exec unshare "$@"'
        unshare = [*NAMESPACES, "--fork", "--kill-child", "sh", "-c", script, "sh", *arguments]
        holder = subprocess.Popen(
            ["setpriv", "--pdeathsig=KILL", "sh", "-c", join, str(procs), *unshare],
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            host = Booted(_child(holder))
            wait_until(lambda: _reached(host), "systemd to have booted")
            yield host
        finally:
            holder.kill()
            holder.wait()


def _reached(host: Booted) -> bool:
    state = host.try_to_run("systemctl", "is-system-running").stdout.strip()
    return state in {"running", "degraded"}


def _child(holder: subprocess.Popen[bytes]) -> int:
    children = Path(f"/proc/{holder.pid}/task/{holder.pid}/children")

    def child() -> str:
        assert holder.poll() is None, "the host cannot be made"
        return children.read_text()

    return int(wait_until(child, "PID 1").split()[0])


@contextmanager
def _cgroup() -> Iterator[Path]:
    """Yield the file by which a process joins a control group of its own, which is gone afterwards."""
    parent = next((Path(one) for one in _CGROUPS if Path(one, "cgroup.procs").exists()), None)
    if parent is None:
        pytest.skip("needs control groups")
    own = parent / f"iluvatar-pxe-{os.getpid()}"
    own.mkdir()
    try:
        yield own / "cgroup.procs"
    finally:
        wait_until(lambda: _removed(own), "the control group to be empty")


def _removed(directory: Path) -> bool:
    try:
        for folder in sorted((one for one in directory.rglob("*") if one.is_dir()), reverse=True):
            folder.rmdir()
        directory.rmdir()
    except OSError:  # the kernel is still ending what was in it
        return False
    return True
