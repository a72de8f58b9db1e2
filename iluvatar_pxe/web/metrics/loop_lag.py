"""Measures how late the event loop is: while it is, nobody is answered."""

import asyncio

from iluvatar_pxe.meters import SECONDS, Histogram

INTERVAL = 1.0


class LoopLag:
    """``run`` while the daemon serves."""

    def __init__(self) -> None:
        self.seconds = Histogram(SECONDS)

    async def run(self) -> None:
        """Look every second by how much a timer is late, until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + INTERVAL
            await asyncio.sleep(INTERVAL)
            self.seconds.observe(max(0.0, loop.time() - due))
