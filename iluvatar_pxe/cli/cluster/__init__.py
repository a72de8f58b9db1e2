"""``iluvatar-pxe cluster``."""
