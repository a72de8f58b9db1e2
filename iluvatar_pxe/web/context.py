"""What pages and the API work on."""

from msgspec import Struct, field

from iluvatar_pxe.admin.command import CommandContext
from iluvatar_pxe.admin.health import Health
from iluvatar_pxe.events import EventLog
from iluvatar_pxe.fleet.models import Fleet
from iluvatar_pxe.inventory.inventory import Inventory
from iluvatar_pxe.settings.model import Settings
from iluvatar_pxe.web.metrics.measured import Measured


class WebContext(Struct, frozen=True, kw_only=True):
    """The daemon's parts that are shown, and the commands that change something."""

    settings: Settings
    commands: CommandContext
    health: Health
    events: EventLog
    measured: Measured = field(default_factory=Measured)

    @property
    def inventory(self) -> Inventory:
        """What was seen."""
        return self.commands.inventory

    @property
    def fleet(self) -> Fleet:
        """The applied fleet at this moment."""
        return self.commands.fleet
