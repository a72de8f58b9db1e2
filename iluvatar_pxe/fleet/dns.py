"""The DNS part of the fleet, as immutable models: its domain, and records besides those of its machines."""

import re
from collections.abc import Mapping
from ipaddress import IPv4Address, IPv6Address, ip_address
from types import MappingProxyType
from typing import Annotated, Any, Self, TypeVar

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    GetJsonSchemaHandler,
    StrictInt,
    WithJsonSchema,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from iluvatar_pxe.declared.base import Model
from iluvatar_pxe.declared.shapes import Shape, hint
from iluvatar_pxe.fleet.fields.names import HOST_NAME
from iluvatar_pxe.fleet.fields.values import Address

APEX = "@"
"""The name of the domain itself in ``records``."""
SERVICES = ("git", "pxe")
"""The daemon's own names in the domain."""
NOT_OF_LAYERS = frozenset({*SERVICES, "api", "apps"})
"""Names reserved for the daemon, which no layer may have."""
_LONGEST_DOMAIN = 180
"""Characters, so that whatever the daemon puts before it is still a name (RFC 1035, 2.3.4: 255 octets)."""
_LONGEST_TEXT = 4096
"""Bytes of a TXT record; a DKIM key of 4096 bits has about 750."""
_LONGEST_TEXTS = 32768
"""Bytes of all of a name's, which are one answer: a message has at most 65,535."""
_MOST = 100
"""Records of one kind at one name: all of them have to fit into one message."""
_NOT_ASKED: Mapping[str, str] = MappingProxyType(
    {
        "local": "belongs to multicast DNS (RFC 6762), resolvers such as systemd-resolved never ask a DNS server for it",
        "localhost": "always means the local host (RFC 6761)",
        "invalid": "is never looked up in DNS (RFC 6761)",
        "onion": "is never looked up in DNS (RFC 7686)",
        "alt": "is never looked up in DNS (RFC 9476)",
        "resolver.arpa": "is for the discovery of resolvers (RFC 9462)",
        "in-addr.arpa": "is for reverse lookups (RFC 1035, 3.5)",
        "ip6.arpa": "is for reverse lookups (RFC 3596)",
    }
)
"""Domain suffixes that cannot be used, and why."""
_ENDS = "|".join(_NOT_ASKED).replace(".", r"\.")
_DOMAIN = rf"{HOST_NAME.pattern}(\.{HOST_NAME.pattern})*"
_FOUND = rf"(?!.{{{_LONGEST_DOMAIN + 1}}})(?!(?:.*\.)?(?:{_ENDS})$){_DOMAIN[:-1]}+"
"""A domain that resolvers ask for."""
_NO_DOMAIN = f"write a domain in lower case such as lab.home.arpa, of at most {_LONGEST_DOMAIN} characters"
_LABEL = r"(?![^.]{64})_?[a-z0-9](?:[a-z0-9-]*[a-z0-9])?"
_NO_RECORD_NAME = "write a name below the domain in lower case such as nas or _ldap._tcp, @ for the domain itself, or begin it with *."
_NO_PRIVATE_DOMAIN = "write a domain in lower case such as plex.direct"
_NO_TARGET = "write a name of the domain such as nas, or a full name that ends with a dot"
_NO_IPV6_ADDRESS = "write an IPv6 address such as fd00::5"
_NO_ADDRESS = "write an address such as 192.168.1.80 or fd00::80"
_T = TypeVar("_T")


def _domain(value: str) -> str:
    if len(value) > _LONGEST_DOMAIN or not re.fullmatch(_DOMAIN, value):
        raise ValueError(_NO_DOMAIN)
    for end, why in _NOT_ASKED.items():
        if f".{value}".endswith(f".{end}"):
            raise ValueError(f".{end} {why}; write a domain such as lab.home.arpa (RFC 8375)")
    if "." not in value:
        why = "resolvers such as systemd-resolved ask no DNS server for single-label names"
        raise ValueError(f"{why}; write two or more, such as lab.home.arpa")
    return value


def _ipv6_address(value: Any) -> IPv6Address:
    """Pydantic would take a number for an address; an interface of this host tells others nothing."""
    try:
        address = IPv6Address(value if isinstance(value, str) else "")
    except ValueError:
        raise ValueError(_NO_IPV6_ADDRESS) from None
    if address.scope_id:
        raise ValueError(_NO_IPV6_ADDRESS)
    return address


