"""Wake-on-LAN: the packet by which a NIC switches its machine on (AMD, Magic Packet Technology, 1995)."""

PORT = 9
"""UDP's discard: a NIC looks for the octets anywhere in a frame, and no program answers there."""
_SYNCHRONISATION = b"\xff" * 6
_REPETITIONS = 16


def magic_packet(mac: str) -> bytes:
    """Return the payload that wakes the NIC with this MAC, as ``parse_mac`` spells it; without SecureOn's password."""
    return _SYNCHRONISATION + bytes.fromhex(mac.replace(":", "")) * _REPETITIONS
