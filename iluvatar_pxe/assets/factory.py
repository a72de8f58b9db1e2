"""Image Factory's own interface: schematics, versions, and the names of extensions and overlays. Blocks."""

from collections.abc import Callable, Sequence
from typing import TypeVar
from urllib.parse import urlsplit

from iluvatar_pxe.assets.asking import SECONDS, ask, first_answer, json_of
from iluvatar_pxe.catalogue.factory import factory_addresses
from iluvatar_pxe.catalogue.model import parse_catalogue
from iluvatar_pxe.catalogue.offered import Offered
from iluvatar_pxe.catalogue.schematic import Schematic, schematic_id
from iluvatar_pxe.errors import FactoryError, FactoryRefusalError
from iluvatar_pxe.fleet.models import Fleet
from iluvatar_pxe.resources import read_catalogue

_ItemT = TypeVar("_ItemT")
_AnswerT = TypeVar("_AnswerT")


def addresses_for(fleet: Fleet) -> tuple[str, ...]:
    """Return where a fleet's Image Factory is, mirrors first.

    Raises AssetError, and OSError, where the installation is damaged.
    """
    return factory_addresses(parse_catalogue(read_catalogue()), fleet.settings.assets)


def registry_of(fleet: Fleet) -> str:
    """Return the registry that has a fleet's installers: the factory's own host, no mirror; empty where there is none.

    Raises as ``addresses_for``.
    """
    return urlsplit(next(reversed(addresses_for(fleet)), "")).netloc


class Factory:
    """A factory by its ``addresses``, which are tried in this order: a mirror may have files alone."""

    def __init__(self, addresses: Sequence[str], seconds: float = SECONDS) -> None:
        self._addresses = addresses
        self._seconds = seconds

    def register(self, schematic: Schematic) -> None:
        """Have the factory know a schematic by the id that is computed here; raises FactoryError.

        What it answers must be what was sent, or the machines would ask for files that it never builds.
        """
        what = f"schematic {schematic.id}"

        def check(address: str, answer: bytes) -> None:
            answered = json_of(address, answer)
            found = answered if isinstance(answered, dict) else {}
            text, known_as = found.get("schematic"), found.get("id")
            if text != schematic.text or known_as != schematic_id(schematic.text):
                remedy = "make the schematic there, and write its id as 'schematic' into the layer's file"
                raise FactoryRefusalError(f"{address}: made {str(known_as)[:64]!r} of {what}; {remedy}")

        self._ask("schematics", what, check, schematic.text.encode())

    def described(self, known_as: str) -> str:
        """Return the canonical YAML of a schematic by its id; raises FactoryError."""

        def text_of(address: str, answer: bytes) -> str:
            text = answer.decode(errors="replace")
            if schematic_id(text) != known_as:
                raise FactoryError(
                    f"{address}: answers with another schematic than {known_as}; correct its address"
                )
            return text

        return self._ask(f"schematics/{known_as}", f"schematic {known_as}", text_of)

    def versions(self) -> tuple[str, ...]:
        """Return every version of Talos, in ascending order, pre-releases among them; raises FactoryError."""
        return tuple(self._list("versions", "versions", str))

    def broken(self) -> frozenset[str]:
        """Return the versions that are marked as broken; raises FactoryError."""
        return frozenset(self._list("versions?broken=true", "broken versions", str))

    def offered(self, version: str) -> Offered:
        """Return what may be built into a version; raises FactoryError."""
        extensions = self._list(f"version/{version}/extensions/official", f"extensions of {version}", dict)
        overlays = self._list(f"version/{version}/overlays/official", f"overlays of {version}", dict)
        return Offered(
            version=version,
            extensions=frozenset(str(one.get("name")) for one in extensions),
            overlays=frozenset((str(one.get("image")), str(one.get("name"))) for one in overlays),
        )

    def _list(self, path: str, what: str, kind: type[_ItemT]) -> list[_ItemT]:
        def items(address: str, answer: bytes) -> list[_ItemT]:
            found = json_of(address, answer)
            if not isinstance(found, list) or not all(isinstance(one, kind) for one in found):
                raise FactoryError(f"{address}: its {what} are no list of them; correct its address")
            return found

        return self._ask(path, what, items)

    def _ask(
        self, path: str, what: str, take: Callable[[str, bytes], _AnswerT], body: bytes | None = None
    ) -> _AnswerT:
        """Return what ``take`` makes of the first answer that it takes; raises the FactoryError of the last."""
        if not self._addresses:
            raise FactoryError("no Image Factory is known; add the entry 'talos' to the catalogue")
        return first_answer(
            self._addresses,
            lambda address: take(address, ask(address, path, what, body, self._seconds)),
        )
