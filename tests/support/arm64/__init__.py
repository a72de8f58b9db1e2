"""A real system of arm64: a Debian with cloud-init, made by debootstrap, and QEMU machines that boot it."""
