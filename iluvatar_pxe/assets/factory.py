"""Image Factory's own interface: schematics, versions, and the names of extensions and overlays. Blocks.

Its files are downloaded as all others are (``assets/download``). This part uses the standard library alone, since the
check of a push starts with it each time.
"""

import json
import ssl
import time
import uuid
from collections.abc import Mapping, Sequence
from http.client import HTTPException, HTTPResponse
from types import MappingProxyType
from typing import Any, NoReturn, TypeVar
from urllib.error import HTTPError, URLError
from urllib.request import (
    HTTPDefaultErrorHandler,
    HTTPErrorProcessor,
    HTTPHandler,
    HTTPSHandler,
    OpenerDirector,
    ProxyHandler,
    Request,
)

from iluvatar_pxe.catalogue.factory import factory_addresses
from iluvatar_pxe.catalogue.model import parse_catalogue
from iluvatar_pxe.catalogue.offered import Offered
from iluvatar_pxe.catalogue.schematic import Schematic, schematic_id
from iluvatar_pxe.errors import FactoryError, FactoryRefusalError
from iluvatar_pxe.fleet.models import Fleet
from iluvatar_pxe.fleet.yaml.document import printable
from iluvatar_pxe.resources import read_catalogue

_ItemT = TypeVar("_ItemT")
SECONDS = 20.0
"""How long an answer may take; nothing that is asked here is built first."""
LARGEST_ANSWER = 4 << 20
"""Bytes; a list of extensions with their descriptions has some 100,000."""
_MOST_TOLD = 200
"""Characters of the factory's own words that are passed on."""
_REFUSALS: Mapping[int, str] = MappingProxyType(
    {
        400: "refuses {what}",
        401: "wants a login for {what}",
        402: "offers {what} only to paying customers",
        403: "denies {what}",
        404: "has no {what}",
    }
)
"""Answers that stay the same however often one asks."""


def addresses_for(fleet: Fleet) -> tuple[str, ...]:
    """Return where a fleet's Image Factory is, mirrors first.

    Raises AssetError, and OSError, where the installation is damaged.
    """
    return factory_addresses(parse_catalogue(read_catalogue()), fleet.settings.assets)


class Factory:
    """A factory by its ``addresses``, which are tried in this order: a mirror may have files alone."""

    def __init__(self, addresses: Sequence[str], seconds: float = SECONDS) -> None:
        self._addresses = addresses
        self._seconds = seconds
        self._opener = _opener()

    def register(self, schematic: Schematic) -> None:
        """Have the factory know a schematic by the id that is computed here; raises FactoryError.

        What it answers must be what was sent, or the machines would ask for files that it never builds.
        """
        what = f"schematic {schematic.id}"
        address, answer = self._ask("schematics", what, schematic.text.encode())
        found = answer if isinstance(answer, dict) else {}
        text, known_as = found.get("schematic"), found.get("id")
        if text != schematic.text or known_as != schematic_id(schematic.text):
            remedy = "make the schematic there, and write its id as 'schematic' into the layer's file"
            raise FactoryRefusalError(f"{address}: made {str(known_as)[:64]!r} of {what}; {remedy}")

    def described(self, known_as: str) -> str:
        """Return the canonical YAML of a schematic by its id; raises FactoryError."""
        return self._read(f"schematics/{known_as}", f"schematic {known_as}")[1].decode(errors="replace")

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
        address, answer = self._ask(path, what)
        if not isinstance(answer, list) or not all(isinstance(one, kind) for one in answer):
            raise FactoryError(f"{address}: its {what} are no list of them; correct its address")
        return answer

    def _ask(self, path: str, what: str, body: bytes | None = None) -> tuple[str, Any]:
        address, answer = self._read(path, what, body)
        try:
            return address, json.loads(answer)
        except ValueError as error:
            why = "it may be the page of a login; correct its address, or ask again later"
            raise FactoryError(f"{address}: answers with no JSON: {why}") from error

    def _read(self, path: str, what: str, body: bytes | None = None) -> tuple[str, bytes]:
        """Return the first address that has an answer, and that; raises the FactoryError of the last."""
        last = FactoryError("no Image Factory is known; add the entry 'talos' to the catalogue")
        for address in self._addresses:
            try:
                return address, self._read_from(address, path, what, body)
            except FactoryError as error:
                last = error
        raise last

    def _read_from(self, address: str, path: str, what: str, body: bytes | None) -> bytes:
        request_id = uuid.uuid4().hex
        headers = {"X-Request-ID": request_id, "Accept": "*/*", "User-Agent": "iluvatar-pxe"}
        request = Request(f"{address}/{path}", body, headers)  # noqa: S310 - the opener knows http and https alone
        until = time.monotonic() + self._seconds
        try:
            with self._opener.open(request, timeout=self._seconds) as response:
                return _read(response, until)
        except HTTPError as error:
            with error:
                _refuse(address, what, error, request_id)
        except (OSError, HTTPException) as error:
            reason = error.reason if isinstance(error, URLError) else error
            why = getattr(reason, "strerror", None) or str(reason) or type(reason).__name__
            raise FactoryError(
                f"{address}: cannot be reached: {why}; check this host's connection"
            ) from error


def _opener() -> OpenerDirector:
    """Return what opens addresses by the environment's proxies; redirects are followed nowhere."""
    opener = OpenerDirector()
    secure = HTTPSHandler(context=ssl.create_default_context())
    for handler in (ProxyHandler(), HTTPHandler(), secure, HTTPDefaultErrorHandler(), HTTPErrorProcessor()):
        opener.add_handler(handler)
    return opener


def _read(response: HTTPResponse, until: float) -> bytes:
    """Read an answer; raises OSError where it is too long, or takes too long."""
    found = bytearray()
    while chunk := response.read1(64 << 10):
        found += chunk
        if len(found) > LARGEST_ANSWER:
            raise OSError(f"its answer is longer than {LARGEST_ANSWER} bytes")
        if time.monotonic() > until:
            raise TimeoutError("its answer takes too long")
    return bytes(found)


def _refuse(address: str, what: str, error: HTTPError, request_id: str) -> NoReturn:
    """Raise what an answer other than 200 means, in one line with the factory's own words."""
    told = _told(error)
    words = f": {told}" if told else ""
    if text := _REFUSALS.get(error.code):
        raise FactoryRefusalError(f"{address}: {text.format(what=what)}{words}; correct the layer's file")
    if error.code == 429:
        raise FactoryError(f"{address}: has had too many requests{words}; it is asked again later")
    if 300 <= error.code < 400:
        place = printable(str(error.headers.get("Location"))[:_MOST_TOLD])
        raise FactoryError(f"{address}: has moved to {place}; name that address in the catalogue")
    raise FactoryError(
        f"{address}: cannot tell its {what} now: HTTP {error.code}{words}; it is asked again later "
        f"(request {request_id})"
    )


def _told(error: HTTPError) -> str:
    """Return the factory's own words, shortened to one line."""
    try:
        octets = error.read(_MOST_TOLD * 4)
    except (OSError, HTTPException):
        return ""
    return printable(" ".join(octets.decode(errors="replace").split())[:_MOST_TOLD])
