"""iPXE's menus: what ``item`` adds, and which item ``choose`` takes when nobody presses a key (hci/tui/menu_ui.c)."""

from dataclasses import dataclass, field

from msgspec import Struct


class Item(Struct, frozen=True):
    """A line of a menu; without a label it is a gap, which cannot be chosen."""

    label: str | None
    text: str
    is_default: bool = False


@dataclass(slots=True)
class Menu:
    """A menu that is being made."""

    title: str
    items: list[Item] = field(default_factory=list)

    def selected(self, wanted: str | None) -> Item | None:
        """Return the item under the cursor: the one of this label, else the default, else the first; None without items.

        Where a label is wanted, what ``item --default`` said does not count.
        """
        labelled = [one for one in self.items if one.label is not None]
        chosen = [one for one in labelled if (one.is_default if wanted is None else one.label == wanted)]
        return chosen[-1] if chosen else next(iter(labelled), None)

    def lines(self) -> list[str]:
        """Return what the screen shows."""
        return [self.title, *(one.text for one in self.items)]
