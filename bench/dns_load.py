"""The questions of bench/dns.py, and how they are asked: by dnsperf, and one by one to see how long an answer takes."""

import random
import re
import socket
import struct
import subprocess
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import NamedTuple

from bench.dns_servers import DOMAIN, ELSEWHERE, MACHINES, NOWHERE
from bench.servers import HERE, Server
from iluvatar_pxe.wire.dns.query import HEADER, RD
from iluvatar_pxe.wire.dns.types import IN, Type

CLIENTS = 8
FLOOD = 100_000
"""Names, no two alike: half of them of the domain, a quarter of an upstream, a quarter that an upstream does not have."""
_SPELLINGS = 100_000
_PROBED = 50
_SETTLING = 0.25
"""Seconds of a load before and after those in which others ask."""
_OUTSTANDING = 50
"""Questions of the flood that are out at once: fewer than a client may have."""
_COOKIE = "10:0123456789abcdef"
_SO_TIMESTAMPNS = 35
_TIMESPEC = struct.Struct("@qq")
_random = random.Random(0)


class _Timespec(NamedTuple):
    seconds: int
    nanoseconds: int


@dataclass(frozen=True)
class Load:
    """Questions, and how dnsperf is to ask them."""

    name: str
    file: Path
    probes: Sequence[str]
    """A few of the names."""
    options: tuple[str, ...] = ()


class Rate(NamedTuple):
    """What dnsperf has seen."""

    per_second: float
    """Answers."""
    share: float
    """Of its core that the server had; less than all of it when dnsperf, or something else that runs, was the limit."""

    @property
    def of_whole_core(self) -> float:
        """Answers per second of processor time."""
        return self.per_second / self.share


class Pace(NamedTuple):
    """What a server does that is asked at some rate."""

    milliseconds: Sequence[float]
    """Of some answers, the shortest first."""
    work: float
    """Microseconds of processor time for each answer."""

    def within(self, share: float) -> float:
        """Return in how many milliseconds such a share of answers came."""
        return self.milliseconds[int(len(self.milliseconds) * share)]


def loads(directory: Path) -> list[Load]:
    """Write the files of questions."""
    local = [f"{name}.{DOMAIN}" for name in MACHINES]
    cached = [f"{name}.{ELSEWHERE}" for name in MACHINES]
    spelled = [_spelled(_random.choice(cached)) for _ in range(_SPELLINGS)]
    return [
        _load(directory, "local names", local),
        _load(directory, "cached names", cached),
        _load(directory, "cached names in mixed case (0x20)", spelled),
        _load(directory, "cached names with cookies", cached, "-e", "-E", _COOKIE),
    ]


def floods(directory: Path) -> list[Load]:
    """Write the files of names that are asked for once, in two halves."""
    zones = (DOMAIN, NOWHERE, DOMAIN, ELSEWHERE)
    names = [f"x{_random.getrandbits(64):016x}.{zones[number % 4]}" for number in range(FLOOD)]
    half = FLOOD // 2
    return [_load(directory, "flood 1", names[:half]), _load(directory, "flood 2", names[half:])]


def warm(server: Server, load: Load) -> None:
    """Ask for every name once."""
    _checked(_dnsperf(server, load, "-n", "1", "-q", str(_OUTSTANDING)))


def flood(server: Server, load: Load) -> None:
    """Ask for names that nobody has asked for; each is answered, though most are not there."""
    output = _dnsperf(server, load, "-n", "1", "-q", str(_OUTSTANDING))
    codes = _found(r"Response codes: +(.*)", output)
    assert not re.search("SERVFAIL|REFUSED", codes), f"{server.name} gave up: {codes}"


def throughput(server: Server, load: Load, seconds: float) -> Rate:
    """Ask as fast as it answers."""
    before, started = server.worked, time.monotonic()
    output = _dnsperf(server, load, "-l", str(seconds))
    share = (server.worked - before) / (time.monotonic() - started)
    _checked(output)
    return Rate(float(_found(r"Queries per second: +([0-9.]+)", output)), share)


def paced(server: Server, load: Load, rate: float, seconds: float) -> Pace:
    """Ask so many questions a second.

    dnsperf tells no percentiles, and its two threads on one core wait for each other for milliseconds. So others ask:
    from the system call that sends to the moment at which the kernel has the answer, whoever has the core then.
    """
    length = seconds + 2 * _SETTLING
    before = server.worked
    argv = _argv(server, load, "-l", str(length), "-Q", str(int(rate)))
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as dnsperf:
        time.sleep(_SETTLING)
        found = sorted(_probe(server.port, load.probes, seconds))
        output, _ = dnsperf.communicate()
    _checked(output)
    answers = int(_found(r"Queries completed: +([0-9]+)", output)) + len(found)
    return Pace(found, (server.worked - before) / answers * 1e6)


def _probe(port: int, names: Sequence[str], seconds: float) -> Iterable[float]:
    deadline = time.monotonic() + seconds
    number = 0
    with socket.socket(type=socket.SOCK_DGRAM) as client:
        client.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        client.connect((HERE, port))
        client.settimeout(1)
        while time.monotonic() < deadline:
            number += 1
            yield _ask(client, number, names[number % len(names)])
            time.sleep(_random.uniform(0, 0.002))


def _ask(client: socket.socket, number: int, name: str) -> float:
    """Return milliseconds; infinitely many when there is no answer within a second."""
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    header = HEADER.pack(number & 0xFFFF, RD, 1, 0, 0, 0)
    sent = time.clock_gettime_ns(time.CLOCK_REALTIME)
    client.send(header + labels + b"\0" + struct.pack("!HH", Type.A, IN))
    with suppress(TimeoutError):
        while True:
            data, ancillary, _, _ = client.recvmsg(4096, 64)
            if data[:2] == header[:2]:
                timespec = _Timespec._make(_TIMESPEC.unpack(ancillary[0][2]))
                return (timespec.seconds * 10**9 + timespec.nanoseconds - sent) / 1e6
    return inf


def _spelled(name: str) -> str:
    return "".join(_random.choice((one.lower(), one.upper())) for one in name)


def _load(directory: Path, name: str, names: Sequence[str], *options: str) -> Load:
    file = directory / f"{name}.txt"
    file.write_text("".join(f"{one} A\n" for one in names))
    return Load(name, file, names[:_PROBED], options)


def _dnsperf(server: Server, load: Load, *options: str) -> str:
    return subprocess.run(_argv(server, load, *options), check=True, capture_output=True, text=True).stdout


def _argv(server: Server, load: Load, *options: str) -> list[str]:
    where = ("-s", HERE, "-p", str(server.port), "-d", str(load.file), "-c", str(CLIENTS))
    return ["dnsperf", *where, *load.options, *options]


def _checked(output: str) -> None:
    """See that there were answers, and as good as no losses: a figure of anything else says nothing."""
    assert re.search(r"Response codes: +NOERROR [0-9]+ \(100\.00%\)", output), output
    assert float(_found(r"Queries lost: .*\(([0-9.]+)%\)", output)) < 0.5, output


def _found(pattern: str, output: str) -> str:
    found = re.search(pattern, output)
    assert found, output
    return found[1]
