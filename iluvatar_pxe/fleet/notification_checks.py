"""Addresses of notifications: what is wrong with those in files of the fleet, and which hold secrets in clear. Pure."""

from collections.abc import Mapping

from pydantic import TypeAdapter

from iluvatar_pxe.fleet.clear_secrets import clear_secrets
from iluvatar_pxe.fleet.models import Fleet
from iluvatar_pxe.fleet.notifications import Recipient, address_fault, has_secret
from iluvatar_pxe.fleet.sealed import is_sealed
from iluvatar_pxe.fleet.source import FLEET_FILE, Source

_PART = "notifications"
_RECIPIENTS = TypeAdapter[Mapping[str, Recipient]](Mapping[str, Recipient])


def check_notifications(source: Source) -> None:
    """Note in ``source`` which files of addresses are missing or wrong; what is sealed is not looked into."""
    for name, one in (source.part(FLEET_FILE, (_PART,), _RECIPIENTS) or {}).items():
        if (file := one.address_file) is None:
            continue
        text = source.files.get(file)
        if text is None:
            place = (_PART, name, "addressFile")
            source.fault(
                FLEET_FILE, place, f"{file} is not a text file in the fleet; create it or correct the path"
            )
        elif not is_sealed(text) and (fault := address_fault(text.strip())):
            source.findings.add(file, 1, fault)


def secrets_in_clear(fleet: Fleet) -> list[str]:
    """Return one line for each file with secrets in clear, and for each such address of notifications, with the remedy."""
    return [*clear_secrets(fleet.texts), *clear_addresses(fleet)]


def clear_addresses(fleet: Fleet) -> list[str]:
    """Return one line for each address of notifications that holds a token or password in clear, with the remedy."""
    return [
        line
        for name, one in fleet.settings.notifications.items()
        if (line := _clear(name, one, fleet.texts, fleet.sealed))
    ]


def _clear(name: str, one: Recipient, texts: Mapping[str, str], sealed: frozenset[str]) -> str | None:
    held = "holds a token or password in clear"
    if one.address and has_secret(one.address.get_secret_value()):
        file = f"notifications/{name}.txt"
        remedy = (
            f"write it into {file}, name that by addressFile, and encrypt it: iluvatar-pxe fleet seal {file}"
        )
        return f"{FLEET_FILE}: {_PART}.{name}.address {held}; {remedy}"
    file = one.address_file or ""
    if file and file not in sealed and has_secret(texts[file].strip()):
        return f"{file}:1: {held}; encrypt it: iluvatar-pxe fleet seal {file}"
    return None
