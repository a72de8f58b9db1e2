"""Boot files that certainly do not boot: what a failed download, a full disk or a wrong name leaves."""

from collections.abc import Mapping
from pathlib import Path

from iluvatar_pxe.boot.stages import arch_of_asset, is_boot_file
from iluvatar_pxe.wire.boot_file import HEAD, fault_of


def faulty(files: Mapping[str, Path]) -> list[str]:
    """Return one line for each boot file that is damaged or of another kind; ``files`` are by their logical names."""
    found = ((path, _fault(name, path)) for name, path in files.items() if is_boot_file(name))
    return [f"{path}: {fault}; fetch it again" for path, fault in found if fault]


def _fault(name: str, path: Path) -> str:
    try:
        with path.open("rb") as file:
            return fault_of(file.read(HEAD), path.stat().st_size, arch_of_asset(name))
    except OSError:  # gone since, or told when it is asked for
        return ""
