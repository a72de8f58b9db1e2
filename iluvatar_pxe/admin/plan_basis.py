"""What a plan is based on, in words."""

from ipaddress import IPv4Address

from iluvatar_pxe.assets.store import SYSTEM_PROGRAMS
from iluvatar_pxe.fleet.models import Fleet
from iluvatar_pxe.inventory.database.store import Store
from iluvatar_pxe.replies.links import Links
from iluvatar_pxe.settings.model import Settings
from iluvatar_pxe.spans import span

NO_ADDRESS = IPv4Address("192.0.2.1")
"""Stands for this server's address where it has none now (RFC 5737)."""


def assumed(
    settings: Settings,
    fleet: Fleet,
    links: Links,
    *,
    window_seconds: float,
    files: str,
    is_stored: bool = True,
) -> dict[str, str]:
    """Return it under headings; ``files`` says which boot files there are, ``is_stored`` whether there is an inventory."""
    mode = fleet.settings.enrolment.mode
    window = f"open for {span(int(window_seconds))}" if window_seconds > 0 else "closed"
    place = Store(settings.database_url).path
    return {
        "trust": "the request comes from the machine itself, and its DHCP request was seen",
        "enrolment": f"mode {mode}; the window is {window}",
        "fleet": settings.fleet_place,
        "inventory": f"{place}" if is_stored else f"{place} does not exist yet; no machine was seen",
        "boot files": files,
        "this server": links.base + " (an example: it has no address now)" * (links.address == NO_ADDRESS),
    }


def ready_words(count: int, settings: Settings) -> str:
    """Say how many boot files there are, and where."""
    return f"{count} in {settings.assets_directory} and {SYSTEM_PROGRAMS}"
