#!/usr/bin/python3
"""A stand-in for k3s on an installed machine: it takes what it is given as k3s does, says so on the console, and is ready.

It starts no cluster. What k3s would refuse, it refuses: a token file that is missing, or that others may read.
"""

import hashlib
import os
import socket
import sys
import time
from pathlib import Path

RANCHER = Path("/etc/rancher")
TOKEN = RANCHER / "k3s/token"


def main() -> None:
    """Run as systemd starts it."""
    join = (RANCHER / "k3s/config.yaml.d/50-join.yaml").read_text().strip()
    for secret in (TOKEN, RANCHER / "node/password"):
        if secret.stat().st_mode & 0o077:
            sys.exit(f"{secret}: others may read it")
    token = hashlib.sha256(TOKEN.read_bytes()).hexdigest()
    os.sync()
    with Path("/dev/console").open("w") as console:
        print(f"\nK3S STAND-IN: {' '.join(sys.argv[1:])}, {join}, token {token}", file=console)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.connect(os.environ["NOTIFY_SOCKET"])
        notify.send(b"READY=1")
    while True:
        time.sleep(3600)


if __name__ == "__main__":
    main()
