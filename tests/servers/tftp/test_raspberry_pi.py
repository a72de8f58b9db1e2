"""TFTP as Raspberry Pis speak it: each test names the report of the trouble that it keeps away."""

from collections.abc import Iterator

import pytest
from support.tftp_peer import FILE, MakePeer, peers, serving

from iluvatar_pxe.wire.tftp.options import Terms
from iluvatar_pxe.wire.tftp.packet import Ack, Data, Error, OptionAck, ReadRequest, decode, encode
from iluvatar_pxe.wire.tftp.transfer import Outcome, ReadTransfer

EEPROM = (("tsize", "0"), ("blksize", "1468"))
"""What an EEPROM asks for, in this order; those of 2019 asked for 1024."""
EARLY_TERMINATE = b"\0\5\0\0Early terminate\0"


@pytest.fixture
def peer() -> Iterator[MakePeer]:
    with peers() as make:
        yield make


@pytest.mark.parametrize("blksize", ["1024", "1468"])
async def test_firmware_1913_tsize_and_blksize_are_acknowledged(peer: MakePeer, blksize: str) -> None:
    async with serving() as (server, _):
        options = (("tsize", "0"), ("blksize", blksize))
        oack, _ = await peer().ask(server, ReadRequest("nbp", "octet", options))
        assert oack == OptionAck((("tsize", str(len(FILE))), ("blksize", blksize)))


async def test_a_boot_rom_without_options_gets_512_octets_a_block(peer: MakePeer) -> None:
    async with serving() as (server, _):
        assert await peer().fetch(server, "nbp") == FILE


@pytest.mark.parametrize("options", [EEPROM, (("tsize", "0"),), ()])
async def test_rpi_eeprom_74_firmware_1700_a_probe_ends_and_the_next_port_asks_again(
    peer: MakePeer, options: tuple[tuple[str, str], ...]
) -> None:
    async with serving() as (server, reports):
        probe, again = peer(), peer()
        _, one = await probe.ask(server, ReadRequest("nbp", "octet", options))
        probe.send(EARLY_TERMINATE, one)
        assert (await reports.next()).outcome is Outcome.PROBE
        probe.assert_silent()
        first, other = await again.ask(server, ReadRequest("nbp", "octet"))
        assert isinstance(first, Data)
        assert other != one  # a port of its own for each request
        assert await again.finish(first, other) == FILE


async def test_rpi_eeprom_140_a_missing_file_is_error_1_from_a_new_port(peer: MakePeer) -> None:
    async with serving() as (server, _):
        ports = set()
        for _ in range(3):
            answer, sender = await peer().ask(server, ReadRequest("b66c4c16/recovery.elf", "octet", EEPROM))
            assert isinstance(answer, Error)
            assert answer.code == 1
            ports.add(sender)
        assert server.listening[0] not in ports


def test_firmware_1631_no_block_is_sent_twice_within_a_second() -> None:
    """An older start4.elf counts the second as the next block, and hangs."""
    transfer = ReadTransfer(3000, Terms(blksize=1024))
    transfer.supply(0, FILE[:1024])
    assert [decode(one) for one in transfer.datagrams_to_send(0.0)] == [Data(1, FILE[:1024])]
    transfer.receive(encode(Ack(1)))
    transfer.supply(1024, FILE[1024:])
    assert len(transfer.datagrams_to_send(0.1)) == 1
    for _ in range(5):
        transfer.receive(encode(Ack(1)))  # a Pi that asks again, or a link that doubles
        assert transfer.datagrams_to_send(0.2) == []
    transfer.expire(1.09)
    assert transfer.datagrams_to_send(1.09) == []
    transfer.expire(1.1)
    assert [decode(one) for one in transfer.datagrams_to_send(1.1)] == [Data(2, FILE[1024:2048])]
