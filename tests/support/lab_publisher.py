"""A publisher in the lab, on the loopback of the server: ``python -m support.lab_publisher DIRECTORY BYTES_PER_SECOND``.

It offers every file below DIRECTORY/files, so fast, and sends no byte before somebody writes to the FIFO DIRECTORY/go.
"""

import asyncio
import os
import sys
import threading
from dataclasses import dataclass
from pathlib import Path

from support.publisher import Offer, Publisher
from support.publisher_tls import Authority

from iluvatar_pxe.lab.process import Process
from iluvatar_pxe.lab.room.namespace import Namespace

PORT = 8099
URL = f"http://127.0.0.1:{PORT}/"
_TESTS = Path(__file__).parents[1]
_GATE = "go"


@dataclass(frozen=True)
class LabPublisher:
    """``directory`` is the host's, and has what is offered in ``files``."""

    directory: Path

    def offer(self, path: str, file: Path, padding: int = 0) -> Path:
        """Offer a file at a path, with so many zeros behind it; return what is offered."""
        offered = self.directory / "files" / path
        offered.parent.mkdir(parents=True, exist_ok=True)
        offered.write_bytes(file.read_bytes() + bytes(padding))
        return offered

    def start(self, namespace: Namespace, network: str, rate: int) -> Process:
        """Listen in a network of the namespace."""
        words = [sys.executable, "-m", "support.lab_publisher", str(self.directory), str(rate)]
        environment = {**os.environ, "PYTHONPATH": f"{_TESTS.parent}:{_TESTS}", "PYTHONUNBUFFERED": "1"}
        process = namespace.start("publisher", words, network=network, environment=environment)
        process.wait_for("publishes", 30)
        return process

    def let_go(self) -> None:
        """Have the first byte sent; it has started."""
        (self.directory / _GATE).write_bytes(b"go")


_IS_OPEN = threading.Event()


class _Gated(Offer):
    async def build(self) -> None:
        await asyncio.to_thread(_IS_OPEN.wait)


def main() -> None:
    directory, rate = Path(sys.argv[1]), float(sys.argv[2])
    files = directory / "files"
    offers = {
        f"/{path.relative_to(files)}": _Gated(content=path, rate=rate)
        for path in files.rglob("*")
        if path.is_file()
    }
    with Publisher(Authority.make(directory), port=PORT, offers=dict(offers)):
        os.mkfifo(directory / _GATE)
        sys.stdout.write("publishes\n")
        (directory / _GATE).read_bytes()
        _IS_OPEN.set()
        threading.Event().wait()


if __name__ == "__main__":
    main()
