"""The starter fleet."""

import shutil
from pathlib import Path

from iluvatar_pxe.errors import FleetError
from iluvatar_pxe.fleet.schemas import schemas
from iluvatar_pxe.host.durable import put_directory_in_place
from iluvatar_pxe.printable import printable
from iluvatar_pxe.resources import data_directory


def starter_files() -> dict[str, bytes]:
    """Return the starter fleet by path, hidden files and the schemas for editors among them.

    Raises FleetError where the installation is damaged.
    """
    directory = data_directory("boot_assets") / "fleet"
    files: dict[str, bytes] = {}
    for path in sorted(path for path in directory.rglob("*") if not path.is_dir()):
        try:
            files[path.relative_to(directory).as_posix()] = path.read_bytes()
        except OSError as error:
            raise _fault(path, f"cannot be read: {error.strerror}; install iluvatar-pxe again") from error
    return files | {f"schemas/{name}": text.encode() for name, text in schemas().items()}


def plant_starter_fleet(directory: Path) -> bool:
    """Write the starter fleet to ``directory`` unless that exists; say whether it was done.

    Raises FleetError when it cannot be written.
    """
    unfinished = directory.with_name(f".{directory.name}.new")
    try:
        if directory.exists():
            return False
        shutil.rmtree(unfinished, ignore_errors=True)
        for name, content in starter_files().items():
            path = unfinished / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        put_directory_in_place(unfinished, directory)
    except OSError as error:
        remedy = "make the state directory writable, with room in it, or name another fleet in [fleet] source"
        raise FleetError([f"{directory}: cannot be created: {error.strerror}; {remedy}"]) from error
    return True


def _fault(path: Path, text: str) -> FleetError:
    return FleetError([f"{printable(str(path))}: {text}"])
