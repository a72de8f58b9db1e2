"""Where in a document a value is: for the tables of fields, and for the line in the patch."""

from dataclasses import dataclass

from iluvatar_pxe.fleet.yaml.document import Location
from iluvatar_pxe.layers.arda.patching.tables import FREE


@dataclass(frozen=True, slots=True)
class Spot:
    """A value of a patch's document."""

    field: str
    """Its field, as ``tables`` writes it."""
    location: Location = ()
    is_free: bool = False
    """Whether it is within contents of another program."""

    def key(self, key: str) -> "Spot":
        """Return the spot of a key's value."""
        dot = "" if self.field.endswith(":") else "."
        field = f"{self.field}{dot}{key}"
        return Spot(field, (*self.location, key), self.is_free or field in FREE)

    def item(self, index: int) -> "Spot":
        """Return the spot of a list's item."""
        field = f"{self.field}[]"
        return Spot(field, (*self.location, index), self.is_free or field in FREE)

    @property
    def path(self) -> str:
        """The path in words, such as ``cluster.apiServer.extraArgs``."""
        return ".".join(str(part + 1) if isinstance(part, int) else part for part in self.location)


class MergeError(Exception):
    """A part of a patch cannot be applied; ``text`` says why, and what to do."""

    def __init__(self, spot: Spot, text: str) -> None:
        super().__init__(text)
        self.spot = spot
        self.text = f"{spot.path}: {text}"
