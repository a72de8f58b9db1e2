"""Kernel modules of a package's folder, in the order in which they load."""

from collections.abc import Mapping
from pathlib import Path

from iluvatar_pxe.errors import LabError
from iluvatar_pxe.layers.ainur.installer import modules
from iluvatar_pxe.layers.ainur.installer.modules import module_name


def load_order(tree: Path, *wanted: str) -> Mapping[str, bytes]:
    """Return the modules that ``wanted`` need, as ``layers.ainur.installer.modules`` does.

    ``tree`` is a directory of modules as a kernel package has it. A wanted one that is not there has to be among those
    that ``modules.builtin`` lists, or LabError.
    """
    files = {str(file.relative_to(tree)): file.read_bytes for file in tree.rglob("*.ko*")}
    there = {module_name(path) for path in files} | _built_in(tree)
    for name in wanted:
        if name not in there:
            raise LabError(f"{tree}: no module {name}; the lab needs Debian's kernel with its modules")
    return modules.load_order(files, wanted)


def _built_in(tree: Path) -> set[str]:
    file = tree / "modules.builtin"
    lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    return {module_name(line) for line in lines}
