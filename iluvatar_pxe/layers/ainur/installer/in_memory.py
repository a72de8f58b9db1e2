"""How much of a machine's memory its root takes, or why that is too little. Pure."""

from iluvatar_pxe.assets.unpack.partitions import Partition
from iluvatar_pxe.layers.ainur.installer.held import Held

_MIB = 1 << 20


def root_size(memory: int) -> int:
    """Return how large a root file system may grow: three quarters of the memory, so that programs have the rest."""
    return memory * 3 // 4 // _MIB * _MIB


def why_no_room(memory: int, root: Partition) -> Held | None:
    """Return why an image's root partition does not fit into ``memory`` bytes; it need not be full of data."""
    if root.size <= root_size(memory):
        return None
    needed = -(-root.size * 4 // 3)
    return Held(
        f"its memory of {memory // _MIB} MiB is too little for this image, which needs {-(-needed // _MIB)} MiB",
        "use a smaller image, or 'root: {kind: disk}' in its file",
    )
