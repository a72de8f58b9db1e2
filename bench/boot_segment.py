"""An Ethernet segment: this host's ``boot0``, and machines with cards of their own behind it, in another network."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

INTERFACE, ADDRESS = "boot0", "10.78.0.1"
_CARD = "machines"
"""The card that the machines' are on (macvlan)."""
TESTS = Path(__file__).parents[1] / "tests"


def mac_of(number: int) -> str:
    return f"52:54:00:78:00:{number:02x}"


def address_of(number: int) -> str:
    return f"10.78.0.{number + 10}"


def card_of(number: int) -> str:
    return f"card{number}"


class Segment:
    """The machines are numbered from 0; ``pid`` is a process in their network."""

    def __init__(self, pid: int) -> None:
        self.pid = pid

    def discover(self, requests: Sequence[bytes]) -> None:
        """Have machines ask for a boot by DHCP; exits unless all are answered."""
        script, words = str(TESTS / "support" / "dhcp_asks.py"), [one.hex() for one in requests]
        printed = self._run([sys.executable, script, _CARD, "2,4,8", *words], None).splitlines()
        if len(printed) < len(requests) or "0 0.00" in printed:
            sys.exit("a DISCOVER was not answered")

    def python(self, module: str, core: int, argument: Any) -> Any:
        """Run ``module`` on ``core`` among the machines, which reads a value of JSON and prints one."""
        command = ["taskset", "--cpu-list", str(core), sys.executable, "-m", module]
        return json.loads(self._run(command, json.dumps(argument)))

    def _run(self, command: Sequence[str], given: str | None) -> str:
        entered = ["nsenter", f"--net=/proc/{self.pid}/ns/net", *command]
        environment = os.environ | {"PYTHONPATH": f"{TESTS.parent}:{TESTS}"}
        done = subprocess.run(
            entered, input=given, env=environment, check=True, stdout=subprocess.PIPE, text=True
        )
        return done.stdout


@contextmanager
def boot_segment(machines: int) -> Iterator[Segment]:
    """Make it, in a network namespace of the caller's own; it ends with the block."""
    holder = subprocess.Popen(
        ["unshare", "--net", "sh", "-c", "echo && exec cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert holder.stdin
    assert holder.stdout
    try:
        holder.stdout.readline()
        _ip(f"link add {INTERFACE} type veth peer name {_CARD} netns {holder.pid}")
        _ip(f"address add {ADDRESS}/24 dev {INTERFACE}")
        _ip(f"link set {INTERFACE} up")
        inside = ["nsenter", f"--net=/proc/{holder.pid}/ns/net"]
        _ip(f"link set {_CARD} up", inside)
        for number in range(machines):
            card = card_of(number)
            _ip(f"link add {card} link {_CARD} address {mac_of(number)} type macvlan mode bridge", inside)
            _ip(f"address add {address_of(number)}/24 dev {card}", inside)
            _ip(f"link set {card} up", inside)
        # each card answers for its own address alone, and asks by it
        rules = ("arp_ignore=1", "arp_announce=2", "rp_filter=0")
        subprocess.run(
            [*inside, "sysctl", "-q", *(f"net.ipv4.conf.all.{rule}" for rule in rules)], check=True
        )
        yield Segment(holder.pid)
    finally:
        holder.stdin.close()
        holder.wait()


def _ip(words: str, before: Sequence[str] = ()) -> None:
    subprocess.run([*before, "ip", *words.split()], check=True)
