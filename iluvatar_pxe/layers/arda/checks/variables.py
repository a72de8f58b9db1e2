"""What the expressions (CEL) of a machine configuration may speak of: read from Talos v1.13.9 and v1.14.1. Pure."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from typing import NamedTuple


class Names(NamedTuple):
    """What an expression may speak of."""

    variables: AbstractSet[str]
    fields: Mapping[str, AbstractSet[str]]
    """The fields of those variables that have some."""


_DISK = frozenset(
    [
        *("size", "io_size", "sector_size", "readonly", "model", "serial", "modalias", "wwid", "bus_path"),
        *("sub_system", "transport", "rotational", "cdrom", "dev_path", "pretty_size", "secondary_disks"),
        *("uuid", "symlinks", "firmware_version"),
    ]
)
_VOLUME = frozenset(
    [
        *("size", "sector_size", "io_size", "name", "uuid", "label", "block_size", "filesystem_block_size"),
        *("probed_size", "partition_uuid", "partition_type", "partition_label", "partition_index", "type"),
        *("device_path", "parent", "dev_path", "parent_dev_path", "pretty_size", "offset"),
    ]
)
_LINK = frozenset(
    [
        *("index", "type", "link_index", "flags", "hardware_addr", "broadcast_addr", "mtu", "queue_disc"),
        *("master_index", "operational_state", "kind", "slave_kind", "bus_path", "pciid", "driver"),
        *("driver_version", "firmware_version", "product_id", "vendor_id", "product", "vendor", "link_state"),
        *("speed_megabits", "port", "duplex", "vlan", "bridge_master", "bond_master", "wireguard"),
        *("permanent_addr", "alias", "alt_names", "vrf_master", "veth"),
    ]
)
_UNITS = frozenset(f"{prefix}{unit}" for prefix in "KMGTPE" for unit in ("iB", "B")) - {"KB"} | {"kB"}
_CLASSES = frozenset(["Besteffort", "Burstable", "Guaranteed", "Podruntime", "System"])
_PRESSURE = frozenset(
    f"{qos}memory_{kind}_{time}"
    for qos in ("", "qos_")
    for kind in ("some", "full")
    for time in ("avg10", "avg60", "avg300", "total")
) | frozenset(f"qos_memory_{kind}" for kind in ("current", "peak", "max"))
DISK = Names({"disk", "system_disk"} | _UNITS, {"disk": _DISK})
VOLUME = Names({"volume", "disk"} | _UNITS, {"volume": _VOLUME, "disk": _DISK})
MEMBER = Names({"volume_id", "system_disk", *VOLUME.variables}, VOLUME.fields)
LINK = Names({"link"}, {"link": _LINK})
OOM_TRIGGER = Names(
    _PRESSURE | {f"d_{name}" for name in _PRESSURE} | {"time_since_trigger"} | _UNITS | _CLASSES, {}
)
OOM_RANKING = Names({"memory_max", "memory_current", "memory_peak", "path", "class"} | _UNITS | _CLASSES, {})
