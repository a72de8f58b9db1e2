"""Where a recipient's messages go. Pure."""

from iluvatar_pxe.fleet.models import Fleet
from iluvatar_pxe.fleet.notifications import address_fault
from iluvatar_pxe.fleet.sealed import is_sealed


def address_for(name: str, fleet: Fleet) -> tuple[str, str]:
    """Return a recipient's address, or an empty one, and why there is none."""
    recipient = fleet.settings.notifications.get(name)
    if recipient is None:
        return "", "the fleet does not name it any more"
    if recipient.address:
        return recipient.address.get_secret_value(), ""
    file = recipient.address_file or ""
    text = fleet.texts[file].strip()
    if is_sealed(text):
        return "", f"{file} is sealed, but not to this host's key; run: iluvatar-pxe fleet recover --key FILE"
    fault = address_fault(text)
    return ("", f"{file}: {fault}") if fault else (text, "")
