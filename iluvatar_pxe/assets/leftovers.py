"""What nobody wants any more: downloads of commits before the last two, what was set aside or copied by hand. Pure."""

from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath

from msgspec import Struct

from iluvatar_pxe.assets.index import ADOPTED, Record
from iluvatar_pxe.assets.status import Leftover, Part

BEFORE = "the commit before wants it"
COPIED = "it was copied by hand"


class Sizes(Struct, frozen=True, kw_only=True):
    """Bytes of files that no record has, by name."""

    begun: Mapping[str, int]
    """Downloads that have begun."""
    aside: Mapping[str, int]
    """Files that were set aside, by the names that they had."""
    copied: Mapping[str, int]
    """Files that nobody downloaded and no wanted download gives."""


def leftovers_of(
    records: Mapping[str, Record], wanted: frozenset[str], before: frozenset[str], sizes: Sizes
) -> tuple[Leftover, ...]:
    """Return them by name."""
    own = (_of_record(name, one, before) for name, one in records.items() if name not in wanted)
    begun = (_begun(name, size, before) for name, size in sizes.begun.items() if name not in wanted)
    aside = (Leftover(name=name, part=Part.ASIDE, size=size) for name, size in sizes.aside.items())
    found = [*own, *begun, *aside, *_of_folders(sizes.copied)]
    return tuple(sorted(found, key=lambda one: (one.name, one.part)))


def _begun(name: str, size: int, before: frozenset[str]) -> Leftover:
    return Leftover(name=name, part=Part.BEGUN, size=size, kept_for=BEFORE if name in before else "")


def _of_record(name: str, record: Record, before: frozenset[str]) -> Leftover:
    kept = [record.original] if record.original else []
    size = sum(given.size for given in [*record.gives.values(), *kept])
    kept_for = BEFORE if name in before else COPIED if record.source == ADOPTED else ""
    return Leftover(
        name=name, version=record.version, size=size, kept_for=kept_for, only_named=record.withdrawn
    )


def _of_folders(copied: Mapping[str, int]) -> Iterator[Leftover]:
    """Tell files that were copied by hand by their folders: an image has hundreds."""
    folders: dict[str, int] = {}
    for name, size in copied.items():
        folder = str(PurePosixPath(name).parent)
        told = name if folder == "." else f"{folder}/"
        folders[told] = folders.get(told, 0) + size
    for name, size in folders.items():
        yield Leftover(name=name, size=size, kept_for=COPIED)
