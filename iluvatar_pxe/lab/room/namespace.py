"""The lab's own corner of the kernel: network, mount and process namespaces that nothing outlives.

Nothing in it has a name on the host. One holder process is PID 1 of the process namespace and reads a
pipe from the driver. When the driver ends, however it ends, the pipe closes, the holder ends, and the
kernel kills every process of the namespace; with the last of them go the mounts (all files of the lab
are in one memory file system), the networks named below that private ``/run``, and their links.

Another process may join the namespaces of a driver. What it starts there ends with it.
"""

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from iluvatar_pxe.errors import LabError
from iluvatar_pxe.lab.process import Process, await_child, run_command, start

DIRECTORY = Path("/run/lab")
"""Where the lab's files lie, as programs inside see it."""

_TOOLS = ("unshare", "nsenter", "setpriv", "ip", "mount", "sh", "cat")
_PACKAGES = {
    "dnsmasq": "dnsmasq-base",
    "ip": "iproute2",
    "qemu-system-aarch64": "qemu-system-arm",
    "qemu-system-x86_64": "qemu-system-x86",
} | dict.fromkeys(("unshare", "nsenter", "setpriv", "mount"), "util-linux")
"""Which Debian package has a tool, where it is not the tool's own name."""
_END_WITH_DRIVER = ("setpriv", "--pdeathsig", "KILL")
_HOLD = (
    "mount -t proc proc /proc && mount -t tmpfs -o mode=755 lab /run && "
    f"mkdir {DIRECTORY} && echo started && exec cat"
)
_RUN_TIMEOUT_SECONDS = 60.0
_END_TIMEOUT_SECONDS = 30.0


class Namespace:
    """Namespaces that exist while the ``with`` block runs; raises LabError where they cannot be made."""

    def __init__(self, joined: int = 0) -> None:
        """Make nothing yet: entering the block does.

        ``joined``: a process in namespaces that another driver has made; only what is started here ends with the block.
        """
        self._holder: subprocess.Popen[bytes] | None = None
        self.is_joined = joined != 0
        """The namespaces are another driver's."""
        self.pid = joined
        """The host's number of a process inside."""
        self.processes: list[Process] = []
        """All that were started here, the oldest first."""
        self._user = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]

    def __enter__(self) -> Self:
        """Start the holder."""
        require_tools(*_TOOLS)
        if self.is_joined:
            return self
        command = ["unshare", *self._user, "--net", "--mount", "--pid", "--fork", "--kill-child"]
        self._holder = subprocess.Popen(  # noqa: S603 - argument list made here
            [*command, "sh", "-c", _HOLD],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            bufsize=0,
        )
        try:
            self.pid = await_child(self._holder, "the lab's namespace (needs root or user namespaces)")
        except BaseException:
            self._end_holder()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End everything inside, newest first, then the namespaces themselves."""
        try:
            for process in reversed(self.processes):
                process.stop()
        finally:
            self._end_holder()

    def outside(self, inside: Path) -> Path:
        """Return the path by which the driver reaches the file that programs inside call ``inside``."""
        return Path(f"/proc/{self.pid}/root{inside}")

    def start(
        self,
        name: str,
        argv: Sequence[str],
        *,
        network: str | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> Process:
        """Start a program inside, in the network namespace called ``network`` (default: the switch's).

        What it prints is also in the file ``NAME.log``, for whoever joins.
        """
        log = self.outside(DIRECTORY / f"{name}.log")
        process = start(name, self._enter(network), argv, environment, log)
        self.processes.append(process)
        return process

    def run(
        self,
        argv: Sequence[str],
        *,
        network: str | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> str:
        """Run a short command inside and return what it printed; raises LabError when it fails."""
        command = [*self._enter(network), *argv]
        return run_command(command, " ".join(argv), _RUN_TIMEOUT_SECONDS, environment=environment)

    def _enter(self, network: str | None) -> list[str]:
        user = ["--user", "--preserve-credentials"] if self._user else []
        enter = ["nsenter", f"--target={self.pid}", *user, "--mount", "--pid", "--net"]
        if self.is_joined:  # nsenter forks, so both it and the program have to end with this process
            enter = [*_END_WITH_DRIVER, *enter, *_END_WITH_DRIVER]
        return enter if network is None else [*enter, "ip", "netns", "exec", network]

    def _end_holder(self) -> None:
        holder, self._holder = self._holder, None
        if holder is None:
            return
        for stream in (holder.stdin, holder.stdout):
            if stream is not None:
                stream.close()
        holder.wait(_END_TIMEOUT_SECONDS)


def require_tools(*tools: str) -> None:
    """Raise LabError that names the first of ``tools`` which this machine has not."""
    for tool in tools:
        if shutil.which(tool) is None:
            package = _PACKAGES.get(tool, tool)
            raise LabError(f"{tool} is not in PATH, but the lab needs it; install the package {package}")
