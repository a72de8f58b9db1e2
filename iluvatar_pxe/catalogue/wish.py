"""What a fleet wants of the catalogue."""

from msgspec import Struct


class Wish(Struct, frozen=True, kw_only=True):
    """An entry of the catalogue that is wanted, or an image by its name, which may be no entry's at all.

    ``version`` None is that of the entry; ``arch`` None is every architecture. ``wanted_by`` says in words who wants it.
    """

    entry: str = ""
    image: str = ""
    version: str | None = None
    arch: str | None = None
    schematic: str | None = None
    wanted_by: str
