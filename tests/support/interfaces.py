"""Interfaces of the host that the tests run on."""

from iluvatar_pxe.host.interfaces import Interface, find_interfaces


def read_interface(name: str) -> Interface:
    """Return an interface that has an address."""
    (found,) = find_interfaces([name]).interfaces
    return found
