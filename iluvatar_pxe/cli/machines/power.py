"""``iluvatar-pxe machines wake``: machines' power."""

from iluvatar_pxe.admin.requests.power import Wake
from iluvatar_pxe.cli.daemon import change
from iluvatar_pxe.cli.machines.options import Name
from iluvatar_pxe.cli.options import ConfigOption
from iluvatar_pxe.cli.running import settings_of_daemon
from iluvatar_pxe.cli.tables import say


def wake(name: Name, *, config: ConfigOption = None) -> None:
    """Wake a machine up by Wake-on-LAN, which its firmware has to allow."""
    say([change(settings_of_daemon(config), Wake, machine=name)["message"]])
