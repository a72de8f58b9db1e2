"""What PXE clients say of themselves."""

from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import captures

from iluvatar_pxe.wire.dhcp import BOOTREQUEST, DhcpMessage, Option, decode
from iluvatar_pxe.wire.pxe import (
    CLIENT_ARCHS,
    ClientArch,
    CpuArch,
    Platform,
    boot_item,
    client_arch,
    client_arch_codes,
    lacks_http,
    machine_uuid,
    user_classes,
)


def _message(*options: tuple[int, bytes]) -> DhcpMessage:
    return DhcpMessage(op=BOOTREQUEST, xid=1, chaddr=bytes(6), options=options)


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("bios-virtio.0-ipxe-discover", 0),
        ("uefi-x64-pxe.0-firmware-pxe-discover", 7),
        ("uefi-x64-http.0-firmware-http-discover", 16),
        ("uefi-arm64-pxe.0-firmware-pxe-discover", 11),
        ("uefi-arm64-http.0-firmware-http-discover", 19),
        ("uefi-arm64-pxe.5-ipxe-discover", 11),
        ("uefi-arm64-http.3-ipxe-discover", 11),
        ("u-boot-arm64.0-firmware-discover", 22),
        ("u-boot-arm64.1-firmware-pxe-discover", 11),
    ],
)
def test_architecture_of_real_clients(name: str, code: int) -> None:
    message = decode(captures.payload(name))
    assert client_arch_codes(message) == (code,)
    assert client_arch(message) == CLIENT_ARCHS[code]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        pytest.param(((93, b"\0\7"),), ClientArch(CpuArch.X86_64, Platform.UEFI), id="one"),
        pytest.param(
            ((93, b"\xff\xff\0\x0b"),), ClientArch(CpuArch.ARM64, Platform.UEFI), id="first known of a list"
        ),
        pytest.param(((93, b"\0\7\0"),), ClientArch(CpuArch.X86_64, Platform.UEFI), id="odd length"),
        pytest.param(
            ((60, b"PXEClient:Arch:00011"),), ClientArch(CpuArch.ARM64, Platform.UEFI), id="only option 60"
        ),
        pytest.param(
            ((93, b"\0"), (60, b"PXEClient:Arch:00006:UNDI:003016")), CLIENT_ARCHS[6], id="93 too short"
        ),
        pytest.param(
            ((93, b"\0\7"), (60, b"PXEClient:Arch:00000:UNDI:002001")), CLIENT_ARCHS[7], id="93 before 60"
        ),
        pytest.param(((93, b"\x12\x34"),), None, id="unknown"),
        pytest.param((), None, id="nothing"),
    ],
)
def test_architecture(options: tuple[tuple[int, bytes], ...], expected: ClientArch | None) -> None:
    assert client_arch(_message(*options)) == expected


@pytest.mark.parametrize(
    ("value", "found"),
    [(b"iPXE", True), (b"\x04iPXE", True), (b"\x03abc\x04iPXE", True), (b"iPXE2", False), (b"\xff", False)],
)
def test_user_class_raw_and_length_prefixed(value: bytes, found: bool) -> None:  # noqa: FBT001
    assert (b"iPXE" in user_classes(_message((77, value)))) is found


def test_machine_uuid_is_little_endian_in_its_first_three_fields() -> None:
    value = bytes.fromhex("0033221100554477668899aabbccddeeff")
    assert machine_uuid(value) == UUID("00112233-4455-6677-8899-aabbccddeeff")


@pytest.mark.parametrize("value", [None, b"", b"\0", b"\0" * 16, b"\0" * 18, b"\1" + b"\0" * 16])
def test_other_machine_ids_are_no_uuid(value: bytes | None) -> None:
    assert machine_uuid(value) is None


def test_boot_item() -> None:
    assert boot_item(_message((43, b"\x47\x04\x80\0\0\0\xff"))) == b"\x80\0\0\0"
    assert boot_item(_message((43, b"\x06\x01\x08\xff"))) is None
    assert boot_item(_message()) is None


@settings(max_examples=1000)
@given(st.lists(st.tuples(st.sampled_from([43, 60, 77, 93, 97]), st.binary(max_size=255))))
def test_no_option_value_raises(options: list[tuple[int, bytes]]) -> None:
    message = _message(*options)
    client_arch(message)
    user_classes(message)
    boot_item(message)
    machine_uuid(message.option(Option.CLIENT_MACHINE_ID))


@pytest.mark.parametrize(
    ("features", "lacks"),
    [
        pytest.param(None, False, id="lists none, so nobody can tell"),
        pytest.param("", True, id="an empty list"),
        pytest.param("b105011af41000eb03010000170101130101", False, id="with HTTP"),
        pytest.param("eb03131313180101", True, id="19 as a value"),
        pytest.param("1301", True, id="cut off"),
    ],
)
def test_an_ipxe_lists_its_features(features: str | None, lacks: bool) -> None:  # noqa: FBT001
    options = ((Option.IPXE, bytes.fromhex(features)),) if features is not None else ()
    assert lacks_http(_message(*options)) is lacks


def test_features_in_several_pieces_are_one_list() -> None:
    whole = bytes.fromhex("b105011af41000eb0301000017010113010121")
    for cut in range(len(whole) + 1):
        assert not lacks_http(_message((Option.IPXE, whole[:cut]), (Option.IPXE, whole[cut:])))


@pytest.mark.parametrize("name", captures.names("ipxe-discover"))
def test_real_ipxes_have_http(name: str) -> None:
    message = decode(captures.payload(name))
    assert message.option(Option.IPXE)
    assert not lacks_http(message)
