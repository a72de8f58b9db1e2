"""URLs of this server, as written into replies."""

from functools import lru_cache
from ipaddress import IPv4Address

from msgspec import Struct

_MOST_BASES = 64
"""Addresses of this host of which the URL is remembered: to write one takes as long as to make a ticket."""
ABSENT_FILE = "boot-local-disk"
"""A file that does not exist here: firmware that gets its name fails at once and boots its disk."""


class Links(Struct, frozen=True):
    """This server as the asking machine sees it."""

    address: IPv4Address
    http_port: int

    @property
    def base(self) -> str:
        """URL without a trailing slash, with an IP literal: firmware may have no DNS."""
        return _base(self.address, self.http_port)

    @property
    def first_script(self) -> str:
        """URL of the script that any iPXE runs first."""
        return f"{self.base}/boot.ipxe"

    def confirm(self, mac: str) -> str:
        """URL asked when the countdown has run out; iPXE fills in its platform."""
        return f"{self.base}/ipxe/confirm?mac={mac}&platform=${{platform}}"

    def refuse(self, mac: str) -> str:
        """URL asked when a key was pressed during the countdown; iPXE fills in its platform."""
        return f"{self.base}/ipxe/refuse?mac={mac}&platform=${{platform}}"

    def asset(self, name: str) -> str:
        """URL of a boot file."""
        return f"{self.base}/assets/{name}"

    def config(self, ticket: str) -> str:
        """URL of a Talos machine configuration."""
        return f"{self.base}/talos/{ticket}/config.yaml"

    def seed(self, ticket: str) -> str:
        """URL below which a Raspberry Pi's documents of cloud-init are, without a trailing slash."""
        return f"{self.base}/cloud-init/{ticket}"


@lru_cache(_MOST_BASES)
def _base(address: IPv4Address, port: int) -> str:
    return f"http://{address}:{port}"
