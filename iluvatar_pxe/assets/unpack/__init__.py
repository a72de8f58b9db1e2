"""Takes archives and Raspberry Pi images apart, without root and without mounts."""
