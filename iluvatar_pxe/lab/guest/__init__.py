"""A machine under QEMU, and what a person sees and does there."""
