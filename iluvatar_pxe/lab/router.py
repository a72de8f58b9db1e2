"""The home router of the lab: it hands out addresses and knows nothing of booting."""

from iluvatar_pxe.lab.namespace import DIRECTORY, require_tools
from iluvatar_pxe.lab.network import INTERFACE, ROUTER_ADDRESS, Network
from iluvatar_pxe.lab.process import Process

LEASES = 51, 253
"""The first and the last address that it hands out; stations have others."""

_READY_SECONDS = 10.0


def start_router(network: Network) -> Process:
    """Start the router; raises LabError. Its output names every lease it gives."""
    require_tools("dnsmasq")
    station = network.add_station("router", ROUTER_ADDRESS)
    router = network.namespace.start("router", _dnsmasq(), network=station)
    router.wait_for("DHCP, IP range", _READY_SECONDS)
    return router


def _dnsmasq() -> list[str]:
    first, last = (f"{ROUTER_ADDRESS.rpartition('.')[0]}.{host}" for host in LEASES)
    return [
        "dnsmasq",
        "--no-daemon",  # also: keep the user, which a user namespace cannot change
        "--conf-file=/dev/null",
        "--log-facility=-",
        "--port=0",  # leases only, no names
        f"--interface={INTERFACE}",
        "--bind-interfaces",
        f"--dhcp-range={first},{last},255.255.255.0,1h",
        f"--dhcp-leasefile={DIRECTORY / 'router.leases'}",
        "--dhcp-authoritative",
        "--no-ping",  # nobody else gives addresses here
    ]
