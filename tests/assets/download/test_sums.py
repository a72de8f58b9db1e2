"""Lists of checksums: each form that publishers use, and each fault in one line."""

import re
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iluvatar_pxe.assets.download.sums import digest_in
from iluvatar_pxe.catalogue.download import Digest, SumsFile
from iluvatar_pxe.errors import SumsError
from iluvatar_pxe.values import replace

A, B, LONG = "a1" * 32, "b2" * 32, "c3" * 64
SUMS = SumsFile(urls=("http://here/SHA256SUMS",), algorithm="sha256", name="pi.img.xz")


@pytest.mark.parametrize(
    "listed",
    [
        f"{A}  pi.img.xz\n",
        f"{A} *pi.img.xz\n",
        f"{A}  pi.img.xz",
        f"{A}  pi.img.xz\r\n",
        f"{A.upper()}  pi.img.xz\n",
        f"{A}\n",
        f"# signed on Monday\n\n{B} *other.img.xz\n{A} *pi.img.xz\n{B} *pi.img.xz.zsync\n",
        f"{A}  pi.img.xz\n{A}  pi.img.xz\n",
        f"{LONG}  other.img.xz\n{A}  pi.img.xz\n",
    ],
)
def test_a_checksum_is_found_in_each_form_of_a_list(listed: str) -> None:
    assert digest_in(listed.encode(), SUMS) == Digest("sha256", A)


def test_sha512_is_read_as_well() -> None:
    sums = replace(SUMS, algorithm="sha512")
    assert digest_in(f"{LONG}  pi.img.xz\n".encode(), sums) == Digest("sha512", LONG)


@pytest.mark.parametrize(
    ("listed", "fault"),
    [
        ("", "is empty, not a list of checksums; fetch it again, or correct its address"),
        (
            "<!DOCTYPE html><html>no</html>",
            "is a web page, as a failed download leaves it, not a list of checksums; fetch it again, or correct its address",
        ),
        (f"{A}  pi.img\n", "has no line for pi.img.xz; correct the version or the name"),
        (f"{A}  PI.IMG.XZ\n", "has no line for pi.img.xz; correct the version or the name"),
        (f"{A}  ../pi.img.xz\n", "has no line for pi.img.xz; correct the version or the name"),
        (f"{A}\n{B}\n", "has no line for pi.img.xz; correct the version or the name"),
        (f"{A}  pi.img.xz\n{B}  pi.img.xz\n", "has different checksums for pi.img.xz; pin the right one"),
        (f"{LONG}  pi.img.xz\n", "the checksum of pi.img.xz is not a sha256; correct 'algorithm'"),
        (
            f"{A}  pi.img.xz\nNot Found\n",
            "line 2 is not a checksum and a name; fetch it again, or correct its address",
        ),
        (f"{A}pi.img.xz\n", "line 1 is not a checksum and a name; fetch it again, or correct its address"),
    ],
)
def test_each_fault_of_a_list_is_told_in_one_line(listed: str, fault: str) -> None:
    with pytest.raises(SumsError, match=f"^{re.escape(f'http://here/SHA256SUMS: {fault}')}$"):
        digest_in(listed.encode(), SUMS)


@given(st.binary(max_size=400) | st.text(max_size=200).map(lambda text: f"{A}  {text}".encode()))
def test_whatever_the_list_a_digest_or_one_error_comes_of_it(listed: bytes) -> None:
    with suppress(SumsError):
        assert re.fullmatch("[0-9a-f]{64}", digest_in(listed, SUMS).value)
