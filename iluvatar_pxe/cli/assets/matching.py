"""Which files of a stick are which wanted ones, by their names. Rows are those of ``admin.assets.asset_data``."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from urllib.parse import unquote, urlsplit

from msgspec import Struct

from iluvatar_pxe.admin.data import Data
from iluvatar_pxe.catalogue.download import Unpack
from iluvatar_pxe.catalogue.file_name import file_name

Refuse = Callable[[str], None]
"""Takes why something is not imported, in one line."""


class Seen(Struct, frozen=True):
    """A file, or what is in its place; ``is_given``: its own path was given, not that of a directory above."""

    path: Path
    is_given: bool = False


class Found(Struct, frozen=True):
    """A file that may be a wanted one. ``beside`` are the names of what checks it, which may lie in its folder."""

    path: Path
    name: str
    beside: tuple[str, ...] = ()
    unpack: Unpack = Unpack.NONE


def found_in(files: Iterable[Seen], rows: Sequence[Data], refuse: Refuse) -> Iterator[Found]:
    """Return the files that are wanted ones by their names.

    Refused are those whose name is that of several wanted files, and those that were given and are none of them.
    """
    for file in files:
        meant = _meant(file.path, rows)
        meant = [row for row in meant if not row["ready"]] if len(meant) > 1 else meant
        if len(meant) > 1:
            names = " or ".join(row["name"] for row in meant)
            refuse(f"{file.path}: may be {names}; put it into folders of that name")
        elif meant:
            beside = tuple(file_name(url) for url in meant[0]["sums_urls"])
            yield Found(file.path, meant[0]["name"], beside, Unpack(meant[0]["unpack"]))
        elif file.is_given:
            refuse(f"{file.path}: no wanted file has this name; to see them: iluvatar-pxe assets status")


def _meant(file: Path, rows: Sequence[Data]) -> list[Data]:
    """Return the wanted files with whose names, or with whose addresses, most parts of a path's end are the same."""
    alike = [(max(_same_parts(file, parts) for parts in _names(row)), row) for row in rows]
    most = max((count for count, _ in alike), default=0)
    return [row for count, row in alike if count == most > 0]


def _names(row: Data) -> Iterator[tuple[str, ...]]:
    yield tuple(row["name"].split("/"))
    for url in row["urls"]:
        yield tuple(unquote(urlsplit(url).path).split("/"))


def _same_parts(file: Path, parts: Sequence[str]) -> int:
    """Count the last parts that are the same; none if the file's own name differs."""
    pairs = zip(reversed(file.parts), reversed(parts), strict=False)
    count = 0
    for one, other in pairs:
        if one != other:
            break
        count += 1
    return count
