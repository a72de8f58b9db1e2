"""Boot files that certainly do not boot: what a failed download, a full disk or a wrong name leaves."""

from collections.abc import Mapping

from iluvatar_pxe.assets.opening import ListedFile, open_listed
from iluvatar_pxe.boot.stages import arch_of_asset, is_boot_file
from iluvatar_pxe.errors import AssetError
from iluvatar_pxe.wire.boot_file import HEAD, fault_of


def faulty(files: Mapping[str, ListedFile]) -> list[str]:
    """Return one line for each boot file that is damaged or of another kind; ``files`` are by their logical names."""
    found = ((file.path, _fault(name, file)) for name, file in files.items() if is_boot_file(name))
    return [f"{path}: {fault}; fetch it again" for path, fault in found if fault]


def _fault(name: str, listed: ListedFile) -> str:
    try:
        file, status = open_listed(listed)
        with file:
            return fault_of(file.read(HEAD), status.st_size, arch_of_asset(name))
    except (AssetError, OSError):  # gone since, or told when it is asked for
        return ""
