"""Damaged packets through decoder and server core: an answer, silence, or WireError; nothing else."""

import random

import pytest
from support import captures
from support.proxy import ME, Proxy

from iluvatar_pxe.errors import WireError
from iluvatar_pxe.servers.dhcp.proxy import Reply
from iluvatar_pxe.wire.dhcp import decode


def mutate(data: bytes, rng: random.Random) -> bytes:
    """Damage a packet in one to eight ways: bytes changed, cut out, put in, or cut off."""
    damaged = bytearray(data)
    for _ in range(rng.randint(1, 8)):
        position = rng.randrange(236, len(damaged)) if rng.random() < 0.8 and len(damaged) > 237 else 0
        kind = rng.randrange(5)
        if kind <= 1 and damaged:
            damaged[min(position, len(damaged) - 1)] = rng.choice((0, 1, 3, 0xFF, rng.randrange(256)))
        elif kind == 2:
            del damaged[position : position + rng.randint(1, 20)]
        elif kind == 3:
            damaged[position:position] = rng.randbytes(rng.randint(1, 20))
        elif rng.random() < 0.1:
            del damaged[position:]
    return bytes(damaged)


@pytest.mark.parametrize("mutations", [20_000, pytest.param(1_000_000, marks=pytest.mark.long)])
def test_mutated_captures_never_break_the_server_core(mutations: int) -> None:
    rng = random.Random(20261122)
    originals = [captures.payload(name) for name in captures.names()]
    proxy = Proxy()
    answered = malformed = 0
    for number in range(mutations):
        data = mutate(originals[number % len(originals)], rng)
        try:
            result = proxy.handle(data, pxe_port=bool(number % 3 == 0), source=("10.77.0.9", 4011))
        except WireError:
            malformed += 1
            continue
        if isinstance(result, Reply):
            answered += 1
            assert decode(result.data).siaddr == ME
    assert answered > mutations // 50
    assert malformed > mutations // 50
