"""The home router of the lab: it hands out addresses and the Pi as DNS server, and knows nothing of booting."""

from iluvatar_pxe.lab.process import Process
from iluvatar_pxe.lab.room.namespace import DIRECTORY, require_tools
from iluvatar_pxe.lab.room.network import INTERFACE, ROUTER_ADDRESS, SERVER_ADDRESS, Network

LEASES = 51, 253
"""The first and the last address that it hands out; stations have others."""
OUTSIDE = "outside.example", "203.0.113.7"
"""The one name, with its address, that its own DNS knows: a stand-in for the Internet's (RFC 2606, RFC 5737)."""

_READY_SECONDS = 10.0


def start_router(network: Network) -> Process:
    """Start the router; raises LabError. Its output names every lease it gives."""
    require_tools("dnsmasq")
    station = network.add_station("router", ROUTER_ADDRESS)
    router = network.namespace.start("router", _dnsmasq(), network=station)
    router.wait_for("DHCP, IP range", _READY_SECONDS)
    return router


def _dnsmasq() -> list[str]:
    outside, address = OUTSIDE
    first, last = (f"{ROUTER_ADDRESS.rpartition('.')[0]}.{host}" for host in LEASES)
    return [
        "dnsmasq",
        "--no-daemon",  # also: keep the user, which a user namespace cannot change
        "--conf-file=/dev/null",
        "--log-facility=-",
        "--no-resolv",  # asks nobody
        "--no-hosts",
        f"--address=/{outside}/{address}",
        f"--local=/{outside}/",  # it has no other records
        "--local=/#/",  # there is no other name
        f"--interface={INTERFACE}",
        "--bind-interfaces",
        f"--dhcp-range={first},{last},255.255.255.0,1h",
        f"--dhcp-option=option:dns-server,{SERVER_ADDRESS}",
        f"--dhcp-leasefile={DIRECTORY / 'router.leases'}",
        "--dhcp-authoritative",
        "--no-ping",  # nobody else gives addresses here
    ]
