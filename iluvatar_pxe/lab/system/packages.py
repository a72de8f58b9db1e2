"""Debian packages as files: fetched and unpacked, never installed.

apt works in a private root, with this host's own package sources and keys; only the suite's name is
another one where that is asked for. So no mirror is named here, and proxies and keys stay the owner's.
"""

import platform
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from iluvatar_pxe.errors import LabError
from iluvatar_pxe.lab.process import run_command
from iluvatar_pxe.lab.room.namespace import require_tools
from iluvatar_pxe.lab.system.cache import cached

_SOURCES = Path("/etc/apt/sources.list.d")
_ONE_LINE_SOURCES = Path("/etc/apt/sources.list")
_KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
_TIMEOUT_SECONDS = 600.0


def own_suite() -> str:
    """Return the code name of this host's release; raises LabError where it has none."""
    release = platform.freedesktop_os_release()
    try:
        return release["VERSION_CODENAME"]
    except KeyError as error:
        raise LabError("/etc/os-release names no VERSION_CODENAME; the lab needs a Debian host") from error


def unpack_package(
    cache: Path, package: str, suite: str, architecture: str, components: str = "main"
) -> Path:
    """Return a directory with the files of ``package``, fetched when the cache lacks it; raises LabError.

    ``components`` are those of the archive that have it, whichever this host itself uses. A package that only depends on the real one (``linux-image-amd64``) gives its first dependency.
    """

    def build(directory: Path) -> None:
        apt = Apt(directory / "apt", suite, architecture, components)
        (archive,) = apt.download(package)
        _run(["dpkg-deb", "--extract", str(archive), str(directory / "files")], directory)
        shutil.rmtree(directory / "apt")

    require_tools("apt-get", "apt-cache", "dpkg-deb")
    return cached(cache, f"{package}.{suite}.{architecture}", build) / "files"


def place_in(files: Path, place: str) -> Path:
    """Return where a package's files have ``place``: since Debian 13 below ``usr``, as on every running system."""
    merged = files / "usr" / place
    return merged if merged.exists() else files / place


class Apt:
    """apt with a private root in ``root``."""

    def __init__(self, root: Path, suite: str, architecture: str, components: str) -> None:
        """Fetch the lists of packages; raises LabError, as all here."""
        for name in ("state/lists/partial", "cache/archives/partial"):
            (root / name).mkdir(parents=True)
        (root / "status").touch()
        (root / "lab.sources").write_text(_sources(suite, components), encoding="utf-8")
        self._root = root
        self._options = [
            f"-oDir::State={root}/state",
            f"-oDir::State::status={root}/status",
            f"-oDir::Cache={root}/cache",
            f"-oDir::Etc::sourcelist={root}/lab.sources",
            "-oDir::Etc::sourceparts=-",
            "-oDir::Etc::preferencesparts=-",
            f"-oAPT::Architecture={architecture}",
            f"-oAPT::Architectures={architecture}",
            "-oAPT::Sandbox::User=root",
            "-oAcquire::Languages=none",
            "-q",
        ]
        with suppress(LabError):  # a source that another key signed (Raspberry Pi OS has one) is left out
            self._apt("apt-get", "update")

    def download(self, *packages: str) -> list[Path]:
        """Fetch packages, or what they stand for, and return their files."""
        self._apt("apt-get", "download", *map(self._meant, packages))
        return list(self._root.glob("*.deb"))

    def _meant(self, package: str) -> str:
        depends = self._apt("apt-cache", "depends", "--important", package)
        if package.startswith("linux-image-"):  # a metapackage: the image of the day is what it depends on
            return next(_dependencies(depends, "linux-image-"), package)
        return package

    def _apt(self, program: str, *arguments: str) -> str:
        return _run([program, *self._options, *arguments], self._root)


def _dependencies(text: str, prefix: str) -> Iterator[str]:
    for line in text.splitlines():
        relation, _, package = line.strip().partition(": ")
        if relation == "Depends" and package.startswith(prefix):
            yield package


def _sources(suite: str, components: str) -> str:
    """Return this host's own sources of its release in deb822 form, with ``suite`` in its place."""
    own = own_suite()
    found = [*_stanzas(own), *_one_lines(own)]
    if not found:
        raise LabError(f"{_SOURCES}: no source of {own} is configured; the lab needs a Debian host's sources")
    return "\n".join(
        f"Types: deb\nURIs: {uris}\nSuites: {suite}\nComponents: {components}\nSigned-By: {_KEYRING}\n"
        for uris in dict.fromkeys(found)
    )


def _stanzas(own: str) -> Iterator[str]:
    """Yield the URIs of ``.sources`` files that offer the release itself."""
    for file in sorted(_SOURCES.glob("*.sources")):
        for stanza in file.read_text(encoding="utf-8").split("\n\n"):
            lines = (line.partition(":") for line in stanza.splitlines() if line[:1].isalpha())
            fields = {key.lower(): value.strip() for key, _, value in lines}
            if own in fields.get("suites", "").split() and "deb" in fields.get("types", "").split():
                yield fields.get("uris", "")


def _one_lines(own: str) -> Iterator[str]:
    """Yield the URIs of ``deb URI SUITE …`` lines that offer the release itself."""
    for file in (_ONE_LINE_SOURCES, *sorted(_SOURCES.glob("*.list"))):
        for line in file.read_text(encoding="utf-8").splitlines() if file.is_file() else ():
            words = [word for word in line.split() if not word.startswith("[") and not word.endswith("]")]
            if words[:1] == ["deb"] and words[2:3] == [own]:
                yield words[1]


def _run(argv: list[str], directory: Path) -> str:
    try:
        return run_command(argv, f"{argv[0]} … {argv[-1]}", _TIMEOUT_SECONDS, directory)
    except LabError as error:
        raise LabError(f"{error}; is the package source reachable?") from error
