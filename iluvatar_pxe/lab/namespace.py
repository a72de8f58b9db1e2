"""The lab's own corner of the kernel: network, mount and process namespaces that nothing outlives.

Nothing in it has a name on the host. One holder process is PID 1 of the process namespace and reads a
pipe from the driver. When the driver ends, however it ends, the pipe closes, the holder ends, and the
kernel kills every process of the namespace; with the last of them go the mounts (all files of the lab
are in one memory file system), the networks named below that private ``/run``, and their links.
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

_TOOLS = ("unshare", "nsenter", "ip", "mount", "sh", "cat")
_HOLD = (
    "mount -t proc proc /proc && mount -t tmpfs -o mode=755 lab /run && "
    f"mkdir {DIRECTORY} && echo started && exec cat"
)
_RUN_TIMEOUT_SECONDS = 60.0
_END_TIMEOUT_SECONDS = 30.0


class Namespace:
    """Namespaces that exist while the ``with`` block runs; raises LabError where they cannot be made."""

    def __init__(self) -> None:
        """Make nothing yet: entering the block does."""
        self._holder: subprocess.Popen[bytes] | None = None
        self._pid = 0
        self._processes: list[Process] = []
        self._user = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]

    def __enter__(self) -> Self:
        """Start the holder."""
        require_tools(*_TOOLS)
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
            self._pid = await_child(self._holder, "the lab's namespace (needs root or user namespaces)")
        except BaseException:
            self._end_holder()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End everything inside, newest first, then the namespaces themselves."""
        try:
            for process in reversed(self._processes):
                process.stop()
        finally:
            self._end_holder()

    def outside(self, inside: Path) -> Path:
        """Return the path by which the driver reaches the file that programs inside call ``inside``."""
        return Path(f"/proc/{self._pid}/root{inside}")

    def start(
        self,
        name: str,
        argv: Sequence[str],
        *,
        network: str | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> Process:
        """Start a program inside, in the network namespace called ``network`` (default: the switch's)."""
        process = start(name, self._enter(network), argv, environment)
        self._processes.append(process)
        return process

    def run(self, argv: Sequence[str], *, network: str | None = None) -> str:
        """Run a short command inside and return what it printed; raises LabError when it fails."""
        return run_command([*self._enter(network), *argv], " ".join(argv), _RUN_TIMEOUT_SECONDS)

    def tails(self, but: Process) -> list[str]:
        """Return the end of the output of every program started here, except one."""
        return [process.tail() for process in self._processes if process is not but]

    def _enter(self, network: str | None) -> list[str]:
        user = ["--user", "--preserve-credentials"] if self._user else []
        enter = ["nsenter", f"--target={self._pid}", *user, "--mount", "--pid", "--net"]
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
            raise LabError(f"{tool} is not installed, and the lab needs it; install it and try again")
