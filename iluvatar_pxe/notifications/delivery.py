"""Hands one message to apprise, in a process of its own that gets the address by its standard input."""

import asyncio
import json
import os
import sys

from iluvatar_pxe.gitops.repository.git import end_group
from iluvatar_pxe.notifications.digest import Message
from iluvatar_pxe.notifications.outcome import Outcome
from iluvatar_pxe.printable import printable

AT_ONCE = 2
"""Messages that are delivered at the same time: each process takes about 80 MB of memory."""
_CHILD = ("-I", "-m", "iluvatar_pxe.notifications.child")
_MOST_ANSWER = 4096
DEADLINE_SECONDS = 50.0
"""For one attempt; a small computer needs ten of them to load the services."""
_WAY_OUT = ("https_proxy", "HTTPS_PROXY", "http_proxy", "no_proxy", "NO_PROXY")


class Delivery:
    """Starts the processes, a few at a time. What they do never keeps the daemon waiting."""

    def __init__(self, deadline: float = DEADLINE_SECONDS) -> None:
        """``deadline``: seconds after which a process is killed."""
        self._deadline = deadline
        self._turns = asyncio.Semaphore(AT_ONCE)

    async def deliver(self, address: str, message: Message) -> Outcome:
        """Make one attempt; does not raise for anything that a service does."""
        order = {"address": address, "title": message.title, "body": message.body}
        async with self._turns:
            try:
                return await self._ordered(json.dumps(order).encode())
            except OSError as error:
                return Outcome(f"no process can be started: {error.strerror}")

    async def _ordered(self, order: bytes) -> Outcome:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *_CHILD,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            cwd="/",
            env=_surroundings(),
            start_new_session=True,
        )
        try:
            async with asyncio.timeout(self._deadline):
                answer = await _conversation(process, order)
        except TimeoutError:
            return Outcome(f"no answer within {self._deadline:g} s")
        finally:
            await end_group(process)
        return _outcome(answer)


async def _conversation(process: asyncio.subprocess.Process, order: bytes) -> bytes:
    assert process.stdin  # noqa: S101 - both are pipes
    assert process.stdout  # noqa: S101
    try:
        process.stdin.write(order)
        await process.stdin.drain()
    except ConnectionError:  # it has ended already
        return b""
    process.stdin.close()
    return await process.stdout.read(_MOST_ANSWER)


def _outcome(answer: bytes) -> Outcome:
    try:
        told = json.loads(answer)
        return Outcome(printable(str(told["fault"])), bool(told["is_final"]))
    except (ValueError, KeyError, TypeError, RecursionError):
        return Outcome("the process that delivers ended without an answer; is memory scarce?")


def _surroundings() -> dict[str, str]:
    """Return the whole environment: nothing of this process's but its PATH and its way to the internet."""
    found = {name: os.environ[name] for name in _WAY_OUT if name in os.environ}
    return {
        "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
        "HOME": "/nonexistent",
        "LC_ALL": "C.UTF-8",
    } | found
