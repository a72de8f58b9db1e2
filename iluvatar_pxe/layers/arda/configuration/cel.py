"""Expressions of the Common Expression Language (CEL), by which Talos selects disks and links."""

import re

from iluvatar_pxe.layers.arda.disks import DiskChoice

_OF_LINK = re.compile(r'mac\(link\.permanent_addr\) == "([0-9a-f:]{17})"')


def quoted(text: str) -> str:
    """Return a string literal for any text: a serial number may hold quotes, backslashes and control characters."""
    return '"{}"'.format("".join(map(_escaped, text)))


def _escaped(character: str) -> str:
    if character in {'"', "\\"}:
        return f"\\{character}"
    if character.isprintable():
        return character
    return f"\\U{ord(character):08x}"


def of_disk(disk: DiskChoice) -> str:
    """Return what is true of this disk alone, as far as its names tell."""
    names = {"serial": disk.serial, "wwid": disk.wwid, "bus_path": "" if disk.is_lasting else disk.bus_path}
    is_it = [f"disk.{key} == {quoted(value)}" for key, value in names.items() if value]
    return " && ".join((*is_it, "!disk.readonly", "!disk.cdrom"))


def of_link(mac: str) -> str:
    """Return what is true of the physical link with a MAC."""
    return f"mac(link.permanent_addr) == {quoted(mac)}"


def mac_of(expression: str) -> str:
    """Return the MAC that ``of_link`` wrote; empty for any other expression."""
    found = _OF_LINK.fullmatch(expression)
    return found[1] if found else ""
