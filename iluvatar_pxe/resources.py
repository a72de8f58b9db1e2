"""Where the project's data files lie: beside the package in a checkout, inside it in a wheel."""

from pathlib import Path

_PACKAGE = Path(__file__).parent


def data_directory(name: str) -> Path:
    """Return the directory ``boot_assets``, ``migrations`` or ``systemd``."""
    installed = _PACKAGE / "_data" / name
    return installed if installed.is_dir() else _PACKAGE.parent / name
