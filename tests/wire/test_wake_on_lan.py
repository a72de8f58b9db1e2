"""The magic packet, octet for octet."""

from iluvatar_pxe.wire.wake_on_lan import magic_packet


def test_six_octets_of_ones_and_the_mac_sixteen_times() -> None:
    assert magic_packet("52:54:00:12:34:56").hex() == "ff" * 6 + "525400123456" * 16
