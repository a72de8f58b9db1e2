import struct
from ipaddress import IPv4Address

import pytest

from bench.boot_times import REFERENCE, stage_table
from iluvatar_pxe.errors import LabError
from iluvatar_pxe.lab.watch.capture import TCP, UDP, Packet, read_packets
from iluvatar_pxe.lab.watch.stages import STAGES, next_stage, packets_of, stage_times
from iluvatar_pxe.values import replace

GUEST, ROUTER, SERVER = (IPv4Address(address) for address in ("10.77.0.150", "10.77.0.1", "10.77.0.2"))
NOBODY, EVERYBODY = IPv4Address("0.0.0.0"), IPv4Address("255.255.255.255")
MAC, OTHER = "52:54:00:77:00:01", "52:54:00:77:00:02"
MACS = {GUEST: MAC, NOBODY: MAC, EVERYBODY: "ff:ff:ff:ff:ff:ff", ROUTER: OTHER, SERVER: OTHER}


def packet(
    time: float,
    protocol: int,
    source: IPv4Address,
    sport: int,
    target: IPv4Address,
    port: int,
    payload: bytes,
) -> Packet:
    return Packet(time, MACS[source], MACS[target], protocol, source, sport, target, port, payload)


def dhcp(time: float, kind: int, source: IPv4Address = NOBODY, user_class: bytes = b"") -> Packet:
    options = (
        b"\0" + bytes([53, 1, kind]) + (bytes([77, len(user_class)]) + user_class if user_class else b"")
    )
    ports = (67, 68) if source != NOBODY else (68, 67)
    head = bytes(28) + bytes.fromhex(MAC.replace(":", "")) + bytes(240 - 34)
    return packet(time, UDP, source, ports[0], EVERYBODY, ports[1], head + options + b"\xff")


def get(time: float, path: str, port: int = 40000) -> Packet:
    return packet(time, TCP, GUEST, port, SERVER, 8080, f"GET {path} HTTP/1.1\r\n\r\n".encode())


def rrq(time: float, name: str, port: int) -> Packet:
    return packet(time, UDP, GUEST, port, SERVER, 69, b"\0\1" + name.encode() + b"\0octet\0")


def data(time: float, port: int, protocol: int = UDP) -> Packet:
    return packet(time, protocol, SERVER, 50000, GUEST, port, b"data")


SYSTEM = [
    get(113.0, "/assets/talos/kernel-amd64"),
    get(114.0, "/assets/talos/initramfs-amd64.xz"),
    dhcp(117.0, 1),
    dhcp(117.1, 5, ROUTER),
    get(118.0, "/talos/ticket/config.yaml"),
]


def test_a_boot_over_tftp() -> None:
    packets = [
        dhcp(105.0, 1),
        dhcp(105.1, 2, SERVER),
        dhcp(108.0, 5, ROUTER),
        rrq(109.0, "ipxe/snponly.efi", 1001),
        data(109.1, 1001),  # the answer to a probe for the size
        rrq(109.2, "ipxe/snponly.efi", 1002),
        data(109.3, 1002),
        data(109.9, 1002),
        rrq(110.0, "autoexec.ipxe", 1003),
        data(110.1, 1003),
        dhcp(111.0, 1, user_class=b"iPXE"),
        get(112.0, "/boot.ipxe"),
        get(112.5, "/ipxe?mac=52:54:00:77:00:01&program=x.efi"),
        *SYSTEM,
    ]
    assert stage_times(packets, 100.0) == pytest.approx(
        {
            "DISCOVER": 5.0,
            "router ACK": 8.0,
            "NBP fetched": 9.9,
            "iPXE DISCOVER": 11.0,
            "script": 12.5,
            "config fetched": 18.0,
        }
    )


def test_a_boot_over_http_without_a_round_of_ipxes_own() -> None:
    packets = [
        dhcp(105.0, 1),
        dhcp(108.0, 5, ROUTER),
        get(109.0, "/assets/ipxe/snponly.efi", 40001),
        data(109.4, 40001, TCP),
        get(110.0, "/boot.ipxe"),
        *SYSTEM,
    ]
    times = stage_times(packets, 100.0)
    assert (times["NBP fetched"], times["script"]) == pytest.approx((9.4, 10.0))
    assert "iPXE DISCOVER" not in times


def test_a_boot_that_ends_early_has_only_the_stages_it_reached() -> None:
    assert list(stage_times([dhcp(103.0, 1, user_class=b"iPXE")], 100.0)) == ["DISCOVER"]
    assert stage_times([], 100.0) == {}


def test_of_two_machines_each_has_its_own_packets() -> None:
    own = [dhcp(105.0, 1), dhcp(105.1, 2, SERVER), get(106.0, "/boot.ipxe"), data(107.0, 1001)]
    others = [replace(get(106.5, "/boot.ipxe"), source_mac=OTHER), replace(own[1], payload=bytes(300))]
    assert packets_of(MAC, [*own, *others]) == own


@pytest.mark.parametrize(
    ("reached", "expected"),
    [((), "DISCOVER"), (("DISCOVER", "script"), "config fetched"), (STAGES, None)],
)
def test_what_comes_after_the_last_stage_is_what_was_not_reached(
    reached: tuple[str, ...], expected: str | None
) -> None:
    assert next_stage(dict.fromkeys(reached, 1.0)) == expected


def test_the_table_has_a_column_for_every_stage() -> None:
    heading, row = stage_table([("bios", REFERENCE["bios"])])
    assert [heading.find(stage) > 0 for stage in STAGES] == [True] * len(STAGES)
    assert row.split() == ["bios", "2.4", "s", "2.4", "s", "-", "-", "18.5", "s", "25.2", "s"]


def pcap(*frames: bytes) -> bytes:
    records = (struct.pack("<IIII", 7, 500_000, len(frame), len(frame)) + frame for frame in frames)
    return struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1) + b"".join(records)


def frame(payload: bytes, *, protocol: int = UDP, fragment: int = 0) -> bytes:
    header = bytes(8) if protocol == UDP else bytes(12) + b"\x60" + bytes(11)
    segment = struct.pack("!HH", 68, 67) + header[4:] + payload
    ip = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(segment), 0, fragment, 64, protocol, 0)
    macs = bytes.fromhex((OTHER + MAC).replace(":", ""))
    return macs + b"\x08\x00" + ip + GUEST.packed + SERVER.packed + segment + b"padding"


def test_packets_are_read_without_padding_and_headers() -> None:
    udp, tcp = read_packets(pcap(frame(b"hello"), frame(b"GET", protocol=TCP)))
    assert udp == Packet(7.5, MAC, OTHER, UDP, GUEST, 68, SERVER, 67, b"hello")
    assert tcp.payload == b"GET"


def test_other_traffic_is_left_out() -> None:
    arp = bytes(12) + b"\x08\x06" + bytes(46)
    assert list(read_packets(pcap(arp, frame(b"x", protocol=1), frame(b"x", fragment=100)))) == []


def test_a_record_cut_off_by_the_end_of_the_capture_does_no_harm() -> None:
    assert list(read_packets(pcap(frame(b"hello")) + b"\0\0\0")) == list(read_packets(pcap(frame(b"hello"))))


def test_a_foreign_format_is_refused() -> None:
    with pytest.raises(LabError, match="pcap"):
        list(read_packets(bytes(24)))
