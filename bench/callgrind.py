"""A program whose instructions are counted by Valgrind (callgrind), between moments that a benchmark chooses."""

import re
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

_SECONDS = 120.0
_MAIN_THREAD = "-01"
"""How callgrind's files of a process's first thread end, where each thread has its own."""


class Counted:
    """A process that runs under Valgrind, some twenty times as slowly as without."""

    def __init__(self, process: subprocess.Popen[bytes], directory: Path) -> None:
        self._process, self._directory = process, directory
        self._parts = 0

    def instructions(self, work: Callable[[], None]) -> int:
        """Return how many instructions its first thread executes while ``work`` is done; the kernel's are not among them."""
        self._command("zero")
        work()
        self._command("dump")
        self._parts += 1
        text = self._dumped(self._parts).read_text()
        found = re.search(r"^(?:summary|totals): (\d+)$", text, re.MULTILINE)
        assert found, text[:1000]
        return int(found[1])

    def begin(self) -> None:
        """Count from now on; until then it runs faster."""
        self._command("instrumentation on")

    @property
    def has_ended(self) -> bool:
        """Whether the program runs no more."""
        return self._process.poll() is not None

    @property
    def log(self) -> str:
        """What it has printed."""
        return (self._directory / "log").read_text(errors="replace")

    def _dumped(self, part: int) -> Path:
        return self._directory / f"counts.{part}{_MAIN_THREAD}"

    def _command(self, words: str) -> None:
        pid = f"--pid={self._process.pid}"
        subprocess.run(["vgdb", pid, *words.split()], check=True, capture_output=True, timeout=_SECONDS)


@contextmanager
def counted(argv: Sequence[str], directory: Path) -> Iterator[Counted]:
    """Run a program until the end of the block; what it prints is in ``directory`` as ``log``."""
    valgrind = [
        *("valgrind", "--tool=callgrind", "--instr-atstart=no", "--separate-threads=yes", "--fair-sched=yes"),
        f"--callgrind-out-file={directory / 'counts'}",
    ]
    with (directory / "log").open("wb") as log:
        process = subprocess.Popen([*valgrind, *argv], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        yield Counted(process, directory)
    finally:
        process.kill()
        process.wait()
