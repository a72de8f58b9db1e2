"""``iluvatar-pxe plan``."""
