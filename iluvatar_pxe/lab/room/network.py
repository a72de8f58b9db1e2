"""One Ethernet segment of the lab: a bridge, stations with an address of their own, taps for machines."""

from iluvatar_pxe.lab.room.namespace import DIRECTORY, Namespace

BRIDGE = "lab0"
ROUTER_ADDRESS = "10.77.0.1"
SERVER_ADDRESS = "10.77.0.2"
PREFIX_LENGTH = 24
INTERFACE = "eth0"
"""The interface name that every station has."""
PLUG = DIRECTORY / "plug"
"""A script that puts the cable of a machine, a tap that QEMU has made, into the segment."""


class Network:
    """The segment inside ``namespace``; it ends with the namespace."""

    def __init__(self, namespace: Namespace) -> None:
        """Make the bridge, which joined namespaces have already; raises LabError when the kernel refuses."""
        self.namespace = namespace
        if namespace.is_joined:
            return
        plug = namespace.outside(PLUG)
        plug.write_text(f'#!/bin/sh\nexec ip link set "$1" master {BRIDGE} up\n', encoding="ascii")
        plug.chmod(0o755)
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
