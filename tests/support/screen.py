"""A command on a terminal of 24 lines with 80 columns."""

import codecs
import os
import pty
import re
import select
import subprocess
import termios
import time
from types import TracebackType
from typing import Self

from support.daemon import HERE
from support.waiting import PATIENCE

_CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Terminal:
    """``iluvatar-pxe ARGUMENTS``, while the ``with`` block runs."""

    def __init__(self, *arguments: str) -> None:
        self._ours, theirs = pty.openpty()
        termios.tcsetwinsize(theirs, (24, 80))
        environment = {key: value for key, value in os.environ.items() if not key.startswith("ILUVATAR_PXE_")}
        self.process = subprocess.Popen(
            [*HERE, *arguments],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env=environment | {"TERM": "xterm"},
            start_new_session=True,
        )
        os.close(theirs)
        self.written = ""
        self._decoder = codecs.getincrementaldecoder("utf-8")()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._ours)

    @property
    def lines(self) -> list[str]:
        """What was written until now without what a terminal obeys, also what was written over."""
        return [line for line in re.split(r"[\r\n]+", _CONTROL.sub("", self.written)) if line]

    def read_until(self, text: str) -> None:
        """Read until a text was written."""
        deadline = time.monotonic() + PATIENCE
        while text not in self.written:
            assert time.monotonic() < deadline, self.written
            assert self._read(), self.written

    def ends(self) -> int:
        """Read the rest, and return the exit status."""
        while self._read():
            pass
        return self.process.wait(PATIENCE)

    def _read(self) -> bool:
        readable, _, _ = select.select([self._ours], [], [], PATIENCE)
        assert readable, self.written
        try:
            data = os.read(self._ours, 65536)
        except OSError:  # EIO: the other side is closed
            return False
        self.written += self._decoder.decode(data)  # a character may be in two pieces
        return bool(data)
