"""UDP in an IPv4 packet (RFC 768, RFC 791), for sockets below the kernel's own."""

from struct import Struct

UDP = 17
_SHORTEST = 28
_HEADER = Struct("!HHH")
"""Of UDP: the ports from and to which it goes, and its length with the header of 8 octets."""


def udp_payload(packet: bytes, port: int) -> tuple[bytes, tuple[str, int]] | None:
    """Return the payload of an IP packet to this UDP port, with where it came from; None for any other packet."""
    data = udp_data(packet, port)
    if data is None:
        return None
    header = (packet[0] & 0x0F) * 4
    return data, ("{}.{}.{}.{}".format(*packet[12:16]), int.from_bytes(packet[header : header + 2]))


def udp_data(packet: bytes, port: int) -> bytes | None:
    """Return the payload of an IP packet to this UDP port; None for any other packet."""
    if len(packet) < _SHORTEST or packet[0] >> 4 != 4 or packet[9] != UDP:
        return None
    header = (packet[0] & 0x0F) * 4
    if len(packet) < header + 8:
        return None
    _, to, length = _HEADER.unpack_from(packet, header)
    return packet[header + 8 : header + length] if to == port else None
