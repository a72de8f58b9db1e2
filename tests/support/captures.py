"""UDP payloads of the frames in ``tests/captures``."""

from pathlib import Path

CAPTURES = Path(__file__).parent.parent / "captures"
_PCAP_HEADER, _RECORD_HEADER, _ETHERNET = 24, 16, 14


def payload(name: str) -> bytes:
    """Return the UDP payload of the one frame in ``name.pcap``."""
    frame = (CAPTURES / f"{name}.pcap").read_bytes()[_PCAP_HEADER + _RECORD_HEADER + _ETHERNET :]
    ip_header = (frame[0] & 0x0F) * 4
    length = int.from_bytes(frame[ip_header + 4 : ip_header + 6])
    return frame[ip_header + 8 : ip_header + length]


def names(part: str = "") -> list[str]:
    """Return the names of all captures that contain ``part``."""
    return sorted(path.stem for path in CAPTURES.glob("*.pcap") if part in path.stem)


def dhcp_requests() -> list[str]:
    """Return the names of the DHCP messages that clients sent."""
    return [name for name in names() if "reply" not in name and "tftp" not in name]
