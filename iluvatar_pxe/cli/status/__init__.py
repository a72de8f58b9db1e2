"""``iluvatar-pxe status``."""
