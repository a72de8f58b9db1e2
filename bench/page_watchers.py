"""Clients that watch the page: ``python page_watchers.py ADDRESS PORT STREAMS PAGES``; prints READY when all were answered.

Each stream follows all events, and each page is asked for again a second after it has come.
"""

import asyncio
import sys

HEAD = "GET {} HTTP/1.1\r\nHost: {}\r\n\r\n"


async def main() -> None:
    address, port, streams, pages = sys.argv[1], *map(int, sys.argv[2:])
    ready = asyncio.Semaphore(0)
    async with asyncio.TaskGroup() as group:
        for _ in range(streams):
            group.create_task(follow(address, port, ready))
        for _ in range(pages):
            group.create_task(poll(address, port, ready))
        for _ in range(streams + pages):
            await ready.acquire()
        print("READY", flush=True)


async def follow(address: str, port: int, ready: asyncio.Semaphore) -> None:
    """Read a stream of events."""
    reader, writer = await asyncio.open_connection(address, port)
    writer.write(HEAD.format("/api/v1/events", address).encode())
    await reader.readuntil(b"retry: ")
    ready.release()
    while await reader.read(1 << 16):
        pass
    raise RuntimeError("the daemon has ended a stream")


async def poll(address: str, port: int, ready: asyncio.Semaphore) -> None:
    """Ask for the page of machines every second."""
    reader, writer = await asyncio.open_connection(address, port)
    while True:
        writer.write(HEAD.format("/", address).encode())
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        assert head.startswith("HTTP/1.1 200"), head
        length = next(line for line in head.lower().splitlines() if line.startswith("content-length: "))
        await reader.readexactly(int(length.partition(": ")[2]))
        ready.release()
        await asyncio.sleep(1)


if __name__ == "__main__":
    asyncio.run(main())
