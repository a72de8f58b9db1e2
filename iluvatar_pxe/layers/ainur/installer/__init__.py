"""The provisioning system: what a Raspberry Pi starts first, and what the daemon tells it to do with its disks."""
