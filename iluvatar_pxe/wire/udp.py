"""UDP in an IPv4 packet (RFC 768, RFC 791), for sockets below the kernel's own."""

UDP = 17
_SHORTEST = 28


def udp_payload(packet: bytes, port: int) -> tuple[bytes, tuple[str, int]] | None:
    """Return the payload of an IP packet to this UDP port, with where it came from; None for any other packet."""
    if len(packet) < _SHORTEST or packet[0] >> 4 != 4 or packet[9] != UDP:
        return None
    header = (packet[0] & 0x0F) * 4
    ports = packet[header : header + 8]
    if len(ports) < 8 or int.from_bytes(ports[2:4]) != port:
        return None
    end = header + int.from_bytes(ports[4:6])
    return packet[header + 8 : end], ("{}.{}.{}.{}".format(*packet[12:16]), int.from_bytes(ports[:2]))
