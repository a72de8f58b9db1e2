"""Reads a machine's hardware by Talos' API, which maintenance mode allows without credentials."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeVar
from uuid import UUID

from msgspec import Struct

from iluvatar_pxe.errors import TalosAnswerError, TalosNotReadyError
from iluvatar_pxe.layers.arda.api import model
from iluvatar_pxe.layers.arda.api.resources import DISCOVERED_VOLUMES, DISKS, LINKS, SYSTEM_INFORMATION
from iluvatar_pxe.layers.arda.disks import may_be_used
from iluvatar_pxe.machines.inspection import Content, Disk, Nic
from iluvatar_pxe.printable import plain_text

if TYPE_CHECKING:
    from iluvatar_pxe.layers.arda.api.client import TalosApi

MOST = 256
"""Disks, NICs, and partitions of one disk."""
_LONGEST = 256
"""Characters of a name; a longer one names nothing."""

T = TypeVar("T")


class Hardware(Struct, frozen=True):
    """What a machine says that it is and has."""

    uuid: UUID | None
    serial: str
    product: str
    disks: tuple[Disk, ...]
    nics: tuple[Nic, ...]


async def read_hardware(api: "TalosApi", label: str) -> Hardware:
    """Return what Talos has found; raises TalosError, TalosNotReadyError while it has not looked at a disk yet."""
    system = await api.state.get(SYSTEM_INFORMATION)
    links = await api.state.list(LINKS)
    disks = await api.state.list(DISKS)
    volumes = await api.state.list(DISCOVERED_VOLUMES)
    if system is None:
        raise TalosNotReadyError(f"{label}: has not read its SMBIOS data yet; it is tried again")
    found = tuple(_disk(disk, volumes, label) for disk in _bounded(disks, "disks", label))
    looked_at = {volume.id for volume in volumes}
    for known, disk in zip(disks, found, strict=True):
        if may_be_used(disk) and known.id not in looked_at:
            raise TalosNotReadyError(f"{label}: has not looked at {disk.path} yet; it is tried again")
    nics = [_nic(link) for link in links if link.is_physical]
    return Hardware(
        uuid_in(system.uuid),
        plain_text(system.serial),
        plain_text(system.product),
        found,
        tuple(_bounded(nics, "NICs", label)),
    )


def _disk(disk: model.Disk, volumes: Sequence[model.DiscoveredVolume], label: str) -> Disk:
    contents = [one for one in volumes if one.parent == disk.id or (one.id == disk.id and one.name)]
    return Disk(
        path=plain_text(disk.path),
        size=disk.size,
        model=plain_text(disk.model),
        serial=_name(disk.serial),
        wwid=_name(disk.wwid),
        bus_path=_name(disk.bus_path),
        transport=plain_text(disk.transport),
        is_rotational=disk.is_rotational,
        is_read_only=disk.is_read_only,
        is_cdrom=disk.is_cdrom,
        parts=tuple(map(plain_text, disk.secondary)),
        contents=tuple(map(_content, _bounded(contents, f"partitions of {disk.path}", label))),
    )


def _content(volume: model.DiscoveredVolume) -> Content:
    return Content(
        path=plain_text(volume.path),
        name=plain_text(volume.name),
        label=plain_text(volume.partition_label or volume.label),
        size=volume.size,
        is_partition=bool(volume.parent),
    )


def _nic(link: model.Link) -> Nic:
    return Nic(
        name=plain_text(link.id),
        mac=plain_text(link.permanent_mac or link.mac),
        driver=plain_text(link.driver),
        is_up=link.is_up,
        speed_mbit=link.speed_mbit,
    )


def _name(text: str) -> str:
    """Return what is to be told to Talos again, character by character."""
    return text if len(text) <= _LONGEST and text.isprintable() else ""


def uuid_in(text: str) -> UUID | None:
    """Return a UUID as SMBIOS has it; None where it is none."""
    try:
        return UUID(text)
    except ValueError:
        return None


def _bounded(found: Sequence[T], what: str, label: str) -> Sequence[T]:
    if len(found) > MOST:
        raise TalosAnswerError(f"{label}: tells of {len(found)} {what}; look at the machine with talosctl")
    return found
