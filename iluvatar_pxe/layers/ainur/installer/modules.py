"""Which kernel modules a driver needs, and in which order they load. Pure."""

import lzma
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import PurePosixPath
from types import MappingProxyType

import zstandard

_DEPENDS = re.compile(rb"\0depends=([^\0]*)\0")
_DECODERS: Mapping[str, Callable[[bytes], bytes]] = MappingProxyType(
    {
        ".ko": bytes,
        ".xz": lzma.decompress,
        ".zst": lambda content: zstandard.ZstdDecompressor().decompressobj().decompress(content),
    }
)

Files = Mapping[str, Callable[[], bytes]]
"""A kernel's folder of modules: each file by its path, and how to read it."""


def load_order(files: Files, wanted: Iterable[str]) -> Mapping[str, bytes]:
    """Return the modules that ``wanted`` need, unpacked, by name, each after those that it depends on.

    A name that is not there is taken to be built into the kernel.
    """
    there = {
        module_name(path): path for path in sorted(files) if _suffix(path) in _DECODERS and ".ko" in path
    }
    loaded: dict[str, bytes] = {}
    for name in wanted:
        _load(name, files, there, loaded)
    return loaded


def module_name(path: str) -> str:
    """Return the name of the module in a file."""
    return PurePosixPath(path).name.partition(".ko")[0].replace("-", "_")


def _load(name: str, files: Files, there: dict[str, str], loaded: dict[str, bytes]) -> None:
    """Put ``name`` and what it needs into ``loaded``; taken out of ``there``, so that no ring goes on for ever."""
    path = there.pop(name, None)
    if path is None:
        return
    content = _DECODERS[_suffix(path)](files[path]())
    for dependency in _dependencies(content):
        _load(dependency, files, there, loaded)
    loaded[name] = content


def _suffix(path: str) -> str:
    return PurePosixPath(path).suffix


def _dependencies(content: bytes) -> list[str]:
    """Return the names in a module's own ``depends=`` line (packages bring no modules.dep)."""
    match = _DEPENDS.search(content)
    return [name.replace("-", "_") for name in match[1].decode("ascii").split(",") if name] if match else []
