"""docs/firmware.md, row by row: packets of real firmware, and vectors, which are built from what is known of others."""

from ipaddress import IPv4Address

import pytest
from support import captures
from support.fleets import PROGRAMS, fleet_of
from support.proxy import MAC, ME, Proxy, boot_request, captured, discover

from iluvatar_pxe.servers.dhcp.proxy import Reply
from iluvatar_pxe.values import replace
from iluvatar_pxe.wire.dhcp import ANY, BROADCAST_FLAG, DhcpMessage, MessageType, Option, encode

BASE = "http://10.77.0.2:8080"
ARM64, ARM64_URL = b"ipxe/ipxe-arm64.efi", f"{BASE}/assets/ipxe/ipxe-arm64.efi".encode()
X64_URL = f"{BASE}/assets/ipxe/snponly.efi".encode()
SCRIPT = f"{BASE}/boot.ipxe".encode()


def answer(request: DhcpMessage) -> DhcpMessage:
    """Return what is answered on the port that this message is for."""
    return Proxy().reply(request, pxe_port=request.message_type is MessageType.REQUEST)


def answers_of_dnsmasq() -> list[tuple[str, str]]:
    """Return the names of dnsmasq's replies, each after that of the request that it answers."""
    requests = {captured(name).xid: name for name in reversed(captures.dhcp_requests())}
    return [(requests[captured(name).xid], name) for name in captures.names("-reply-")]


@pytest.mark.parametrize(("request_", "reply"), answers_of_dnsmasq())
def test_captures_are_answered_as_dnsmasq_answered_them(request_: str, reply: str) -> None:
    request, theirs = captured(request_), captured(reply)
    ours = answer(request)
    for field in ("op", "xid", "chaddr", "ciaddr", "yiaddr", "siaddr", "giaddr", "message_type"):
        assert getattr(ours, field) == getattr(theirs, field), field
    for option in (Option.SERVER_ID, Option.VENDOR_CLASS, Option.CLIENT_MACHINE_ID):
        assert ours.option(option) == theirs.option(option), option
    assert ours.flags & BROADCAST_FLAG >= theirs.flags & BROADCAST_FLAG
    assert ours.file.startswith(b"http:") == (theirs.file.startswith(b"http:"))


UEFI = [name for name in captures.dhcp_requests() if "firmware-pxe-discover" in name or "4011" in name]
UEFI_HTTP = captures.names("firmware-http-discover")


@pytest.mark.parametrize("name", [*UEFI, *UEFI_HTTP])
def test_edk2_accepts_the_reply_to_a_capture(name: str) -> None:
    """By the rules of its Dhcp4Dxe, UefiPxeBcDxe and HttpBootDxe (facts 4 to 10, 14 and 24 of docs/proxydhcp.md)."""
    reply = answer(captured(name))
    wanted = b"HTTPClient" if name in UEFI_HTTP else b"PXEClient"
    assert (reply.option(Option.VENDOR_CLASS) or b"").startswith(wanted)
    assert reply.address(Option.SERVER_ID) == reply.siaddr == ME
    assert reply.option(Option.VENDOR_SPECIFIC) is None
    assert reply.option(Option.BOOT_FILE) == reply.file + b"\0"
    assert len(encode(reply)) <= 1472


@pytest.mark.parametrize(
    ("name", "boot_file"),
    [
        ("uefi-arm64-pxe.0-firmware-pxe-discover", ARM64),
        ("uefi-arm64-pxe.3-firmware-pxe-request-4011", ARM64),
        ("uefi-arm64-http.0-firmware-http-discover", ARM64_URL),
        ("u-boot-arm64.1-firmware-pxe-discover", ARM64),
        ("bios-virtio.0-ipxe-discover", SCRIPT),
        ("uefi-arm64-pxe.5-ipxe-discover", SCRIPT),
        ("uefi-arm64-http.3-ipxe-discover", SCRIPT),
        ("uefi-x64-http.3-ipxe-discover", SCRIPT),
        ("u-boot-arm64.2-ipxe-discover", SCRIPT),
    ],
)
def test_the_boot_file_for_a_capture(name: str, boot_file: bytes) -> None:
    assert answer(captured(name)).file == boot_file


