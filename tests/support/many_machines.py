"""Many machines that netboot again and again: ``python many_machines.py SERVER_ADDRESS HTTP_PORT FIRST MAC…``.

The card of the N-th MAC, from FIRST, is the interface ``mN`` with the address 10.77.0.(100 + N). Each machine does what
firmware, iPXE and Talos do, in a thread of its own: asks for a boot by DHCP, for its script, waits out the countdown
it is told and confirms, fetches its configuration, and begins anew; what fails is tried again. Prints a JSON line
for each boot that came to its end. Stands in for real firmware, of which two cores cannot run so many.
"""

import http.client
import json
import re
import socket
import sys
import threading
import time
from collections.abc import Iterator

from support.firmware_dhcp import answer_to, listening, send_from_nowhere
from support.proxy import discover

from iluvatar_pxe.wire.dhcp import encode

OFFER_SECONDS = 1.0
AGAIN_SECONDS = 0.1
HTTP_SECONDS = 20.0

_printing = threading.Lock()


def main() -> None:
    server, port, first, *macs = sys.argv[1:]
    for number, mac in enumerate(macs, int(first)):
        threading.Thread(target=boot_for_ever, args=(server, int(port), number, mac), daemon=True).start()
    threading.Event().wait()


def boot_for_ever(server: str, port: int, number: int, mac: str) -> None:
    while True:
        try:
            for told in boot(server, port, number, mac):
                say(told)
        except (OSError, http.client.HTTPException):
            pass  # the daemon was killed, or is not up yet
        time.sleep(AGAIN_SECONDS)


def boot(server: str, port: int, number: int, mac: str) -> Iterator[dict[str, str]]:
    if not is_offered_a_boot(f"m{number}", mac):
        return
    query = f"mac={mac}&net0={mac}&product=Sim&serial=SIM-{number}&arch=x86_64&platform=efi"
    script = get(server, port, number, f"/ipxe?{query}")
    if counting := re.search(r"Press any key within (\d+) seconds?", script):
        time.sleep(int(counting[1]))
        script = get(server, port, number, f"/ipxe/confirm?mac={mac}")
    starting = re.search(r"^echo (\S+): starting Talos", script, re.MULTILINE)
    ticket = re.search(r"talos\.config=http://[^/]+(/talos/\S+)", script)
    if starting and ticket:
        yield {"mac": mac, "name": starting[1], "config": get(server, port, number, ticket[1])}


def is_offered_a_boot(interface: str, mac: str) -> bool:
    request = encode(discover(7, mac=mac))
    with listening(interface) as sock:
        send_from_nowhere(interface, request)
        return answer_to(request, sock, OFFER_SECONDS) is not None


def get(server: str, port: int, number: int, path: str) -> str:
    connection = http.client.HTTPConnection(server, port)
    connection.sock = socket.socket()
    try:
        connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, f"m{number}".encode())
        connection.sock.settimeout(HTTP_SECONDS)
        connection.sock.bind((f"10.77.0.{100 + number}", 0))
        connection.sock.connect((server, port))
        connection.request("GET", path)
        answer = connection.getresponse()
        body = answer.read().decode()
        return body if answer.status == 200 else ""
    finally:
        connection.close()


def say(told: dict[str, str]) -> None:
    with _printing:
        sys.stdout.write(json.dumps(told) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