def _any_address(value: Any) -> IPv4Address | IPv6Address:
    """Return the address that a text is, of either kind."""
    try:
        address = ip_address(value if isinstance(value, str) else "")
    except ValueError:
        raise ValueError(_NO_ADDRESS) from None
    return _ipv6_address(value) if address.version == 6 else address


def _text(value: str) -> str:
    if len(value.encode()) > _LONGEST_TEXT:
        raise ValueError(f"must not be longer than {_LONGEST_TEXT} bytes; shorten it")
    return value


def _texts(values: tuple[str, ...]) -> tuple[str, ...]:
    if sum(len(value.encode()) for value in values) > _LONGEST_TEXTS:
        raise ValueError(
            f"must not have more than {_LONGEST_TEXTS} bytes in all; write fewer or shorter texts"
        )
    return values


def _set(values: tuple[_T, ...]) -> tuple[_T, ...]:
    """Records of one kind are a set (RFC 2181, 5)."""
    if not 1 <= len(values) <= _MOST:
        raise ValueError(f"write one value, or a list of up to {_MOST}")
    return tuple(dict.fromkeys(values))


class _OrOne:
    """Schema for a single value in place of a list."""

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        several = handler(schema) | {"minItems": 1, "maxItems": _MOST}
        item = several["items"]
        return {"anyOf": [*item.get("anyOf", [item]), several]}


Domain = Annotated[str, AfterValidator(_domain), hint(_FOUND, _NO_DOMAIN)]
PrivateDomain = Annotated[str, Shape(rf"{_LABEL}(?:\.{_LABEL})*", _NO_PRIVATE_DOMAIN)]
"""A domain of somebody else, or a name in one."""
RecordName = Annotated[str, Shape(rf"{APEX}|(?:\*|{_LABEL})(?:\.{_LABEL})*", _NO_RECORD_NAME)]
"""Without the domain."""
Target = Annotated[
    str,
    Shape(rf"{_LABEL}(?:\.{_LABEL})*\.?".replace("a-z", "A-Za-z"), _NO_TARGET),
    AfterValidator(str.lower),
]
"""Below the domain, or a whole name, which a dot ends; in lower case."""
Several = Annotated[
    tuple[_T, ...],
    BeforeValidator(lambda value: value if isinstance(value, list | tuple) else (value,)),
    AfterValidator(_set),
    _OrOne(),
]
"""One value, or a list of them."""
AnyAddress = Annotated[IPv4Address | IPv6Address, BeforeValidator(_any_address)]
_Ipv6Address = Annotated[IPv6Address, BeforeValidator(_ipv6_address)]
_Text = Annotated[str, AfterValidator(_text), WithJsonSchema({"type": "string", "maxLength": _LONGEST_TEXT})]
_Number = Annotated[StrictInt, Field(ge=0, le=0xFFFF)]


class Srv(Model):
    """Where a service is (RFC 2782)."""

    priority: _Number = 0
    """The server with the lowest value is used first."""
    weight: _Number = 0
    """Among servers of equal priority, a higher weight is chosen more often."""
    port: Annotated[StrictInt, Field(ge=1, le=0xFFFF)]
    """Of TCP or UDP, as the record's name says."""
    target: Target
    """The server: a name of the domain, or a full name that ends with a dot."""


class DnsRecords(Model):
    """What one name of the domain has: at least one kind of record."""

    a: Several[Address] = ()
    """Its IPv4 addresses, one or a list."""
    aaaa: Several[_Ipv6Address] = ()
    """Its IPv6 addresses, one or a list."""
    cname: Target | None = None
    """The target: a name of the domain, or a full name that ends with a dot. It excludes other records."""
    txt: Annotated[Several[_Text], AfterValidator(_texts)] = ()
    """Texts of up to 4,096 bytes, one or a list: each is one record, in strings of 255 bytes (RFC 7208, 3.3)."""
    srv: Several[Srv] = ()
    """Where a service is, one or a list; the record's name is ``_SERVICE._tcp`` or ``_SERVICE._udp``."""

    @model_validator(mode="after")
    def _kinds(self) -> Self:
        others = self.a or self.aaaa or self.txt or self.srv
        if self.cname and others:
            raise ValueError("a cname allows no other records (RFC 1034, 3.6.2); remove it or the others")
        if not self.cname and not others:
            raise ValueError("has no record; add a, aaaa, cname, txt or srv")
        return self

    @property
    def targets(self) -> Mapping[tuple[str | int, ...], str]:
        """The names that it points to, by their place in it."""
        found: dict[tuple[str | int, ...], str] = {("cname",): self.cname} if self.cname else {}
        return found | {("srv", index, "target"): one.target for index, one in enumerate(self.srv)}
