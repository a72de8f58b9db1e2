"""A program that the lab started: its output is kept while it runs, and it is always ended."""

import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from iluvatar_pxe.errors import LabError

_STARTED = "started"
_ANNOUNCE = f'echo {_STARTED}; read -r go; exec "$@" </dev/null'
"""The program begins when its process id is known, however soon it may end."""
_TAIL_LINES = 40
_KILL_GRACE_SECONDS = 10.0
_PAUSE = 0.03
"""Seconds for which more output is waited for before it is searched: a serial console brings one character at a time."""


class Process:
    """A running program and everything it has printed.

    ``command`` ends in the program's own argument list, and what comes before it (``nsenter …``) may
    fork once: signals go to the program itself.
    """

    def __init__(
        self, name: str, popen: subprocess.Popen[bytes], pid: int, started: float, log: Path | None
    ) -> None:
        """Take over ``popen``, whose program has the process id ``pid``; ``log`` gets a copy of its output."""
        self.name = name
        self.pid = pid
        self.started = started
        """Seconds since the epoch at which the program began."""
        self._popen = popen
        self._output = bytearray()
        self._changed = threading.Condition()
        self._ended = False
        copy = (log or Path(os.devnull)).open("wb")
        self._reader = threading.Thread(target=self._read, args=(copy,), name=f"lab-{name}", daemon=True)
        self._reader.start()

    @property
    def output(self) -> str:
        """Everything printed until now, both streams, carriage returns removed."""
        with self._changed:
            text = self._output.decode("utf-8", "replace")
        return text.replace("\r", "")

    def tail(self, lines: int = _TAIL_LINES) -> str:
        """Return the last lines of the output, under a heading, for a failure's report."""
        shown = "\n".join(self.output.splitlines()[-lines:])
        return f"--- {self.name}, last {lines} lines ---\n{shown}"

    def wait_for(
        self, pattern: str, timeout: float, *, since: int = 0, whole_lines: bool = True
    ) -> re.Match[str]:
        """Return the first match of ``pattern`` in the output from character ``since`` on.

        Only complete lines count, unless ``whole_lines`` is false (for a prompt). Raises LabError after ``timeout`` seconds, or when the program ended without printing it.
        """
        deadline = time.monotonic() + timeout
        while True:
            with self._changed:
                size, ended, text = len(self._output), self._ended, self._text(whole_lines)
            if match := re.search(pattern, text[since:], re.MULTILINE):
                return match
            remaining = deadline - time.monotonic()
            if ended or remaining <= 0:
                why = "ended" if ended else f"ran {timeout:.0f} s"
                raise LabError(f"{self.name} {why} without printing {pattern!r}\n{self.tail()}")
            with self._changed:
                if not self._ended and len(self._output) == size:
                    self._changed.wait(remaining)
            time.sleep(_PAUSE)

    def lines(self) -> Iterator[str]:
        """Yield every line when it is complete, until the program has ended."""
        shown = 0
        while True:
            with self._changed:
                ended, text = self._ended, self._text(whole_lines=True)
                if not ended and len(text) <= shown:
                    self._changed.wait()
                    continue
            yield from text[shown:].splitlines()
            shown = len(text)
            if ended:
                return

    @property
    def has_ended(self) -> bool:
        """Whether it runs no more."""
        return self._popen.poll() is not None

    def ends_within(self, timeout: float) -> bool:
        """Say whether it has ended after ``timeout`` seconds at most."""
        with suppress(subprocess.TimeoutExpired):
            self._popen.wait(timeout)
        return self.has_ended

    def wait(self, timeout: float) -> int:
        """Return the exit status; raises LabError when it still runs after ``timeout`` seconds."""
        try:
            status = self._popen.wait(timeout)
        except subprocess.TimeoutExpired as error:
            raise LabError(f"{self.name} still runs after {timeout:.0f} s\n{self.tail()}") from error
        self._reader.join()
        return status

    def stop(self, timeout: float = _KILL_GRACE_SECONDS, how: signal.Signals = signal.SIGTERM) -> int:
        """Ask the program to end, kill it after ``timeout`` seconds, and return its exit status."""
        self.signal(how)
        try:
            return self.wait(timeout)
        except LabError:
            self.signal(signal.SIGKILL)
            return self.wait(_KILL_GRACE_SECONDS)

    def _text(self, whole_lines: bool) -> str:  # noqa: FBT001 - wait_for's own argument
        text = self.output
        return text if self._ended or not whole_lines else text[: text.rfind("\n") + 1]

    def signal(self, how: signal.Signals) -> None:
        """Send a signal to the program, if it still runs."""
        if self._popen.poll() is None:
            try:
                os.kill(self.pid, how)
            except ProcessLookupError:
                return  # it ended by itself in this moment

    def _read(self, copy: BinaryIO) -> None:
        stream = self._popen.stdout
        assert stream is not None  # noqa: S101 - start() always makes the pipe
        with stream, copy:
            while chunk := os.read(stream.fileno(), 65536):
                copy.write(chunk)
                copy.flush()
                with self._changed:
                    self._output += chunk
                    self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()


def start(
    name: str,
    prefix: Sequence[str],
    argv: Sequence[str],
    environment: Mapping[str, str] | None = None,
    log: Path | None = None,
) -> Process:
    """Start ``argv`` behind ``prefix`` (a command that forks once, then runs it) in a session of its own.

    ``log`` is a file that gets a copy of what it prints. Returns when the program itself runs; raises LabError when it cannot be started.
    """
    popen = subprocess.Popen(  # noqa: S603 - argument lists made here
        [*prefix, "sh", "-c", _ANNOUNCE, name, *argv],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        bufsize=0,
        env=dict(environment) if environment is not None else None,
    )
    assert popen.stdin is not None  # noqa: S101 - just made
    with popen.stdin as go:
        pid = await_child(popen, name)
        started = time.time()
        go.write(b"\n")
    return Process(name, popen, pid, started, log)


def run_command(
    argv: Sequence[str],
    shown: str,
    timeout: float,
    directory: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> str:
    """Run a short command and return what it printed.

    Raises LabError that calls the command ``shown`` when it fails or takes more than ``timeout`` seconds.
    """
    try:
        result = subprocess.run(  # noqa: S603 - argument lists made here
            argv,
            cwd=directory,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout,
        )
    except subprocess.TimeoutExpired as error:
        raise LabError(f"{shown}: no end after {timeout:.0f} s") from error
    if result.returncode != 0:
        last = (result.stderr or result.stdout).strip().splitlines()[-1:]
        raise LabError(f"{shown}: {' '.join(last)}")
    return result.stdout


def await_child(popen: subprocess.Popen[bytes], name: str) -> int:
    """Return the process id of ``popen``'s child once it has printed ``started``; raises LabError."""
    assert popen.stdout is not None  # noqa: S101 - every caller makes the pipe
    line = popen.stdout.readline().decode("utf-8", "replace").strip()
    if line == _STARTED:
        try:
            children = Path(f"/proc/{popen.pid}/task/{popen.pid}/children").read_text(encoding="ascii")
            return int(children.split()[0])
        except (OSError, IndexError):
            line = "it ended at once"
    popen.kill()
    with popen.stdout as stream:
        line += " " + stream.read().decode("utf-8", "replace").strip()
    popen.wait()
    raise LabError(f"{name} cannot be started: {line.strip()}")
