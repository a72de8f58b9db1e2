"""What the provisioning system is made of: programs of Debian's packages for arm64, our scripts, and a kernel's modules."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import PurePosixPath

from iluvatar_pxe.layers.ainur.installer.initramfs import Entry, console, directory, file, link, pack

_LIBRARIES = "aarch64-linux-gnu"
_LINKS = (
    ("lib/ld-linux-aarch64.so.1", f"{_LIBRARIES}/ld-linux-aarch64.so.1"),
    *((f"sbin/{name}", "/usr/bin/mtools") for name in ("mcopy", "mdel", "mdir", "mtype")),
)
_EMPTY = ("dev", "proc", "sys", "run", "root", "tmp", "modules")
_SCRIPTS = "lib/iluvatar"


def pack_system(tools: Mapping[str, bytes], scripts: Mapping[str, bytes]) -> bytes:
    """Return the initramfs without modules: ``tools`` by their paths, ``scripts`` as ``boot_assets/installer`` has them."""
    init, *others = sorted(scripts.items(), key=lambda item: item[0] != "init")
    files = [
        file("init", init[1], executable=True),
        *(file(f"{_SCRIPTS}/{name}", content, executable=True) for name, content in sorted(others)),
        *(file(path, content, executable=True) for path, content in sorted(tools.items())),
        *(link(path, target) for path, target in _LINKS),
    ]
    return pack([*map(directory, _folders(files)), console(), *files])


def pack_modules(modules: Mapping[str, bytes]) -> bytes:
    """Return the initramfs of modules, to be appended; ``modules`` are in the order in which they load."""
    return pack(
        [
            directory("modules"),
            *(
                file(f"modules/{number:03}-{name}.ko", content)
                for number, (name, content) in enumerate(modules.items())
            ),
        ]
    )


def _folders(files: Iterable[Entry]) -> Iterator[str]:
    """Yield every folder, those above others first."""
    above = {str(folder) for one in files for folder in PurePosixPath(one.path).parents}
    return iter(sorted((above | {*_EMPTY}) - {"."}))
