"""A private virtual network on this machine: namespaces, a router, QEMU firmware."""
