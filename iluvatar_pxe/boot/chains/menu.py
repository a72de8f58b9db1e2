"""menu: the machine's screen lists what the fleet offers; without a key press the machine boots its own chain."""

from iluvatar_pxe.boot.case import Subject
from iluvatar_pxe.boot.chains import ipxe
from iluvatar_pxe.boot.plan import RunScript, ShowMenu

OWN = "/"
"""What the screen sends when the machine's own chain is chosen: no file of a fleet has this path."""


def plan(subject: Subject) -> ShowMenu | RunScript | None:
    """Show the menu, or run what was chosen of it; None where that is the machine's own chain."""
    chosen, menu = subject.case.sighting.choice, subject.fleet.settings.menu
    if chosen == OWN:
        return None
    if any(entry.script == chosen for entry in menu.entries):
        return ipxe.run(subject, chosen)
    layer = subject.case.layer
    return ShowMenu(
        why=subject.why,
        name=subject.title,
        own=f"Boot what layer {layer} boots"
        if layer and not subject.case.has_system
        else "Boot its own disk",
        entries=tuple((entry.script, entry.name) for entry in menu.entries),
        seconds=menu.timeout,
    )
