"""Types of single values in the catalogue and in the fleet's ``assets``; their errors say what to write instead."""

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StrictInt

from iluvatar_pxe.catalogue.file_name import file_name
from iluvatar_pxe.declared.shapes import Shape

_VARIABLE = r"\{(?:version|published|arch|schematic)\}"
_PART = rf"(?:[A-Za-z0-9_]|{_VARIABLE})(?:[A-Za-z0-9._+~-]|{_VARIABLE})*"
_PORT = r"(?:6553[0-5]|655[0-2][0-9]|65[0-4][0-9]{2}|6[0-4][0-9]{3}|[1-5][0-9]{4}|[1-9][0-9]{0,3})"
_HOST = rf"(?:[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*|\[[0-9A-Fa-f:]+\])(?::{_PORT})?"
_IN_ADDRESS = r"[!#-;=?-Z_a-z\[\]~]"
"""What may stand in an address: printable ASCII but for quotes, angle brackets, braces, ``\\``, ``^``, ``|``."""
_SHORT = r"(?!.{201})"
"""Characters, so that every file system can have the name, also with what a download adds to it."""
_NOT_LONG = r"(?!.{2001})"
_NO_NAME = "write a path below the assets of at most 200 characters such as memtest/{version}/memtest.efi; known are {version}, {published}, {arch} and {schematic}"
_OWN = re.compile(r"\.part(?:\.json)?(?=/|$)|^by-sha(?:256|512)(?=/|$)|^raspberry-pi/[^/]+/facts\.json$")
"""Unfinished downloads, the addresses of files by their checksums, and the mark of an image that was unpacked."""
_NO_URL = "write an address such as https://example.org/{version}/file, without a user or a password; known are {version}, {published}, {arch} and {schematic}"
_NO_PREFIX = "write the beginning of addresses up to a '/', such as https://github.com/"


def _no_parent(value: str) -> str:
    """``a..b`` is a name, and would be a surprise in an address or a path."""
    if ".." in value:
        raise ValueError("'..' is not allowed; write a path without it")
    return value


def _no_own(value: str) -> str:
    """The daemon keeps something else under such a name."""
    if found := _OWN.search(value):
        raise ValueError(f"the daemon has files called {found[0]!r} itself; write another name")
    return value


def _of_a_file(value: str) -> str:
    """Beside a file that somebody brings, a list is looked for by its name."""
    name = file_name(value)
    if name in {"", ".", ".."} or not name.isprintable():
        raise ValueError("has no file name at its end; write the address of a file, such as .../SHA256SUMS")
    return value


Arch = Literal["amd64", "arm64"]
EntryName = Annotated[
    str,
    Shape(r"[a-z0-9][a-z0-9.-]{0,99}", "write the name of an entry: a-z, 0-9, '.' and '-', such as ipxe"),
]
VersionText = Annotated[
    str,
    Shape(
        r"[A-Za-z0-9][A-Za-z0-9._+~-]{0,99}",
        "write a version such as 2.0.0 or v1.37.1+k3s1, in quotes if it is a number",
    ),
    AfterValidator(_no_parent),
]
AssetName = Annotated[
    str,
    Shape(
        rf"{_SHORT}[A-Za-z0-9_][A-Za-z0-9._+~-]*(?:/[A-Za-z0-9_][A-Za-z0-9._+~-]*)*",
        "write the name of a file below the assets",
    ),
]
"""A file's logical name."""
AssetTemplate = Annotated[str, Shape(rf"{_SHORT}{_PART}(?:/{_PART})*", _NO_NAME), AfterValidator(_no_own)]
"""A logical name with variables."""
ImageTemplate = Annotated[
    str,
    Shape(
        r"[A-Za-z0-9_][A-Za-z0-9._-]{0,79}(?:\{version\}[A-Za-z0-9._-]{0,9})?",
        "write the name of an image such as ubuntu-{version}",
    ),
]
MemberName = Annotated[
    str,
    Shape(
        rf"{_PART}(?:/{_PART})*",
        "write the path of a file in the archive such as ipxeboot/x86_64/snponly.efi",
    ),
]
UrlTemplate = Annotated[str, Shape(rf"{_NOT_LONG}https?://{_HOST}/(?:{_IN_ADDRESS}|{_VARIABLE})*", _NO_URL)]
ListTemplate = Annotated[UrlTemplate, AfterValidator(_of_a_file)]
"""The address of a list of checksums, or of its signature."""
UrlPrefix = Annotated[str, Shape(rf"https?://{_HOST}/(?:{_IN_ADDRESS}*/)?", _NO_PREFIX)]
SumsName = Annotated[
    str,
    Shape(rf"(?:[!-z~]|{_VARIABLE})+", "write the name of the file as the list of checksums has it"),
]
Sha256 = Annotated[str, Shape(r"[0-9a-f]{64}", "write a SHA-256 checksum: 64 digits of 0-9 and a-f")]
Sha512 = Annotated[str, Shape(r"[0-9a-f]{128}", "write a SHA-512 checksum: 128 digits of 0-9 and a-f")]
KeyName = Annotated[
    str, Shape(r"[a-z0-9][a-z0-9-]{0,59}", "write the name of a key that comes with the daemon")
]
Title = Annotated[str, Shape(r"[ -~]{1,100}", "write up to 100 printable ASCII characters")]
Bytes = Annotated[StrictInt, Field(ge=0)]
