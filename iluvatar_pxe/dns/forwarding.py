"""Which resolvers know a domain that is not public: ``[dns] forward``."""

from collections.abc import Mapping

from iluvatar_pxe.settings.upstream import Upstream
from iluvatar_pxe.wire.dns.name import Name, suffixes

Forward = Mapping[Name, tuple[Upstream, ...]]
"""Resolvers by the domain that they are asked for."""


def resolvers_of(forward: Forward, name: Name) -> tuple[Upstream, ...] | None:
    """Return the resolvers of the smallest of these domains that a name is in; None where it is in none."""
    return next((forward[suffix] for suffix in suffixes(name) if suffix in forward), None)
