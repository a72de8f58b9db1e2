"""Small wheels, and a lock that pins them."""

import hashlib
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

PURE = "py3-none-any"


def make_wheel(
    folder: Path, name: str, files: Mapping[str, bytes], tag: str = PURE, version: str = "1.0"
) -> Path:
    """Make a wheel that pip takes."""
    info = f"{name}-{version}.dist-info"
    texts = {
        "METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        "WHEEL": f"Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: {tag}\n",
        "RECORD": "",
    }
    path = folder / f"{name}-{version}-{tag}.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for file, content in files.items():
            archive.writestr(file, content)
        for file, text in texts.items():
            archive.writestr(f"{info}/{file}", text)
    return path


def make_lock(path: Path, wheels: Sequence[Path]) -> Path:
    """Pin the wheels, all of the same version, by their checksums."""
    pinned: dict[str, list[str]] = {}
    for wheel in wheels:
        digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
        pinned.setdefault(wheel.name.partition("-")[0], []).append(f"--hash=sha256:{digest}")
    path.write_text("".join(f"{name}==1.0 {' '.join(hashes)}\n" for name, hashes in pinned.items()))
    return path
