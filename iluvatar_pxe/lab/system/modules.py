"""Which kernel modules a driver needs, and in which order they load."""

import lzma
import re
from pathlib import Path

from iluvatar_pxe.errors import LabError

_DEPENDS = re.compile(rb"\0depends=([^\0]*)\0")
_SUFFIXES = (".ko", ".ko.xz")


def load_order(tree: Path, *wanted: str) -> dict[str, bytes]:
    """Return the modules that ``wanted`` need, by name, each after those it depends on.

    ``tree`` is a directory of modules as a kernel package has it. A name that is not there is taken to be
    built into the kernel; a wanted one has to be among those that ``modules.builtin`` lists, or LabError.
    """
    files = {_name(file): file for file in sorted(tree.rglob("*.ko*")) if file.name.endswith(_SUFFIXES)}
    built_in = _built_in(tree)
    loaded: dict[str, bytes] = {}
    for name in wanted:
        if name not in files and name not in loaded and name not in built_in:
            raise LabError(f"{tree}: no module {name}; the lab needs Debian's kernel with its modules")
        _load(name, files, loaded)
    return loaded


def _load(name: str, files: dict[str, Path], loaded: dict[str, bytes]) -> None:
    """Put ``name`` and what it needs into ``loaded``; taken out of ``files``, so that no ring goes on for ever."""
    file = files.pop(name, None)
    if file is None:
        return
    content = _read(file)
    for dependency in _dependencies(content):
        _load(dependency, files, loaded)
    loaded[name] = content


def _built_in(tree: Path) -> set[str]:
    file = tree / "modules.builtin"
    lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    return {_name(Path(line)) for line in lines}


def _dependencies(content: bytes) -> list[str]:
    """Return the names in a module's own ``depends=`` line (packages bring no modules.dep)."""
    match = _DEPENDS.search(content)
    return [_normal(name) for name in match[1].decode("ascii").split(",") if name] if match else []


def _read(file: Path) -> bytes:
    content = file.read_bytes()
    return lzma.decompress(content) if file.suffix == ".xz" else content


def _name(file: Path) -> str:
    return _normal(file.name.partition(".ko")[0])


def _normal(name: str) -> str:
    return name.replace("-", "_")
