"""Where in a document a value is: for the tables of fields, and for the line in the patch."""

from msgspec import Struct

from iluvatar_pxe.fleet.yaml.document import Location
from iluvatar_pxe.layers.arda.documents import Contract
from iluvatar_pxe.layers.arda.patching.tables import FREE, REPLACED, REPLACED_IN_1_14
from iluvatar_pxe.values import replace


class Spot(Struct, frozen=True):
    """A value of a patch's document."""

    field: str
    """Its field, as ``tables`` writes it."""
    location: Location = ()
    is_free: bool = False
    """Whether it is within contents of another program."""
    contract: Contract = Contract.V1_14

    def key(self, key: str) -> "Spot":
        """Return the spot of a key's value."""
        dot = "" if self.field.endswith(":") else "."
        field = f"{self.field}{dot}{key}"
        return self._below(field, key)

    def item(self, index: int) -> "Spot":
        """Return the spot of a list's item."""
        return self._below(f"{self.field}[]", index)

    def _below(self, field: str, part: str | int) -> "Spot":
        location = (*self.location, part)
        return replace(self, field=field, location=location, is_free=self.is_free or field in FREE)

    @property
    def is_replaced(self) -> bool:
        """Say whether a patch replaces it as a whole."""
        is_newer = self.field in REPLACED_IN_1_14 and self.contract is not Contract.V1_13
        return is_newer or self.field in REPLACED

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
