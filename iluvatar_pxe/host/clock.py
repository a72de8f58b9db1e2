"""Whether this host's clock is in step with a time server, by whichever program sets it."""

import asyncio
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import Sequence
from contextlib import suppress

_SECONDS = 5.0
_COMMAND = ("timedatectl", "show", "--property=NTPSynchronized", "--value")
"""The kernel tells it by adjtimex(2), which the systemd service may not call: the same call sets the clock."""


async def clock_is_in_step(command: Sequence[str] = _COMMAND) -> bool:
    """Ask systemd, which asks the kernel; without an answer in time, the clock is not relied on."""
    with suppress(OSError, TimeoutError):
        asked = await asyncio.create_subprocess_exec(*command, stdin=DEVNULL, stdout=PIPE, stderr=DEVNULL)
        try:
            async with asyncio.timeout(_SECONDS):
                output, _ = await asked.communicate()
            return output.strip() == b"yes"
        finally:
            if asked.returncode is None:
                asked.kill()
                await asked.wait()
    return False
