"""The beginning of an ext4 file system, and the versions that dpkg has written down."""

import re
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.pi_images import ROOT_SIZE, STATUS, VERSIONS, make_ext4, needs_tools

from iluvatar_pxe.assets.unpack.ext4 import HEAD, check_ext4, versions_in
from iluvatar_pxe.errors import UnpackError

PACKAGES = ("cloud-init", "open-iscsi", "nfs-common", "linux-raspi")
DAMAGED = "has a damaged ext4 file system: "


def test_versions_are_those_of_installed_packages() -> None:
    assert versions_in(STATUS, PACKAGES) == VERSIONS
    assert versions_in(STATUS, ("nfs-common",)) == {"nfs-common": "1:2.6.4-3ubuntu5"}
    assert versions_in("", PACKAGES) == {}


@given(st.text(alphabet="Package: StauVrsion\nabc", max_size=200))
def test_whatever_dpkg_wrote_is_read(status: str) -> None:
    assert set(versions_in(status, PACKAGES)) <= set(PACKAGES)


@pytest.fixture(scope="module")
def head(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return make_ext4(tmp_path_factory.mktemp("ext4"), STATUS).read_bytes()[:HEAD]


@needs_tools
def test_a_superblock_is_checked(head: bytes) -> None:
    check_ext4(head, ROOT_SIZE)
    faults = {
        bytes(HEAD): "has no ext4 file system in its second partition; use a Raspberry Pi image",
        head[:1500]: "has no ext4 file system in its second partition; use a Raspberry Pi image",
        head[:1100] + b"\xff" + head[1101:]: f"{DAMAGED}its superblock's checksum is wrong; fetch it again",
    }
    for damaged, fault in faults.items():
        with pytest.raises(UnpackError, match=f"^{re.escape(fault)}$"):
            check_ext4(damaged, ROOT_SIZE)
    with pytest.raises(UnpackError, match=f"^{DAMAGED}it is larger than its partition; fetch it again$"):
        check_ext4(head, ROOT_SIZE - 1)


@needs_tools
@given(data=st.data())
def test_no_altered_superblock_passes(head: bytes, data: st.DataObject) -> None:
    at, bit = data.draw(st.integers(1024, HEAD - 1)), data.draw(st.integers(0, 7))
    damaged = bytearray(head)
    damaged[at] ^= 1 << bit
    passed = False
    with suppress(UnpackError):
        check_ext4(bytes(damaged), ROOT_SIZE)
        passed = True
    turned_off = at in range(1124, 1128)  # the flag that says that there is a checksum
    assert not passed or turned_off
