"""``iluvatar-pxe assets``."""
