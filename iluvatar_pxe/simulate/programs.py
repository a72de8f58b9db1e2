"""What a platform runs, as far as the beginning of a file tells."""

from iluvatar_pxe.wire.pxe import Platform

_DOS_MAGIC = "MZ"
"""Of every UEFI program (UEFI 2.10 section 2.1.1, PE/COFF)."""
EMPTY = "Exec format error: it is empty"


def format_error(head: str, platform: Platform) -> str:
    """Return, in iPXE's words, why a file is no program; empty: it is one. A BIOS runs anything."""
    if not head:
        return EMPTY
    if platform is Platform.UEFI and not head.startswith(_DOS_MAGIC):
        return f"Exec format error: it does not begin with {_DOS_MAGIC}, so it is no UEFI program"
    return ""
