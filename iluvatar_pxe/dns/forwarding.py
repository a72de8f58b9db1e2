"""Which resolvers know a domain that is not public: ``[dns] forward``."""

from collections.abc import Iterable, Mapping

from iluvatar_pxe.dns.local import KEPT
from iluvatar_pxe.settings.upstream import Upstream
from iluvatar_pxe.wire.dns.name import Name, is_below, suffixes

Forward = Mapping[Name, tuple[Upstream, ...]]
"""Resolvers by the domain that they are asked for."""


def resolvers_of(forward: Forward, name: Name) -> tuple[Upstream, ...] | None:
    """Return the resolvers of the smallest of these domains that a name is in; None where it is in none."""
    return next((forward[suffix] for suffix in suffixes(name) if suffix in forward), None)


def kept_here(forward: Iterable[Name], fleet: Name) -> frozenset[Name]:
    """Return those of these domains that are not forwarded: below ``fleet``, its own domain, or below special ones."""
    return frozenset(domain for domain in forward if any(is_below(domain, apex) for apex in (fleet, *KEPT)))
