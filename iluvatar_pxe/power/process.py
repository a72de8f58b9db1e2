"""A program that is run for one action: what it gets is no argument, and what it says is bounded."""

import asyncio
import os
import signal
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from iluvatar_pxe.errors import PowerError

MOST_OUTPUT = 1 << 16
"""Bytes of what it prints, and as many of what it complains of; one that prints more is ended."""
END_SECONDS = 5.0
"""For a program that is killed."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a program ended."""

    status: int
    output: str = field(repr=False)
    complaint: str = field(repr=False)


async def run(
    argv: Sequence[str],
    *,
    data: bytes = b"",
    environment: Mapping[str, str] | None = None,
    files: Collection[int] = (),
) -> Ended:
    """Run a program with ``data`` as its standard input; cancelled, it is killed with all that it began.

    ``files`` are descriptors that it keeps; of this process's environment it has only the PATH. Raises PowerError
    where it cannot be run, or prints too much.
    """
    process = await _start(argv, environment or {}, files)
    try:
        return await _conversation(argv[0], process, data)
    except BaseException:
        await _end(process)
        raise


async def _start(
    argv: Sequence[str], environment: Mapping[str, str], files: Collection[int]
) -> asyncio.subprocess.Process:
    try:
        return await asyncio.create_subprocess_exec(
            *argv,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "LC_ALL": "C.UTF-8", **environment},
            cwd="/",
            pass_fds=tuple(files),
            start_new_session=True,
        )
    except OSError as error:
        raise PowerError(f"{argv[0]} cannot be run: {error.strerror}") from error


async def _conversation(name: str, process: asyncio.subprocess.Process, data: bytes) -> Ended:
    assert process.stdin  # noqa: S101 - all three are pipes
    assert process.stdout  # noqa: S101
    assert process.stderr  # noqa: S101
    with suppress(ConnectionError):  # it knows enough
        process.stdin.write(data)
        await process.stdin.drain()
    process.stdin.close()
    output, complaint = await asyncio.gather(
        _read(process.stdout, process.pid), _read(process.stderr, process.pid)
    )
    if max(len(output), len(complaint)) > MOST_OUTPUT:
        raise PowerError(f"{name} prints more than {MOST_OUTPUT >> 10} KiB, and was ended")
    await process.wait()
    texts = (each.decode("utf-8", "replace") for each in (output, complaint))
    return Ended(process.returncode or 0, *texts)


async def _read(stream: asyncio.StreamReader, session: int) -> bytes:
    """Return what it says; where that is too much, one byte more than it may, and its session is killed."""
    kept = b""
    while octets := await stream.read(MOST_OUTPUT + 1 - len(kept)):
        kept += octets
        if len(kept) > MOST_OUTPUT:
            _kill(session)
            break
    return kept


def _kill(session: int) -> None:
    with suppress(ProcessLookupError):
        os.killpg(session, signal.SIGKILL)


async def _end(process: asyncio.subprocess.Process) -> None:
    """Kill its session, and drop what is still in its pipes; what has left the session is not waited for."""
    _kill(process.pid)
    with suppress(TimeoutError):
        async with asyncio.timeout(END_SECONDS):
            await process.communicate()