def test_u_boot_finds_all_that_it_reads_in_the_header() -> None:
    """A proxy is who offers no address; of its offer only ``siaddr`` and ``file`` are read (booter#11)."""
    offer = answer(captured("u-boot-arm64.1-firmware-pxe-discover"))
    assert (offer.yiaddr, offer.siaddr, offer.file) == (ANY, ME, ARM64)


SILENT = {"u-boot-arm64.0-firmware-discover"}


def test_u_boot_that_does_not_say_it_boots_is_an_ordinary_client() -> None:
    silence = Proxy().silence(captured("u-boot-arm64.0-firmware-discover"))
    assert (silence.why, silence.sighting) == ("does not ask for a boot", None)


@pytest.mark.parametrize(
    ("arch", "kind", "boot_file"),
    [
        pytest.param(22, b"PXEClient", ARM64, id="U-Boot arm64 (omni-infra-provider-bare-metal#48)"),
        pytest.param(24, b"HTTPClient", ARM64_URL, id="U-Boot arm64, HTTP"),
        pytest.param(19, b"HTTPClient", ARM64_URL, id="UEFI arm64, HTTP"),
        pytest.param(7, b"HTTPClient", X64_URL, id="UEFI x86-64, HTTP with the number of PXE"),
        pytest.param(11, b"HTTPClient", ARM64_URL, id="UEFI arm64, HTTP with the number of PXE"),
        pytest.param(9, b"PXEClient", b"ipxe/snponly.efi", id="x86-64 by the swapped number"),
        pytest.param(0, b"PXEClient", b"ipxe/undionly.kpxe", id="BIOS"),
    ],
)
def test_vectors_of_other_architectures(arch: int, kind: bytes, boot_file: bytes) -> None:
    reply = Proxy().reply(discover(arch, kind=kind))
    assert (reply.file, reply.option(Option.VENDOR_CLASS)) == (boot_file, kind)


@pytest.mark.parametrize(("arch", "kind"), [(6, b"PXEClient"), (15, b"HTTPClient")])
def test_vectors_of_ia32_get_its_own_program_or_none(arch: int, kind: bytes) -> None:
    silence = Proxy().silence(discover(arch, kind=kind))
    assert silence.sighting is not None  # so it is logged
    assert "snponly-i386.efi" in silence.why
    ready = PROGRAMS | {"ipxe/snponly-i386.efi"}
    assert Proxy(ready=ready).reply(discover(arch, kind=kind)).file.endswith(b"ipxe/snponly-i386.efi")


@pytest.mark.parametrize("arch", [1, 2, 10, 18, 20, 21, 23, 25, 27, 28, 29, 37, 39, 40, 41, 65535])
def test_vectors_of_architectures_without_a_program_are_logged_by_number(arch: int) -> None:
    for kind in (b"PXEClient", b"HTTPClient"):
        silence = Proxy().silence(discover(arch, kind=kind))
        assert silence.sighting is not None
        assert f"(architecture {arch})" in silence.why


@pytest.mark.parametrize("pxe_port", [False, True])
def test_vector_of_an_old_bios_rom_is_served_on_both_ports(pxe_port: bool) -> None:  # noqa: FBT001
    """Intel's "PXE-2.0 build 071" asks on 4011, from port 68 (danderson/netboot#132)."""
    machine_id = b"\0" + bytes(range(16))
    options = (
        (Option.VENDOR_CLASS, b"PXEClient:Arch:00000:UNDI:002001"),
        (Option.CLIENT_MACHINE_ID, machine_id),
    )
    request = boot_request(0, *options) if pxe_port else discover(0, *options)
    source = ("10.77.0.50", 68) if pxe_port else ("0.0.0.0", 68)
    result = Proxy().handle(encode(request), pxe_port=pxe_port, source=source)
    assert isinstance(result, Reply)
    assert result.to == (source if pxe_port else ("255.255.255.255", 68))
    reply = Proxy().reply(request, pxe_port=pxe_port)
    assert (reply.file, reply.siaddr) == (b"ipxe/undionly.kpxe", ME)
    assert reply.option(Option.VENDOR_SPECIFIC) == bytes.fromhex("060108ff")
    assert reply.option(Option.CLIENT_MACHINE_ID) == machine_id


