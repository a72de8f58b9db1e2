"""Which zone a name belongs to."""

from collections.abc import Container, Mapping

from msgspec import Struct

from iluvatar_pxe.dns.zone import Found, Zone
from iluvatar_pxe.values import replace
from iluvatar_pxe.wire.dns.name import Name, is_below, name_of, parent_of, suffixes
from iluvatar_pxe.wire.dns.types import Rcode, Type

_ARPA = name_of("arpa")
_ADDRESSES = frozenset({Type.A, Type.AAAA, Type.HTTPS})


class Authority(Struct, frozen=True):
    """The local zones by apex; the most specific zone wins."""

    zones: Mapping[Name, Zone]
    forward: Container[Name] = frozenset()
    """Domains of which others know the names, but for zones below them."""

    def find(self, name: Name, kind: int) -> Found | None:
        """Look up a name; None where others have to be asked.

        A zone's DS records are its parent's: below ``arpa`` they tell who validates that it is not signed (RFC 8375, 4).
        """
        is_cut = kind == Type.DS and name in self.zones and is_below(name, _ARPA)
        for suffix in suffixes(parent_of(name) if is_cut else name):
            if zone := self.zones.get(suffix):
                return self._followed(zone.find(name, kind), kind)
            if suffix in self.forward:
                return None
        if kind in _ADDRESSES and name[0] and not parent_of(name)[0]:
            return Found("single-label names are not forwarded", Rcode.NXDOMAIN)
        return None

    def _followed(self, found: Found, kind: int) -> Found:
        """Go on where an alias leads to another of these zones; from the fleet's, the only one with aliases."""
        rest = self.find(found.elsewhere, kind) if found.elsewhere else None
        if rest is None:
            return found
        return replace(rest, origin=found.origin, answers=(*found.answers, *rest.answers))
