"""What is on a machine's disk, read with the tools of Linux' distributions while the machine is off."""

import subprocess
from pathlib import Path

from support.pi_images import MIB

_SECTOR = 512


class Disk:
    """A disk with an MBR: FAT in its first partition, and a root file system in the second."""

    def __init__(self, file: Path, scratch: Path) -> None:
        """Copy the root file system into a directory, and replay its journal, as the next mount would."""
        self._file, self._root = file, scratch / "root.ext4"
        self.table = tool("sfdisk", "--dump", str(file))
        first, second = (line for line in self.table.splitlines() if "start=" in line)
        self._boot = f"{file}@@{_field(first, 'start') * _SECTOR}"
        skipped = _field(second, "start") * _SECTOR // MIB
        tool("dd", f"if={file}", f"of={self._root}", f"bs={MIB}", f"skip={skipped}", "conv=sparse")
        subprocess.run(["e2fsck", "-f", "-p", str(self._root)], check=False, capture_output=True)
        tool("e2fsck", "-f", "-n", str(self._root))

    @property
    def root_facts(self) -> str:
        """What its superblock says."""
        return tool("dumpe2fs", "-h", str(self._root))

    @property
    def boot_files(self) -> list[str]:
        """The names in the first folder of the FAT."""
        return [name.removeprefix("::/") for name in tool("mdir", "-b", "-i", self._boot, "::/").split()]

    def boot_file(self, name: str) -> str:
        """Return a text of the FAT."""
        return tool("mtype", "-i", self._boot, f"::/{name}")

    def text(self, path: str) -> str:
        """Return a file of the root file system; empty where there is none."""
        return self._debugfs(f"cat {path}")

    def mode(self, path: str) -> str:
        """Return its mode, as four octal digits; empty where there is none."""
        found = self._debugfs(f"stat {path}").partition("Mode:")[2].split()
        return found[0] if found else ""

    def names(self, path: str) -> set[str]:
        """Return the names in a folder."""
        lines = self._debugfs(f"ls -p {path}").splitlines()
        return {line.split("/")[5] for line in lines if line.startswith("/")} - {".", "..", ""}

    def _debugfs(self, request: str) -> str:
        return tool("debugfs", "-R", request, str(self._root))


def tool(*command: str) -> str:
    """Return what a program prints."""
    return subprocess.run(command, capture_output=True, check=True).stdout.decode(errors="replace")


def _field(line: str, name: str) -> int:
    """Return a number of a line of sfdisk's."""
    return int(line.partition(f"{name}=")[2].partition(",")[0])
