"""A zone, and how a name is looked up in it (RFC 1034, 4.3.2; RFC 4592; RFC 8482)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Self

from msgspec import Struct

from iluvatar_pxe.wire.dns.name import Name, is_below, parent_of, suffixes, text_of
from iluvatar_pxe.wire.dns.types import Rcode, Record, Service, StartOfAuthority, Target, Type

_WILDCARD = b"\x01*"
_LONGEST_CHAIN = 8
"""Longest CNAME chain within a zone."""
_ADDRESSES = (Type.A, Type.AAAA)
_KNOWN = frozenset(Type)


class Node(Struct, frozen=True):
    """The records of one name by type, and a text that says where they come from."""

    records: Mapping[Type, tuple[Record, ...]]
    origin: str
    by_leaders: bool = False
    """Other records are there when other leaders of a cluster are alive."""

    @classmethod
    def of(cls, records: Iterable[Record], origin: str, *, by_leaders: bool = False) -> Self:
        """Return the node with these records."""
        by_type: dict[Type, tuple[Record, ...]] = {}
        for record in records:
            by_type[record.type] = (*by_type.get(record.type, ()), record)
        return cls(by_type, origin, by_leaders)


class Found(Struct, frozen=True):
    """What an authority says. ``elsewhere`` is where a chain of CNAMEs leaves the zone: that name is still to be asked for."""

    origin: str
    rcode: Rcode = Rcode.NOERROR
    answers: tuple[Record, ...] = ()
    authorities: tuple[Record, ...] = ()
    additional: tuple[Record, ...] = ()
    elsewhere: Name | None = None
    is_shared: bool = False
    """Somebody else may know a name that is not known here."""
    by_leaders: bool = False
    """It depends on which leaders of a cluster are alive."""


@dataclass(frozen=True)
class Zone:
    """All names at and below ``apex``; ``nodes`` has the apex with its SOA."""

    apex: Name
    nodes: Mapping[Name, Node]
    inner: frozenset[Name] = field(default=frozenset(), compare=False)
    """Names without records that have names below them: they exist (RFC 8020)."""
    is_shared: bool = False
    """Names that are not in it may be known elsewhere."""

    @classmethod
    def of(cls, apex: Name, nodes: Mapping[Name, Node], *, is_shared: bool = False) -> Self:
        """Return the zone of these nodes."""
        inner: set[Name] = set()
        for name in nodes:
            while name != apex and (name := parent_of(name)) not in inner:
                inner.add(name)
        return cls(apex, nodes, frozenset(inner - nodes.keys()), is_shared)

    @property
    def start(self) -> Record:
        """The SOA record, which every "no" comes with (RFC 2308)."""
        return self.nodes[self.apex].records[Type.SOA][0]

    def find(self, name: Name, kind: int) -> Found:
        """Look up a name at or below the apex."""
        answers: list[Record] = []
        origin = ""
        for _ in range(_LONGEST_CHAIN):
            node = self._node(name)
            origin = origin or (node.origin if node else "")
            if node is None:
                return self._no(Rcode.NXDOMAIN, answers, origin)
            here = _owned(_pick(node, kind), name)
            answers += here
            if not here:
                return self._no(Rcode.NOERROR, answers, origin)
            target = here[0].data.name if isinstance(here[0].data, Target) else None
            if here[0].type is not Type.CNAME or kind in {Type.CNAME, Type.ANY} or target is None:
                additional = self._additional(here)
                return Found(
                    origin, answers=tuple(answers), additional=additional, by_leaders=node.by_leaders
                )
            if not is_below(target, self.apex):
                return Found(origin, answers=tuple(answers), elsewhere=target)
            name = target
        return Found(origin, Rcode.SERVFAIL)

    def _node(self, name: Name) -> Node | None:
        """Return what is at a name, by itself or by the wildcard of its closest encloser; None where it is not."""
        if node := self.nodes.get(name):
            return node
        if name in self.inner:
            return Node({}, "")
        encloser = next(one for one in suffixes(name) if one in self.nodes or one in self.inner)
        return self.nodes.get(_WILDCARD + encloser)

    def _no(self, rcode: Rcode, answers: list[Record], origin: str) -> Found:
        is_shared = self.is_shared and rcode is Rcode.NXDOMAIN
        return Found(
            origin or f"zone {text_of(self.apex)}", rcode, tuple(answers), (self.start,), is_shared=is_shared
        )

    def _additional(self, records: Iterable[Record]) -> tuple[Record, ...]:
        """Return the addresses of the servers that SRV records name."""
        targets = dict.fromkeys(record.data.target for record in records if isinstance(record.data, Service))
        nodes = [node for target in targets if (node := self.nodes.get(target))]
        return tuple(record for node in nodes for kind in _ADDRESSES for record in node.records.get(kind, ()))


def _pick(node: Node, kind: int) -> tuple[Record, ...]:
    """Return the records that answer a question; one type of them is enough for ANY (RFC 8482, 4.1)."""
    if kind == Type.ANY:
        return next(iter(node.records.values()), ())
    wanted = Type(kind) if kind in _KNOWN else Type.CNAME
    return node.records.get(wanted) or node.records.get(Type.CNAME, ())


def _owned(records: tuple[Record, ...], name: Name) -> tuple[Record, ...]:
    """Return a wildcard's records as those of the name that was asked for."""
    return tuple(
        record if record.name == name else Record(name, record.type, record.ttl, record.data)
        for record in records
    )


def start_of(apex: Name, primary: Name, mailbox: Name, serial: int, *, no: int) -> Record:
    """Return a zone's SOA record; a "no" of it is kept for ``no`` seconds."""
    times = StartOfAuthority(primary, mailbox, serial, refresh=3600, retry=600, expire=86400, minimum=no)
    return Record(apex, Type.SOA, no, times)
