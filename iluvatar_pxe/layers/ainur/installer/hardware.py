"""What the provisioning system tells of a machine's memory and disks, in lines of text. Pure.

The first line is ``iluvatar-hardware 1``. Each other one is ``memory``, ``disk`` or ``volume``, and fields ``key=value`` behind tabs;
what is not known is left out, or empty. ``boot_assets/installer/hardware.sh`` writes them.
"""

import re
from collections.abc import Iterable, Iterator, Mapping

from msgspec import Struct

from iluvatar_pxe.errors import WireError
from iluvatar_pxe.machines.inspection import Content, Disk

FIRST_LINE = "iluvatar-hardware 1"
LARGEST = 64 << 10
"""Bytes of a report; a machine with ten disks has some 5,000."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,31}")
_NUMBER = re.compile(r"[0-9]{1,19}")
_LONGEST = 256
_MOST_LINES = 512
_MEMORY_KEYS = frozenset({"size"})
_DISK_KEYS = frozenset(
    {"name", "size", "sector", "model", "serial", "wwid", "path", "transport"}
    | {"rotational", "read-only", "table", "table-id"}
)
_VOLUME_KEYS = frozenset({"disk", "name", "number", "size", "type", "label", "uuid"})

_Fields = Mapping[str, str]


class Volume(Struct, frozen=True, kw_only=True):
    """A partition, or a disk that has no partition table; ``size`` in bytes."""

    path: str
    number: int
    """Of the partition; 0 of a whole disk."""
    size: int
    type: str = ""
    """Of the file system or what else is in it, such as ``ext4``, as blkid(8) calls it; empty where it knows none."""
    label: str = ""
    uuid: str = ""


class InstallerDisk(Struct, frozen=True, kw_only=True):
    """A disk, and what is on it."""

    disk: Disk
    sector: int
    """Bytes of a logical sector."""
    table: str = ""
    """``dos`` or ``gpt``, or empty."""
    table_id: str = ""
    volumes: tuple[Volume, ...] = ()

    def volume(self, number: int) -> Volume | None:
        """Return a partition by its number."""
        return next((one for one in self.volumes if one.number == number), None)


class Hardware(Struct, frozen=True):
    """What a machine has."""

    memory: int
    """Bytes that Linux can use (``MemTotal``); 0 where that was not told."""
    disks: tuple[InstallerDisk, ...]


def parse_hardware(text: str) -> Hardware:
    """Return what a report says; raises WireError."""
    first, *lines = text.splitlines() or [""]
    if first != FIRST_LINE:
        raise WireError(f"a report of hardware begins with {first[:40]!r}, not with {FIRST_LINE!r}")
    if len(lines) > _MOST_LINES:
        raise WireError(f"a report of hardware has more than {_MOST_LINES} lines")
    records = list(map(_record, filter(None, lines)))
    memory = [_number(fields, "size") for kind, fields in records if kind == "memory"]
    if len(memory) > 1:
        raise WireError("a report of hardware tells the memory twice")
    return Hardware(sum(memory), _disks((kind, fields) for kind, fields in records if kind != "memory"))


def _disks(records: Iterable[tuple[str, _Fields]]) -> tuple[InstallerDisk, ...]:
    volumes: dict[str, list[Volume]] = {}
    disks: dict[str, _Fields] = {}
    for kind, fields in records:
        name = _name(fields, "name")
        if kind == "disk" and name not in disks:
            disks[name] = fields
        elif kind == "volume" and _name(fields, "disk") in disks:
            volumes.setdefault(fields["disk"], []).append(_volume(name, fields))
        else:
            raise WireError(f"a report of hardware has {kind} {name} twice, or without its disk")
    return tuple(_disk(name, fields, tuple(volumes.get(name, ()))) for name, fields in disks.items())


def _record(line: str) -> tuple[str, _Fields]:
    kind, *rest = line.split("\t")
    keys = {"memory": _MEMORY_KEYS, "disk": _DISK_KEYS, "volume": _VOLUME_KEYS}.get(kind)
    fields = dict(field.partition("=")[::2] for field in rest)
    if keys is None or not fields.keys() <= keys or len(fields) < len(rest):
        raise WireError(f"a report of hardware has the line {line[:80]!r}, which it cannot have")
    if any(len(value) > _LONGEST or not value.isprintable() for value in fields.values()):
        raise WireError("a report of hardware has a value that is too long, or not to be printed")
    return kind, {key: value.strip() for key, value in fields.items()}


def _disk(name: str, fields: _Fields, volumes: tuple[Volume, ...]) -> InstallerDisk:
    disk = Disk(
        path=f"/dev/{name}",
        size=_number(fields, "size"),
        model=fields.get("model", ""),
        serial=fields.get("serial", ""),
        wwid=fields.get("wwid", ""),
        bus_path=fields.get("path", ""),
        transport=fields.get("transport", ""),
        is_rotational=fields.get("rotational") == "1",
        is_read_only=fields.get("read-only") == "1",
        is_cdrom=name.startswith("sr"),
        contents=tuple(_contents(f"/dev/{name}", fields.get("table", ""), volumes)),
    )
    return InstallerDisk(
        disk=disk,
        sector=_number(fields, "sector"),
        table=fields.get("table", ""),
        table_id=fields.get("table-id", ""),
        volumes=volumes,
    )


def _contents(path: str, table: str, volumes: tuple[Volume, ...]) -> Iterator[Content]:
    if table:
        yield Content(path=path, name=table)
    for one in volumes:
        yield Content(
            path=one.path, name=one.type, label=one.label, size=one.size, is_partition=bool(one.number)
        )


def _volume(name: str, fields: _Fields) -> Volume:
    return Volume(
        path=f"/dev/{name}",
        number=_number(fields, "number"),
        size=_number(fields, "size"),
        type=fields.get("type", ""),
        label=fields.get("label", ""),
        uuid=fields.get("uuid", ""),
    )


def _name(fields: _Fields, key: str) -> str:
    name = fields.get(key, "")
    if not _NAME.fullmatch(name):
        raise WireError(f"a report of hardware has the {key} {name[:40]!r}, which no disk has")
    return name


def _number(fields: _Fields, key: str) -> int:
    text = fields.get(key, "")
    if not _NUMBER.fullmatch(text):
        raise WireError(f"a report of hardware has {text[:40]!r} as {key}, which is no number")
    return int(text)