@pytest.mark.parametrize("arch", [0, 7, 11])
@pytest.mark.parametrize("user_class", [b"iPXE", b"\x04iPXE", b"\x03abc\x04iPXE"])
def test_ipxe_in_the_card_gets_a_script_by_every_spelling(arch: int, user_class: bytes) -> None:
    """iPXE writes its name raw; RFC 3004, and a DHCP library that follows it, with lengths."""
    offer = Proxy().reply(discover(arch, (Option.USER_CLASS, user_class)))
    assert (offer.file, offer.siaddr, offer.option(Option.VENDOR_SPECIFIC)) == (SCRIPT, ME, None)


def test_an_ipxe_with_a_name_of_its_own_is_given_ipxe_once() -> None:
    """Pixiecore's and Tinkerbell's builds say their own name; the program that they load says ``iPXE``."""
    assert Proxy().reply(discover(7, (Option.USER_CLASS, b"Tinkerbell"))).file == b"ipxe/snponly.efi"


FEATURES = bytes.fromhex("b105018086100eeb03010000180101270101")
HTTP_FEATURE = bytes.fromhex("130101")


def ipxe(arch: int, features: bytes) -> DhcpMessage:
    """Return the DISCOVER of an iPXE that lists these features."""
    return discover(arch, (Option.USER_CLASS, b"iPXE"), (Option.IPXE, features))


@pytest.mark.parametrize(("arch", "program"), [(0, b"undionly.kpxe"), (7, b"snponly.efi"), (11, ARM64[5:])])
def test_point_34_an_ipxe_without_http_loads_a_full_one_by_tftp_which_gets_the_script(
    arch: int, program: bytes
) -> None:
    offer = answer(ipxe(arch, FEATURES))
    assert (offer.file, offer.siaddr) == (b"ipxe/" + program, ME)
    assert offer.option(Option.VENDOR_SPECIFIC) is None
    assert answer(ipxe(arch, FEATURES + HTTP_FEATURE)).file == SCRIPT


def test_point_34_an_ipxe_without_http_is_served_on_4011_too() -> None:
    options = ((Option.USER_CLASS, b"iPXE"), (Option.IPXE, FEATURES))
    assert answer(boot_request(0, *options)).file == b"ipxe/undionly.kpxe"


def test_point_34_without_a_full_ipxe_it_gets_no_answer_and_the_log_says_what_to_do() -> None:
    silence = Proxy(ready=frozenset()).silence(ipxe(0, FEATURES))
    assert silence.sighting is not None
    assert "run 'iluvatar-pxe assets fetch'" in silence.why


def test_point_34_an_ipxe_without_http_fails_at_a_name_when_its_disk_is_to_boot() -> None:
    fleet = fleet_of(("disk", MAC, "chain: local\nlocal: 404\n"))
    assert Proxy(fleet).reply(ipxe(0, FEATURES)).file == b"boot-local-disk"


def test_what_a_full_ipxe_encapsulates_changes_nothing_and_is_not_echoed() -> None:
    request = captured("bios-virtio.0-ipxe-discover")
    assert request.option(Option.IPXE)
    without = replace(request, options=tuple(pair for pair in request.options if pair[0] != Option.IPXE))
    assert answer(request) == answer(without)
    assert answer(request).option(Option.IPXE) is None


def test_a_list_of_architectures_goes_by_the_first_that_is_known() -> None:
    for codes, boot_file in (
        (b"\0\x0b\0\x07", ARM64),
        (b"\xff\xff\0\x16", ARM64),
        (b"\0\0\0\x07", b"ipxe/undionly.kpxe"),
    ):
        assert Proxy().reply(discover(0, (Option.CLIENT_ARCH, codes))).file == boot_file


def test_replies_give_no_address() -> None:
    asking = [
        name for name in captures.dhcp_requests() if name not in SILENT and not name.endswith("-request")
    ]
    replies = {name: Proxy().handle(captures.payload(name), pxe_port="4011" in name) for name in asking}
    assert len(replies) >= 13
    for name, reply in replies.items():
        assert isinstance(reply, Reply), name
        assert IPv4Address(reply.data[16:20]) == ANY, name
