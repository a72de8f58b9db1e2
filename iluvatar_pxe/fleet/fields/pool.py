"""The addresses that a router hands out, as a fleet file writes them."""

from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Annotated, Any

from pydantic import BeforeValidator

from iluvatar_pxe.declared.shapes import hint

_ADDRESS = r"\d{1,3}(?:\.\d{1,3}){3}"
_NO_POOL = "write its first and its last address such as 192.168.1.100-192.168.1.199"


@dataclass(frozen=True, slots=True)
class AddressPool:
    """All addresses from the first to the last one."""

    first: IPv4Address
    last: IPv4Address

    def __contains__(self, address: IPv4Address) -> bool:
        """Say whether the router may give an address to anybody."""
        return self.first <= address <= self.last

    def __str__(self) -> str:
        return f"{self.first}-{self.last}"


def _pool(value: Any) -> AddressPool:
    first, _, last = value.partition("-") if isinstance(value, str) else ("", "", "")
    try:
        pool = AddressPool(IPv4Address(first.strip()), IPv4Address(last.strip()))
    except ValueError:
        raise ValueError(_NO_POOL) from None
    if pool.first > pool.last:
        raise ValueError(f"its first address is behind its last one; {_NO_POOL}")
    return pool


Pool = Annotated[AddressPool, BeforeValidator(_pool), hint(rf"\s*{_ADDRESS}\s*-\s*{_ADDRESS}\s*", _NO_POOL)]
