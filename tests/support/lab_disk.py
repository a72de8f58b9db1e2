"""Disks of the lab's machines: what is on them says so on the console, and stops there."""

import struct
from pathlib import Path

from iluvatar_pxe.lab.guest.firmware import Firmware
from iluvatar_pxe.lab.room.namespace import DIRECTORY, Namespace

GREETING = "DISK BOOTED"
"""What a machine prints when its disk was booted."""

_SECTOR = 512
_DISK_BYTES = 2**20
_LOAD_ADDRESS = 0x7C00
_PAGE = 0x1000
_TEXT = f"\r\n{GREETING}\r\n"


def add_disk(namespace: Namespace, firmware: Firmware, name: str) -> list[str]:
    """Write the disk of machine ``name`` and return QEMU's arguments for it: second in the boot order."""
    image = DIRECTORY / f"{name}.disk"
    _write(namespace.outside(image), uefi=firmware.code is not None)
    file = f"fat:{image}" if firmware.code else str(image)
    return [
        *("-drive", f"if=none,id=disk,format=raw,readonly=on,file={file}"),
        *("-device", "virtio-blk-pci,drive=disk,bootindex=2"),
    ]


def _write(image: Path, *, uefi: bool) -> None:
    """Write a raw image with a boot sector; for UEFI a directory, which QEMU shows as a FAT file system."""
    if uefi:
        folder = image / "EFI" / "BOOT"
        folder.mkdir(parents=True)
        (folder / "BOOTX64.EFI").write_bytes(efi_program())
    else:
        image.write_bytes(boot_sector().ljust(_DISK_BYTES, b"\0"))


def boot_sector() -> bytes:
    """Return a BIOS boot sector that prints the greeting, by INT 10h, and halts."""
    code = bytes.fromhex(
        "31c0"  # xor ax, ax
        "8ed8"  # mov ds, ax
        "be0000"  # mov si, text
        "ac"  # next: lodsb
        "84c0"  # test al, al
        "7409"  # jz halt
        "b40e"  # mov ah, 0eh: teletype
        "bb0700"  # mov bx, 7
        "cd10"  # int 10h
        "ebf2"  # jmp next
        "f4"  # halt: hlt
        "ebfd"  # jmp halt
    )
    code = code.replace(b"\xbe\0\0", b"\xbe" + struct.pack("<H", _LOAD_ADDRESS + len(code)))
    return (code + _TEXT.encode() + b"\0").ljust(_SECTOR - 2, b"\0") + b"\x55\xaa"


def efi_program() -> bytes:
    """Return an EFI program for x86-64 that prints the greeting on the console, and halts."""
    code = bytes.fromhex(
        "4883ec28"  # sub rsp, 28h
        "488b4a40"  # mov rcx, [rdx+40h]: the system table's ConOut
        "488d1506000000"  # lea rdx, [rip+text]
        "ff5108"  # call [rcx+8]: OutputString
        "f4"  # halt: hlt
        "ebfd"  # jmp halt
    )
    section = code + _TEXT.encode("utf-16-le") + b"\0\0"
    return _pe_header(len(section)).ljust(_SECTOR, b"\0") + section.ljust(_SECTOR, b"\0")


def _pe_header(section_size: int) -> bytes:
    """Return the headers of a PE32+ EFI application with one section, which is code from its first byte on."""
    dos = b"MZ".ljust(60, b"\0") + struct.pack("<I", 64)
    coff = struct.pack("<4sHHIIIHH", b"PE\0\0", 0x8664, 1, 0, 0, 0, 112, 0x0222)
    standard = struct.pack("<HBBIIIII", 0x20B, 0, 0, _SECTOR, 0, 0, _PAGE, _PAGE)
    windows = struct.pack(
        "<QIIHHHHHHIIIIHHQQQQII",
        *(0, _PAGE, _SECTOR),  # image base, alignments
        *(0, 0, 0, 0, 0, 0, 0),  # versions, reserved
        *(2 * _PAGE, _SECTOR, 0),  # sizes of image and headers, checksum
        *(10, 0),  # an EFI application
        *(0, 0, 0, 0, 0, 0),  # stack, heap, loader flags, no data directories
    )
    section = struct.pack(
        "<8sIIIIIIHHI", b".text", section_size, _PAGE, _SECTOR, _SECTOR, 0, 0, 0, 0, 0xE0000020
    )
    return dos + coff + standard + windows + section
