"""``iluvatar-pxe lab``."""
