"""Which files of a stick are which wanted ones, by their names. Rows are those of ``admin.assets.asset_data``."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from iluvatar_pxe.admin.describe import Data
from iluvatar_pxe.errors import OperationError


@dataclass(frozen=True)
class Found:
    """A file that may be a wanted one. ``beside`` are the names of what checks it, which may lie in its folder."""

    path: Path
    name: str
    beside: tuple[str, ...]


def found_in(paths: Sequence[Path], files: Iterable[Path], rows: Sequence[Data]) -> list[Found]:
    """Return the files that are wanted ones by their names; ``paths`` are those that people gave.

    Raises OperationError where a name is that of several wanted files, or a file that was given is none of them.
    """
    found = []
    for file in files:
        meant = _meant(file, rows)
        meant = [row for row in meant if not row["ready"]] if len(meant) > 1 else meant
        if len(meant) > 1:
            names = " or ".join(row["name"] for row in meant)
            raise OperationError(f"{file}: may be {names}; put it into folders of that name")
        if meant:
            beside = tuple(_file_name(url) for url in meant[0]["sums_urls"])
            found.append(Found(file, meant[0]["name"], beside))
        elif file in paths:
            raise OperationError(
                f"{file}: no wanted file has this name; to see them: iluvatar-pxe assets status"
            )
    return found


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


def _file_name(url: str) -> str:
    return unquote(urlsplit(url).path).rpartition("/")[2]
