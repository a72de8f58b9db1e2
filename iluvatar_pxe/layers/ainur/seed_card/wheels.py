"""Gathers the wheels of the lock for the Python of a card's image, and makes the daemon's own.

The daemon's own wheel is made of what runs here, so that an installed daemon can make a card as a checkout can.
"""

import base64
import hashlib
import subprocess
import sys
import zipfile
from collections.abc import Iterator, Mapping
from importlib.metadata import distribution
from pathlib import Path

from msgspec import Struct

import iluvatar_pxe
from iluvatar_pxe.errors import SeedCardError
from iluvatar_pxe.resources import DATA_DIRECTORIES, LOCK, data_directory, requirements_lock

_NAME = "iluvatar_pxe"
_PLATFORMS = ("manylinux_2_17", "manylinux2014", "manylinux_2_28")
_WHEEL = "Wheel-Version: 1.0\nGenerator: iluvatar-pxe\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
_LONG_AGO = (1980, 1, 1, 0, 0, 0)
_SECONDS = 1800.0


class WheelSource(Struct, frozen=True):
    """The lock that pins them with their checksums, and the folder that has them; without one, pip downloads them."""

    lock: Path
    folder: Path | None


def gather(place: Path, source: WheelSource, python: str, machine: str) -> None:
    """Put all wheels for a Python, such as 3.12, on a machine, such as aarch64, into a directory, the daemon's among them.

    pip takes them from where it is configured to, if not from a folder. Raises SeedCardError, and OSError.
    """
    command = [
        *(sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"),
        *("--only-binary", ":all:", "--require-hashes", "--requirement", str(source.lock)),
        *("--dest", str(place), "--implementation", "cp", "--python-version", python),
        *("--abi", f"cp{python.replace('.', '')}", "--abi", "abi3", "--abi", "none"),
        *(word for one in _PLATFORMS for word in ("--platform", f"{one}_{machine}")),
        *(("--no-index", "--find-links", str(source.folder)) if source.folder else ()),
    ]
    done = subprocess.run(  # noqa: S603 - an argument list made here
        command,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
        timeout=_SECONDS,
    )
    if done.returncode:
        raise SeedCardError(_explain(done.stderr, python, machine))
    for wheel in place.glob("*.whl"):
        _check(wheel)
    make_own_wheel(place)


def _explain(complaint: str, python: str, machine: str) -> str:
    if "No module named pip" in complaint:
        return f"{sys.executable}: has no pip, which gathers the wheels; {sys.executable} -m ensurepip"
    lines = [line.removeprefix("ERROR: ") for line in complaint.splitlines() if line.startswith("ERROR: ")]
    why = lines[-1] if lines else " ".join(complaint.split()[-20:]) or "pip failed"
    return f"the wheels for Python {python} on {machine} cannot be had: {why}; name a folder with them: --wheels DIR"


def _check(wheel: Path) -> None:
    """Refuse a wheel that needs more than to be unpacked."""
    with zipfile.ZipFile(wheel) as archive:
        if any(name.partition("/")[0].endswith(".data") for name in archive.namelist()):
            raise SeedCardError(f"{wheel.name}: cannot be installed by unpacking it; report this, please")


def make_own_wheel(place: Path) -> None:
    """Put a wheel of the daemon that runs here into a directory."""
    own = distribution(_NAME.replace("_", "-"))
    info = f"{_NAME}-{own.version}.dist-info"
    files = {name: path.read_bytes() for name, path in _package()}
    files |= {f"{_NAME}/_data/{LOCK}": requirements_lock().read_bytes()}
    files |= {
        f"{info}/{name}": (own.read_text(name) or "").encode() for name in ("METADATA", "entry_points.txt")
    }
    files[f"{info}/WHEEL"] = _WHEEL.encode()
    files[f"{info}/RECORD"] = _record(files, f"{info}/RECORD").encode()
    with zipfile.ZipFile(
        place / f"{_NAME}-{own.version}-py3-none-any.whl", "x", zipfile.ZIP_DEFLATED
    ) as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name, _LONG_AGO), content, zipfile.ZIP_DEFLATED)


def _package() -> Iterator[tuple[str, Path]]:
    """Yield the files of the package and its data, by their names in a wheel."""
    package = Path(iluvatar_pxe.__file__).parent
    places = {_NAME: package} | {f"{_NAME}/_data/{name}": data_directory(name) for name in DATA_DIRECTORIES}
    for prefix, directory in places.items():
        for path in sorted(directory.rglob("*")):
            parts = path.relative_to(directory).parts
            is_data = directory == package and parts[0] == "_data"
            if path.is_file() and "__pycache__" not in parts and not is_data:
                yield "/".join((prefix, *parts)), path


def _record(files: Mapping[str, bytes], name: str) -> str:
    lines = [f"{path},sha256={_digest(content)},{len(content)}" for path, content in files.items()]
    return "\n".join((*lines, f"{name},,")) + "\n"


def _digest(content: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
