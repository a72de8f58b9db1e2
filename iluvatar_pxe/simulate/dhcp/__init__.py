"""DHCP as firmware speaks it."""
