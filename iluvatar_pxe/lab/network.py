"""One Ethernet segment of the lab: a bridge, stations with an address of their own, taps for machines."""

from typing import Literal

from iluvatar_pxe.errors import LabError
from iluvatar_pxe.lab.namespace import Namespace

BRIDGE = "lab0"
ROUTER_ADDRESS = "10.77.0.1"
SERVER_ADDRESS = "10.77.0.2"
PREFIX_LENGTH = 24
INTERFACE = "eth0"
"""The interface name that every station has."""


class Network:
    """The segment inside ``namespace``; it ends with the namespace."""

    def __init__(self, namespace: Namespace) -> None:
        """Make the bridge; raises LabError when the kernel refuses."""
        self.namespace = namespace
        self._taps = 0
        namespace.run(["ip", "link", "add", BRIDGE, "type", "bridge", "forward_delay", "0"])
        namespace.run(["ip", "link", "set", BRIDGE, "up"])

    def add_station(self, name: str, address: str) -> str:
        """Attach a network namespace with ``address`` on its ``eth0`` and return its name."""
        run = self.namespace.run
        run(["ip", "netns", "add", name])
        run(["ip", "link", "add", name, "type", "veth", "peer", "name", INTERFACE, "netns", name])
        run(["ip", "link", "set", name, "master", BRIDGE, "up"])
        run(["ip", "address", "add", f"{address}/{PREFIX_LENGTH}", "dev", INTERFACE], network=name)
        run(["ip", "link", "set", "lo", "up"], network=name)
        run(["ip", "link", "set", INTERFACE, "up"], network=name)
        return name

    def set_link(self, name: str, state: Literal["up", "down"]) -> None:
        """Put in or pull the cable of a station; raises LabError."""
        self.namespace.run(["ip", "link", "set", name, state])

    def add_tap(self) -> str:
        """Attach a tap for one machine and return the interface's name; raises LabError."""
        tap = f"tap{self._taps}"
        self._taps += 1
        try:
            self.namespace.run(["ip", "tuntap", "add", tap, "mode", "tap"])
        except LabError as error:
            raise LabError(f"{error}; run as root, or as a user who may open /dev/net/tun") from error
        self.namespace.run(["ip", "link", "set", tap, "master", BRIDGE, "up"])
        return tap
