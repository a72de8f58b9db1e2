"""Machines that ask for scripts by HTTP, for bench/scripts.py: each by its own card, one request after the other.

Reads ``{"to": [ADDRESS, PORT], "asks": [[CARD, TARGET], …], "seconds": SECONDS}`` as JSON; prints the number of requests
that were answered, the seconds that this took, and an answer's body.
"""

import json
import selectors
import socket
import sys
import time
from typing import NamedTuple

_OK = b"HTTP/1.1 200 "


class Client(NamedTuple):
    sock: socket.socket
    request: bytes
    size: int
    """Octets of an answer, the same for each: a date has always the same length."""


def main() -> None:
    given = json.load(sys.stdin)
    host = "{}:{}".format(*given["to"])
    clients = []
    body = b""
    for card, target in given["asks"]:
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, card.encode())
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.settimeout(60)
        sock.connect(tuple(given["to"]))
        request = f"GET {target} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: iPXE/1.21.1\r\n\r\n".encode()
        sock.sendall(request)
        size, body = first_answer(sock)
        clients.append(Client(sock, request, size))
    answered, seconds = asked(clients, given["seconds"])
    json.dump([answered + len(clients), seconds, body.decode()], sys.stdout)


def first_answer(sock: socket.socket) -> tuple[int, bytes]:
    """Return the octets of a whole answer, and its body."""
    answer = b""
    while b"\r\n\r\n" not in answer:
        answer += received(sock)
    head, _, body = answer.partition(b"\r\n\r\n")
    size = int(head.lower().partition(b"content-length:")[2].split()[0])
    while len(body) < size:
        body += received(sock)
    if not head.startswith(_OK):
        sys.exit(f"{head.decode()}: {body.decode()}")
    return len(head) + 4 + size, body


def received(sock: socket.socket) -> bytes:
    octets = sock.recv(1 << 16)
    if not octets:
        sys.exit("the server ended a connection")
    return octets


def asked(clients: list[Client], seconds: float) -> tuple[int, float]:
    """Have all ask again and again for so many seconds; return how often they were answered, and the seconds."""
    answered = 0
    with selectors.DefaultSelector() as selector:
        left = {}
        for client in clients:
            selector.register(client.sock, selectors.EVENT_READ, client)
            left[client.sock] = client.size
        begun = time.perf_counter()
        for client in clients:
            client.sock.send(client.request)
        while (now := time.perf_counter()) - begun < seconds:
            for key, _ in selector.select(60):
                sock, request, size = key.data
                octets = sock.recv(1 << 16)
                is_first = left[sock] == size
                if not octets or (is_first and not octets.startswith(_OK)):
                    sys.exit(f"not served: {octets[:500].decode()}")
                left[sock] -= len(octets)
                if not left[sock]:
                    answered += 1
                    left[sock] = size
                    sock.send(request)
    return answered, now - begun


if __name__ == "__main__":
    main()
