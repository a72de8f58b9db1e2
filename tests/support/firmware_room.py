"""DHCP of several machines at once, from 0.0.0.0: ``python -m support.firmware_room DEVICE SECONDS REQUEST_HEX…``.

Prints the MACs that replies are for, as they come, until there is one for each request or SECONDS are over.
"""

import os
import sys
import time
from collections.abc import Iterable
from pathlib import Path

from support.firmware_dhcp import listening, send_from_nowhere

from iluvatar_pxe.lab.room.namespace import Namespace
from iluvatar_pxe.wire.dhcp import DhcpMessage, encode

_TESTS = Path(__file__).parents[1]
_SECONDS = 10


def answered(namespace: Namespace, network: str, device: str, messages: Iterable[DhcpMessage]) -> list[str]:
    """Send DISCOVERs from a network of the namespace; return the MACs that are answered, in that order."""
    requests = [encode(message).hex() for message in messages]
    words = [sys.executable, "-m", "support.firmware_room", device, str(_SECONDS), *requests]
    environment = {**os.environ, "PYTHONPATH": f"{_TESTS.parent}:{_TESTS}"}
    return namespace.run(words, network=network, environment=environment).split()


def main() -> None:
    device, seconds, *requests = sys.argv[1:]
    deadline = time.monotonic() + float(seconds)
    with listening(device) as sock:
        for request in requests:
            send_from_nowhere(device, bytes.fromhex(request))
        for _ in requests:
            sock.settimeout(max(0.001, deadline - time.monotonic()))
            try:
                reply = sock.recv(4096)
            except TimeoutError:
                return
            sys.stdout.write(reply[28:34].hex(":") + "\n")


if __name__ == "__main__":
    main()
