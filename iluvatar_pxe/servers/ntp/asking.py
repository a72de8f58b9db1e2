"""Asks another program on this host for the time, as a machine would."""

import asyncio
import os
import socket
from contextlib import suppress

from iluvatar_pxe.wire.ntp import encode_request, tells_time

_SECONDS = 2.0
_LONGEST = 512


async def is_told_the_time(address: str, port: int) -> bool:
    """Say whether what listens at an address tells the time to a client that has the same address."""
    transmit = int.from_bytes(os.urandom(8))
    client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    with client, suppress(OSError, TimeoutError):  # nothing listens, or it does not answer
        client.bind((address, 0))
        client.connect((address, port))
        client.send(encode_request(transmit))
        async with asyncio.timeout(_SECONDS):
            answer = await asyncio.get_running_loop().sock_recv(client, _LONGEST)
            return tells_time(answer, transmit)
    return False
